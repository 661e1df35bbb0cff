// SPDX-License-Identifier: Apache-2.0
// A table of lists by the hash of the key, and one list of all by use. One lock for both, held for a few
// steps; who reads an answer holds it by a count.
#include "query/answers.h"

#include <stdlib.h>

#include "base/cursor.h"
#include "base/hash.h"
#include "base/mem.h"
#include "ingest/view.h"
#include "os/thread.h"

enum { LISTS = 1 << 14, SWEEP_MAX = 4096 };

struct kept_answer {
    struct kept_answer *next; // of the same list
    struct kept_answer *newer, *older;
    uint64_t hash;
    _Atomic uint32_t refs;
    char block[ANSWERS_BLOCK_MAX];
    struct str key, bytes;
    char data[];
};

static struct {
    struct mutex lock; // of all below
    struct kept_answer *lists[LISTS];
    struct kept_answer *newest, *oldest;
    struct answers_stats stats;
} all = { .lock = { PTHREAD_MUTEX_INITIALIZER } };

static uint64_t size_of(const struct kept_answer *a) {
    return sizeof *a + a->key.len + a->bytes.len;
}

// --- the two lists; under the lock -------------------------------------------------------------------

static struct kept_answer **place_of(struct str key, uint64_t hash) {
    struct kept_answer **at = &all.lists[hash % LISTS];
    while (*at && ((*at)->hash != hash || !str_eq((*at)->key, key))) at = &(*at)->next;
    return at;
}

static void use_list_take(struct kept_answer *a) {
    *(a->newer ? &a->newer->older : &all.newest) = a->older;
    *(a->older ? &a->older->newer : &all.oldest) = a->newer;
}

static void use_list_add(struct kept_answer *a) {
    a->newer = NULL;
    a->older = all.newest;
    *(a->older ? &a->older->newer : &all.oldest) = a;
    all.newest = a;
}

static void drop(struct kept_answer *a) {
    *place_of(a->key, a->hash) = a->next;
    use_list_take(a);
    all.stats.bytes -= size_of(a);
    all.stats.n--;
    answers_release(a);
}

static void make_room(void) {
    while (all.stats.bytes > all.stats.limit) {
        drop(all.oldest);
        all.stats.evictions++;
    }
}

// --- the door ----------------------------------------------------------------------------------------

void answers_limit(uint64_t bytes) {
    mutex_lock(&all.lock);
    while (all.oldest) drop(all.oldest);
    all.stats = (struct answers_stats){ .limit = bytes };
    mutex_unlock(&all.lock);
}

uint64_t answers_size_max(void) {
    mutex_lock(&all.lock);
    uint64_t limit = all.stats.limit;
    mutex_unlock(&all.lock);
    return limit / ANSWERS_SHARE;
}

bool answers_are_kept(void) {
    return answers_size_max() > 0;
}

void answers_key(struct buf *out, const char *block, uint32_t group, struct str question) {
    buf_str(out, str_of(block));
    wr_u8(out, 0);
    wr_varint(out, group);
    wr_varint(out, question.len);
    buf_str(out, question);
}

const struct kept_answer *answers_find(struct str key) {
    uint64_t hash = hash_str(key);
    mutex_lock(&all.lock);
    struct kept_answer *a = *place_of(key, hash);
    if (a) {
        use_list_take(a);
        use_list_add(a);
        atomic_fetch_add(&a->refs, 1);
    }
    *(a ? &all.stats.hits : &all.stats.misses) += 1;
    mutex_unlock(&all.lock);
    return a;
}

struct str answers_bytes(const struct kept_answer *a) {
    return a->bytes;
}

void answers_release(const struct kept_answer *a) {
    struct kept_answer *own = (struct kept_answer *)(uintptr_t)a;
    if (own && atomic_fetch_sub(&own->refs, 1) == 1) mem_free(own);
}

static struct kept_answer *answer_new(const char *block, struct str key, struct str bytes) {
    struct kept_answer *a = mem_zalloc(sizeof *a + key.len + bytes.len);
    if (!a) return NULL;
    ASSERT(strlen(block) < sizeof a->block);
    memcpy(a->block, block, strlen(block));
    memcpy(a->data, key.ptr, key.len);
    memcpy(a->data + key.len, bytes.ptr, bytes.len);
    a->key = (struct str){ a->data, key.len };
    a->bytes = (struct str){ a->data + key.len, bytes.len };
    a->hash = hash_str(key);
    a->refs = 1;
    return a;
}

void answers_keep(const char *block, struct str key, struct str bytes) {
    if (key.len > ANSWERS_KEY_MAX || sizeof(struct kept_answer) + key.len + bytes.len > answers_size_max())
        return;
    struct kept_answer *a = answer_new(block, key, bytes);
    if (!a) return;
    mutex_lock(&all.lock);
    struct kept_answer **at = place_of(key, a->hash);
    bool is_new = !*at;
    if (is_new) {
        *at = a;
        use_list_add(a);
        all.stats.bytes += size_of(a);
        all.stats.n++;
        make_room();
    }
    mutex_unlock(&all.lock);
    if (!is_new) answers_release(a);
}

static int id_cmp(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_there(const char **ids, uint32_t n, const char *id) {
    return n > 0 && bsearch(&id, ids, n, sizeof *ids, id_cmp);
}

void answers_sweep(const struct view *v) {
    const char **ids = mem_alloc((v->n_blocks + 1ull) * sizeof *ids);
    if (!ids) return; // the next one may
    for (uint32_t i = 0; i < v->n_blocks; i++) ids[i] = block_meta(v->blocks[i])->id;
    if (v->n_blocks) qsort(ids, v->n_blocks, sizeof *ids, id_cmp);
    uint32_t n = 0;
    mutex_lock(&all.lock);
    for (struct kept_answer *a = all.oldest, *newer; a && n < SWEEP_MAX; a = newer, n++) {
        newer = a->newer;
        if (!is_there(ids, v->n_blocks, a->block)) drop(a);
    }
    mutex_unlock(&all.lock);
    mem_free(ids);
}

void answers_stats(struct answers_stats *out) {
    mutex_lock(&all.lock);
    *out = all.stats;
    mutex_unlock(&all.lock);
}
