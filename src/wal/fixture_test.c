// SPDX-License-Identifier: Apache-2.0
#include "wal/fixture_test.h"

#include <stdlib.h>

#include "base/hash.h"

static void fill(char *dst, uint64_t id, size_t len) {
    memcpy(dst, &id, 8);
    for (size_t i = 8; i < len; i++) dst[i] = (char)hash_u64(id * 1000003 + i / 8) ^ (char)(i * 31);
}

struct wal_record sample_record(struct sample *s, uint64_t id, size_t len) {
    if (len < 8) len = 8;
    CHECK(len <= BODY_MAX);
    fill(s->body, id, len);
    size_t a = len / 3, b = len / 2;
    int n = snprintf(s->tenant, sizeof s->tenant, "t%llu", (unsigned long long)(id % 11));
    return (
        struct wal_record){ .kind = (uint8_t)(id % 7),
                            .tenant = { s->tenant, id % 13 ? (size_t)n : 0 },
                            .time_ns = 1000 + id,
                            .payload = { { s->body, a }, { s->body + a, b - a }, { s->body + b, len - b } } };
}

static enum err see(void *ctx, const struct wal_record *rec) {
    struct seen *s = ctx;
    struct sample want;
    struct str body = rec->payload[0];
    uint64_t id = 0;
    if (body.len >= 8 && body.len <= BODY_MAX) memcpy(&id, body.ptr, 8);
    struct wal_record r = sample_record(&want, id, body.len);
    bool same = str_eq(body, (struct str){ want.body, body.len }) && str_eq(rec->tenant, r.tenant) &&
                rec->kind == r.kind && rec->time_ns == r.time_ns;
    if (!same || s->n == SEEN_MAX) {
        s->bad = true;
        return ERR_OK;
    }
    s->rec[s->n].seq = rec->seq;
    s->rec[s->n++].id = id;
    return ERR_OK;
}

struct disk *fixture_disk(void) {
    struct disk *d;
    CHECK_OK(disk_sim_new(&(struct disk_sim_opts){ .seed = test_rand() }, &d));
    return d;
}

struct wal_opts fixture_opts(struct disk *d, uint64_t segment_bytes) {
    return (struct wal_opts){
        .disk = d, .dir = "/d/wal", .segment_bytes = segment_bytes, .marker = 0x3f9a7c5512e8d46b
    };
}

enum err fixture_open(const struct wal_opts *opts, uint64_t after_seq, struct seen *out,
                      struct wal **out_wal) {
    out->n = 0;
    out->bad = false;
    return wal_open(opts, after_seq, out, see, &out->replay, out_wal);
}

void fixture_replay(const struct wal_opts *opts, uint64_t after_seq, struct seen *out) {
    struct wal *w;
    CHECK_OK(fixture_open(opts, after_seq, out, &w));
    wal_close(w);
    CHECK(!out->bad);
    CHECK_U64(out->replay.n_records, out->n);
    CHECK_U64(out->replay.last_seq, out->n ? out->rec[out->n - 1].seq : 0);
    CHECK_U64(out->replay.first_seq, out->n ? out->rec[0].seq : 0);
}

enum err fixture_commit(struct wal *w, uint64_t first_id, size_t n, size_t len) {
    struct sample *s = mem_alloc(n * sizeof *s);
    struct wal_record *recs = mem_alloc(n * sizeof *recs);
    enum err e = s && recs ? ERR_OK : ERR_NOMEM;
    for (size_t i = 0; e == ERR_OK && i < n; i++) recs[i] = sample_record(&s[i], first_id + i, len);
    if (e == ERR_OK) e = wal_commit(w, recs, n);
    mem_free(s);
    mem_free(recs);
    return e;
}

void check_seen(const struct seen *s, uint64_t first_seq, uint64_t first_id, size_t n) {
    CHECK(!s->bad);
    CHECK_U64(s->n, n);
    for (size_t i = 0; i < n; i++) {
        CHECK_U64(s->rec[i].seq, first_seq + i);
        CHECK_U64(s->rec[i].id, first_id + i);
    }
}

struct str file_get(struct disk *d, const char *path) {
    struct disk_file *f;
    struct disk_stat st;
    CHECK_OK(d->ops->stat(d, path, &st));
    char *p = malloc(st.size_bytes + 1);
    CHECK(p);
    size_t n;
    CHECK_OK(d->ops->open(d, path, DISK_READ, &f));
    CHECK_OK(d->ops->read(f, 0, p, st.size_bytes, &n));
    d->ops->close(f);
    struct str exact = test_exact((struct str){ p, n });
    free(p);
    return exact;
}

void file_put(struct disk *d, const char *path, struct str bytes) {
    struct disk_file *f;
    (void)d->ops->unlink(d, path);
    CHECK_OK(d->ops->open(d, path, DISK_CREATE, &f));
    struct iovec iov = { (void *)(uintptr_t)bytes.ptr, bytes.len };
    CHECK_OK(d->ops->write(f, 0, &iov, 1));
    CHECK_OK(d->ops->sync(f));
    d->ops->close(f);
    char dir[DISK_PATH_MAX];
    disk_parent(path, dir);
    CHECK_OK(d->ops->sync_dir(d, dir));
}

const char *segment_name(uint64_t id) {
    static char path[4][64];
    static unsigned next;
    char *p = path[next++ % 4];
    (void)snprintf(p, sizeof path[0], "/d/wal/%020llu.wal", (unsigned long long)id);
    return p;
}

static enum err count_one(void *ctx, const char *name, bool is_dir) {
    (void)name, (void)is_dir;
    ++*(size_t *)ctx;
    return ERR_OK;
}

size_t dir_count(struct disk *d, const char *path) {
    size_t n = 0;
    (void)d->ops->list(d, path, &n, count_one);
    return n;
}
