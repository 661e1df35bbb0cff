// SPDX-License-Identifier: Apache-2.0
// What a commit costs when there are very many blocks: a block more, and other ones in the
// place of the newest 64.
//   catalog_bench [DIR] [BLOCKS]
#include <stdio.h>
#include <stdlib.h>

#include "block/catalog.h"
#include "os/clock.h"
#include "os/disk.h"

enum { ROUNDS = 200, MERGED = 64 };

static double now_s(void) {
    return (double)clock_mono_ns(clock_real()) / 1e9;
}

static struct block_meta meta_of(uint64_t n) {
    struct block_meta m = { .format = BLOCK_FORMAT, .n_spans = 250000, .n_traces = 31000, .bytes = 11 << 20 };
    uint8_t random[10] = { 0 };
    memcpy(random, &n, sizeof n);
    ulid_make(1700000000000 + n, random, m.id);
    m.outliers = TIME_RANGE_NONE;
    return m;
}

static enum err copy_of(const struct catalog *c, struct arena *a, struct catalog *out) {
    *out = (struct catalog){ .number = c->number + 1 };
    out->nodes = ARENA_ARRAY(a, 1, struct catalog_node);
    out->blocks = ARENA_ARRAY(a, c->n_blocks + ROUNDS, struct block_meta);
    if (!out->nodes || !out->blocks) return ERR_NOMEM;
    if (c->n_blocks) memcpy(out->blocks, c->blocks, c->n_blocks * sizeof *out->blocks);
    out->n_blocks = c->n_blocks;
    return ERR_OK;
}

static enum err run(struct object_store *s, uint32_t n_blocks, uint32_t merged, struct arena *a,
                    struct catalog *now) {
    double start = now_s();
    uint32_t written = 0;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct catalog next;
        TRY(copy_of(now, a, &next));
        next.n_blocks -= merged;
        for (uint32_t k = 0; k < (merged ? merged : 1); k++)
            next.blocks[next.n_blocks++] = meta_of(n_blocks + i * 100 + k);
        TRY(catalog_commit(s, STR("bench"), now, &next, a));
        for (uint32_t k = 0; k < next.n_lists; k++) written += next.lists[k].number == next.number;
        *now = next;
    }
    printf("%-28s %7.2f ms  %5.2f lists\n", merged ? "commit, 64 others at the end" : "commit, a block more",
           (now_s() - start) * 1e3 / ROUNDS, (double)written / ROUNDS);
    return ERR_OK;
}

static enum err bench(const char *dir, uint32_t n_blocks) {
    struct object_store *s;
    struct arena a;
    struct catalog now = { 0 }, next, back;
    struct err_ctx ctx = { 0 };
    arena_init(&a, SIZE_MAX, NULL);
    TRY(object_file_open(disk_real(), dir, &s));
    next = (struct catalog){ .number = 1, .nodes = ARENA_ARRAY(&a, 1, struct catalog_node) };
    next.blocks = ARENA_ARRAY(&a, n_blocks, struct block_meta);
    if (!next.nodes || !next.blocks) return ERR_NOMEM;
    for (uint32_t i = 0; i < n_blocks; i++) next.blocks[next.n_blocks++] = meta_of(i);
    TRY(catalog_commit(s, STR("bench"), &now, &next, &a));
    now = next;
    TRY(run(s, n_blocks, 0, &a, &now));
    TRY(run(s, n_blocks + ROUNDS * 100, MERGED, &a, &now));
    double start = now_s();
    TRY(catalog_load(s, STR("bench"), &a, &back, &ctx));
    printf("%-28s %7.2f ms  %u blocks, %u lists\n", "load", (now_s() - start) * 1e3, back.n_blocks,
           back.n_lists);
    s->ops->close(s);
    arena_fini(&a);
    return ERR_OK;
}

int main(int argc, char **argv) {
    const char *base = argc > 1 ? argv[1] : "/tmp";
    uint32_t n_blocks = (uint32_t)(argc > 2 ? strtoul(argv[2], NULL, 10) : 25000);
    char dir[256], command[300];
    (void)snprintf(dir, sizeof dir, "%s/takt-catalog-bench", base);
    enum err e = bench(dir, n_blocks);
    if (e != ERR_OK) fprintf(stderr, "catalog_bench: %s\n", err_text(e));
    (void)snprintf(command, sizeof command, "rm -r '%s'", dir);
    return system(command) != 0 || e != ERR_OK;
}
