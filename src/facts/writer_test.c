// SPDX-License-Identifier: Apache-2.0
#include "facts/writer.h"

#include "base/test.h"
#include "os/thread.h"

enum { THREADS = 8, EACH = 50 };

struct put {
    int64_t a;
    bool fail;
};

static enum err put_row(struct db *d, void *ctx) {
    struct put *p = ctx;
    struct db_row *r;
    TRY(db_prepare(d, "INSERT INTO t(a) VALUES(?)", &r));
    db_bind_i64(r, 1, p->a);
    TRY(db_done(r));
    return p->fail ? ERR_INVALID : ERR_OK;
}

struct sender {
    struct writer *w;
    int64_t first;
    struct thread t;
};

static void send_all(void *arg) {
    struct sender *s = arg;
    for (int64_t i = 0; i < EACH; i++) {
        struct put p = { s->first + i, i % 5 == 4 };
        CHECK(writer_run(s->w, put_row, &p) == (p.fail ? ERR_INVALID : ERR_OK));
    }
}

static enum err count_rows(struct db *d, void *ctx) {
    struct db_row *r;
    bool row;
    TRY(db_prepare(d, "SELECT count(*), sum(a % 50 % 5 = 4) FROM t", &r));
    TRY(db_step(r, &row));
    ((int64_t *)ctx)[0] = db_i64(r, 0);
    ((int64_t *)ctx)[1] = db_i64(r, 1);
    db_reset(r);
    return ERR_OK;
}

TEST(threads_writer_groups_jobs_and_undoes_those_that_fail) {
    struct db *d;
    struct writer *w;
    struct err_ctx ctx = { 0 };
    struct sender senders[THREADS];
    int64_t counts[2];
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/w.db", test_dir());
    CHECK_OK(db_open(path, DB_WRITE, &d, &ctx));
    CHECK_OK(db_run(d, "CREATE TABLE t(a INTEGER PRIMARY KEY)"));
    CHECK_OK(writer_start(d, &w));
    for (int64_t i = 0; i < THREADS; i++) {
        senders[i] = (struct sender){ .w = w, .first = i * EACH };
        CHECK_OK(thread_start(&senders[i].t, "sender", send_all, &senders[i]));
    }
    for (int i = 0; i < THREADS; i++) thread_join(&senders[i].t);
    CHECK_OK(writer_run_alone(w, count_rows, counts));
    CHECK_U64(counts[0], THREADS * EACH * 4 / 5);
    CHECK_U64(counts[1], 0);
    struct writer_stats s = writer_stats(w);
    writer_stop(w);
    CHECK(s.commits <= s.jobs);
    CHECK_OK(db_open(path, DB_READ, &d, &ctx));
    CHECK_OK(count_rows(d, counts));
    CHECK_U64(counts[0], THREADS * EACH * 4 / 5);
    db_close(d);
}

static enum err put_orphan(struct db *d, void *ctx) {
    (void)ctx;
    return db_run(d, "INSERT INTO u VALUES(99)");
}

TEST(writer_a_commit_that_fails_fails_every_job_of_its_group) {
    struct db *d;
    struct writer *w;
    struct err_ctx ctx = { 0 };
    CHECK_OK(db_open(NULL, DB_MEMORY, &d, &ctx));
    CHECK_OK(db_run(d, "PRAGMA foreign_keys=ON; CREATE TABLE t(a INTEGER PRIMARY KEY);"
                       "CREATE TABLE u(b INTEGER REFERENCES t(a) DEFERRABLE INITIALLY DEFERRED)"));
    CHECK_OK(writer_start(d, &w));
    struct put good = { 1, false };
    CHECK_OK(writer_run(w, put_row, &good));
    CHECK(writer_run(w, put_row, &good) == ERR_EXISTS);
    CHECK(writer_run(w, put_orphan, NULL) == ERR_EXISTS); // told by the commit only
    CHECK_OK(writer_run(w, put_row, &(struct put){ 2, false }));
    writer_stop(w);
}

struct later {
    struct writer_job job;
    struct put put;
    _Atomic int *left;
    enum err result;
};
static enum err put_later(struct db *d, void *ctx) {
    return put_row(d, &((struct later *)ctx)->put);
}
static void note_done(void *ctx, enum err e) {
    struct later *l = ctx;
    l->result = e;
    --*l->left;
}

// Nobody waits: many jobs in few commits, each told of its own end; a full queue says so.
TEST(threads_writer_tells_those_that_do_not_wait) {
    enum { JOBS = 500 };
    struct db *d;
    struct writer *w;
    struct err_ctx ctx = { 0 };
    static struct later jobs[JOBS];
    _Atomic int left = JOBS;
    CHECK_OK(db_open(NULL, DB_MEMORY, &d, &ctx));
    CHECK_OK(db_run(d, "CREATE TABLE t(a INTEGER PRIMARY KEY)"));
    CHECK_OK(writer_start(d, &w));
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct later){ .job = { .run = put_later, .done = note_done, .ctx = &jobs[i] },
                                  .put = { i, i % 7 == 3 },
                                  .left = &left };
        CHECK_OK(writer_submit(w, &jobs[i].job));
    }
    int64_t counts[2];
    CHECK_OK(writer_run_alone(w, count_rows, counts)); // after all of them
    CHECK(left == 0);
    for (int i = 0; i < JOBS; i++) CHECK(jobs[i].result == (i % 7 == 3 ? ERR_INVALID : ERR_OK));
    CHECK_U64(counts[0], JOBS - (JOBS + 3) / 7);
    writer_stop(w);
}
