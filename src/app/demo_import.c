// SPDX-License-Identifier: Apache-2.0
// Apart from demo_repo.c: libgit2 and delivery/git.h use the same names.
#include "app/demo_repo.h"
#include "base/log.h"
#include "delivery/git.h"
#include "os/clock.h"

#define IMPORT_MEMORY_MAX ((size_t)256 << 20)

struct import {
    struct git_ask ask;
    struct git_batch batch;
    struct err_ctx why;
};

static enum err keep(struct db *db, void *ctx) {
    struct import *im = ctx;
    uint64_t commits, rollouts;
    return git_keep(db, &im->ask, &im->batch, &commits, &rollouts, &im->why);
}

enum err demo_import(const struct demo_repo *d, uint8_t line) {
    char path[DEMO_PATH_MAX];
    struct arena a;
    struct db *reader;
    demo_repo_path(d, line, path);
    struct import im = { .ask = { .path = path,
                                  .service = str_of(ship_service(line)),
                                  .tags = STR("(?!)"), // none: the deploys are told by others
                                  .now = (int64_t)clock_unix_ns(clock_real()),
                                  .known = git_is_kept } };
    TRY(delivery_reader(d->delivery, &reader));
    arena_init(&a, IMPORT_MEMORY_MAX, NULL);
    im.ask.ctx = reader;
    enum err e = git_read(&a, &im.ask, &im.batch, &im.why);
    delivery_reader_done(d->delivery, reader);
    if (e == ERR_OK) e = delivery_write(d->delivery, keep, &im);
    arena_fini(&a);
    if (e != ERR_OK) log_warn("demo.import", KV_Z("why", im.why.text[0] ? im.why.text : err_text(e)));
    return e;
}
