// SPDX-License-Identifier: Apache-2.0
#include "delivery/delivery.h"

#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "delivery/derive.h"
#include "delivery/names.h"
#include "delivery/stale.h"
#include "os/thread.h"

enum { READERS_KEPT = 8, SETTLE_STEP = 64, NAMES_STEP = 500, REPROCESS_STEP = 5000, REMAKE_CACHE_MIB = 128 };
#define EVENT_MEMORY_MAX (256ull << 20) // claims of one request

struct delivery {
    char path[4096];
    unsigned flag_days, failure_severity;
    struct writer *writer; // NULL: read only
    struct db *copy;       // read only: in memory when something was stale, else the file
    struct mutex lock;
    atomic_bool then; // somebody has facts that were made anew in memory
    struct db *readers[READERS_KEPT];
    unsigned n_readers;
    _Atomic uint64_t noted, settled; // generations: of what is stale, of what is derived
    _Atomic uint64_t events, again, unknown, aside;
};

// --- open --------------------------------------------------------------------------------------------------

static enum err remake_facts(struct db *db, bool only_if_changed,
                             void (*progress)(void *ctx, uint64_t done, uint64_t all), void *ctx);

static enum err prepare_tables(struct db *db, struct err_ctx *ctx) {
    TRY(db_migrate(db, record_migrations, n_record_migrations, ctx));
    enum err e = remake_facts(db, true, NULL, NULL);
    if (e != ERR_OK)
        (void)err_set(ctx, e, "the tables of the facts cannot be made: %s",
                      e == ERR_IO ? db_error(db) : err_text(e));
    return e;
}

static const char count_stale[] = "SELECT (SELECT count(*) FROM stale) + (SELECT count(*) FROM near_stale) + "
                                  "(SELECT count(*) FROM near_scope) + "
                                  "(SELECT count(*) FROM stale_flow) + "
                                  "(SELECT count(*) FROM foreign_due)";

// A step in a transaction of its own: what is killed between two goes on where it was.
static enum err settle_step(struct db *db, enum err (*some)(struct db *d, unsigned n, bool *out_left),
                            unsigned n, bool *out_left) {
    TRY(db_begin(db));
    enum err e = some(db, n, out_left);
    if (e == ERR_OK) e = db_commit(db);
    if (e != ERR_OK) db_rollback(db);
    return e;
}
// What facts are called comes before what follows from them.
static enum err settle_db(struct db *db) {
    for (bool left = true; left;) TRY(settle_step(db, names_some, NAMES_STEP, &left));
    for (bool left = true; left;) TRY(settle_step(db, derive_some, SETTLE_STEP, &left));
    return ERR_OK;
}

// What is stale in a file that must not be written is derived in a copy in memory.
static enum err open_copy(struct delivery *d, struct err_ctx *ctx) {
    int64_t stale;
    struct db *memory;
    TRY(db_open(d->path, DB_READ, &d->copy, ctx));
    enum err e = db_number(d->copy, count_stale, &stale);
    if (e != ERR_OK)
        return err_set(ctx, e,
                       "the facts cannot be read (%s); if an older Takt made them, takt reprocess "
                       "or a start of the server makes them again",
                       db_error(d->copy));
    if (stale == 0) return ERR_OK;
    TRY(db_to_memory(d->copy, &memory));
    db_close(d->copy);
    d->copy = memory;
    return settle_db(memory);
}

static enum err open_writer(struct delivery *d, struct err_ctx *ctx) {
    struct db *db;
    int64_t stale;
    TRY(db_open(d->path, DB_WRITE, &db, ctx));
    enum err e = prepare_tables(db, ctx);
    if (e == ERR_OK) e = db_number(db, count_stale, &stale);
    if (e != ERR_OK) {
        db_close(db);
        return e;
    }
    d->noted = stale > 0;
    return writer_start(db, &d->writer);
}

enum err delivery_open(const struct delivery_opts *o, struct delivery **out, struct err_ctx *ctx) {
    struct delivery *d = mem_zalloc(sizeof *d);
    *out = d;
    if (!d) return ERR_NOMEM;
    mutex_init(&d->lock);
    d->flag_days = o->flag_days;
    d->failure_severity = o->failure_severity;
    (void)snprintf(d->path, sizeof d->path, "%s/facts.db", o->dir);
    return o->read_only ? open_copy(d, ctx) : open_writer(d, ctx);
}

void delivery_close(struct delivery *d) {
    if (!d) return;
    for (unsigned i = 0; i < d->n_readers; i++) db_close(d->readers[i]);
    db_close(d->copy);
    writer_stop(d->writer);
    mutex_fini(&d->lock);
    mem_free(d);
}

unsigned delivery_flag_days(const struct delivery *d) {
    return d->flag_days;
}
unsigned delivery_failure_severity(const struct delivery *d) {
    return d->failure_severity;
}

// --- events in ---------------------------------------------------------------------------------------------

static enum err take_event(struct db *db, struct arena *a, const struct intake_request *r,
                           const struct intake_event *e, struct delivery_taken *taken) {
    int64_t id;
    taken->events++;
    TRY(record_event(db, r, e, &id));
    if (id == 0) taken->again++;
    if (!e->known) taken->unknown++;
    if (e->aside.len) taken->aside++;
    if (id == 0 || !e->known || e->aside.len) return ERR_OK;
    return fact_apply(db, a, &e->claims, id, stale_note, db);
}

static enum err take_all(struct db *db, void *ctx) {
    struct delivery_call *call = ctx;
    struct arena a;
    enum err e = ERR_OK;
    call->taken = (struct delivery_taken){ 0 };
    arena_init(&a, EVENT_MEMORY_MAX, NULL);
    for (unsigned i = 0; i < call->in->n && e == ERR_OK; i++) {
        e = take_event(db, &a, call->request, &call->in->events[i], &call->taken);
        arena_reset(&a);
    }
    arena_fini(&a);
    return e;
}

static void count_taken(struct delivery *d, const struct delivery_taken *t) {
    d->events += t->events;
    d->again += t->again;
    d->unknown += t->unknown;
    d->aside += t->aside;
}

enum err delivery_take(struct delivery *d, const struct intake_request *r, const struct intake *in,
                       struct delivery_taken *out) {
    struct delivery_call call = { .request = r, .in = in };
    TRY(delivery_write(d, take_all, &call));
    count_taken(d, &call.taken);
    *out = call.taken;
    return ERR_OK;
}

enum err delivery_tell(struct delivery *d, struct arena *a, struct str source, const struct buf *body,
                       int64_t now) {
    struct intake_request r = { .source = source, .body = buf_view(body), .received = now };
    struct intake in;
    struct delivery_taken taken;
    struct err_ctx ctx = { 0 };
    if (body->failed) return ERR_NOMEM;
    TRY(intake_read(&r, a, &in, &ctx));
    return delivery_take(d, &r, &in, &taken);
}

static void call_done(void *ctx, enum err e) {
    struct delivery_call *call = ctx;
    if (e == ERR_OK) call->delivery->noted++;
    if (e == ERR_OK) count_taken(call->delivery, &call->taken);
    call->done(call->ctx, e, &call->taken);
}

enum err delivery_submit(struct delivery *d, struct delivery_call *call) {
    if (!d->writer) return ERR_UNSUPPORTED;
    call->delivery = d;
    call->job = (struct writer_job){ .run = take_all, .done = call_done, .ctx = call };
    return writer_submit(d->writer, &call->job);
}

struct refuse_job {
    const struct intake_request *request;
    struct str reason;
};
static enum err refuse(struct db *db, void *ctx) {
    const struct refuse_job *job = ctx;
    return record_refused(db, job->request, job->reason);
}
enum err delivery_refuse(struct delivery *d, const struct intake_request *r, struct str reason) {
    return delivery_write(d, refuse, &(struct refuse_job){ r, reason });
}

void delivery_stats(struct delivery *d, struct delivery_stats *out) {
    *out = (struct delivery_stats){ d->events, d->again, d->unknown, d->aside };
}

uint64_t delivery_changes(struct delivery *d) {
    return d->noted;
}

enum err delivery_write(struct delivery *d, enum err (*job)(struct db *db, void *ctx), void *ctx) {
    if (!d->writer) return ERR_UNSUPPORTED;
    TRY(writer_run(d->writer, job, ctx));
    d->noted++;
    return ERR_OK;
}

// --- facts anew --------------------------------------------------------------------------------------------

struct remake {
    struct db *db;
    bool remade;
    struct arena arena;
};

static enum err remake_event(void *ctx, int64_t id, const struct intake_request *r) {
    struct remake *m = ctx;
    struct intake in;
    struct err_ctx why = { 0 };
    arena_reset(&m->arena);
    enum err e = intake_read(r, &m->arena, &in, &why);
    if (e == ERR_INVALID || e == ERR_NOT_FOUND) { // an older Takt took what this one does not
        log_warn("facts.event_unread", KV_I64("event", id), KV_Z("why", why.text));
        return ERR_OK;
    }
    for (unsigned i = 0; i < in.n && e == ERR_OK; i++)
        if (in.events[i].known && !in.events[i].aside.len)
            e = fact_apply(m->db, &m->arena, &in.events[i].claims, id, NULL, NULL);
    return e;
}

static enum err remake_all(struct remake *m, void (*progress)(void *ctx, uint64_t done, uint64_t all),
                           void *ctx) {
    uint64_t done = 0;
    int64_t all;
    m->remade = true;
    TRY(fact_clear(m->db));
    TRY(names_fill(m->db));
    TRY(db_number(m->db, "SELECT count(*) FROM event", &all));
    for (int64_t last = 0, before = -1; last != before; done += REPROCESS_STEP) {
        before = last;
        TRY(record_each(m->db, before, REPROCESS_STEP, &last, remake_event, m));
        if (progress) progress(ctx, done < (uint64_t)all ? done : (uint64_t)all, (uint64_t)all);
    }
    TRY(stale_note_all(m->db));
    for (bool left = true; left;) TRY(derive_some(m->db, SETTLE_STEP, &left));
    return ERR_OK;
}

static enum err remake_in_transaction(struct remake *m, bool only_if_changed,
                                      void (*progress)(void *ctx, uint64_t done, uint64_t all), void *ctx) {
    bool changed;
    TRY(fact_tables(m->db, derive_tables, &changed));
    return changed || !only_if_changed ? remake_all(m, progress, ctx) : ERR_OK;
}

// One transaction: readers see the old facts until all the new ones are there, and a process that is
// killed within leaves the old ones. That holds for new tables too: they are never seen empty.
static enum err remake_facts(struct db *db, bool only_if_changed,
                             void (*progress)(void *ctx, uint64_t done, uint64_t all), void *ctx) {
    struct remake m = { .db = db };
    arena_init(&m.arena, EVENT_MEMORY_MAX, NULL);
    enum err e = db_cache(db, REMAKE_CACHE_MIB);
    if (e == ERR_OK) e = db_begin(db);
    if (e == ERR_OK) e = remake_in_transaction(&m, only_if_changed, progress, ctx);
    if (e == ERR_OK) e = db_commit(db);
    if (e != ERR_OK) db_rollback(db);
    arena_fini(&m.arena);
    enum err back = db_cache(db, 0);
    if (e == ERR_OK && m.remade) e = db_fold(db); // all of it went through the log
    return e != ERR_OK ? e : back;
}

struct remake_job {
    void (*progress)(void *ctx, uint64_t done, uint64_t all);
    void *ctx;
};
static enum err run_remake(struct db *db, void *ctx) {
    struct remake_job *job = ctx;
    return remake_facts(db, false, job->progress, job->ctx);
}
enum err delivery_reprocess(struct delivery *d, void (*progress)(void *ctx, uint64_t done, uint64_t all),
                            void *ctx) {
    if (!d->writer) return ERR_UNSUPPORTED;
    return writer_run_alone(d->writer, run_remake, &(struct remake_job){ progress, ctx });
}

// One piece, so that others write between two.
static enum err run_names(struct db *db, void *ctx) {
    return settle_step(db, names_some, NAMES_STEP, ctx);
}
static enum err run_settle(struct db *db, void *ctx) {
    (void)ctx;
    return settle_db(db);
}
enum err delivery_settle(struct delivery *d) {
    uint64_t noted = d->noted, settled = d->settled;
    if (!d->writer || noted == settled) return ERR_OK;
    for (bool left = true; left;) TRY(writer_run_alone(d->writer, run_names, &left));
    TRY(writer_run_alone(d->writer, run_settle, NULL));
    // Another one may have settled more meanwhile; never go back.
    while (settled < noted && !atomic_compare_exchange_weak(&d->settled, &settled, noted)) {}
    return ERR_OK;
}

// --- readers -----------------------------------------------------------------------------------------------

enum err delivery_reader(struct delivery *d, struct db **out) {
    TRY(delivery_settle(d));
    if (!d->writer) { // one connection: its readers take turns
        mutex_lock(&d->lock);
        *out = d->copy;
        return ERR_OK;
    }
    mutex_lock(&d->lock);
    *out = d->n_readers ? d->readers[--d->n_readers] : NULL;
    mutex_unlock(&d->lock);
    struct err_ctx ctx = { 0 };
    return *out ? ERR_OK : db_open(d->path, DB_READ, out, &ctx);
}

void delivery_reader_done(struct delivery *d, struct db *reader) {
    if (!d->writer) {
        mutex_unlock(&d->lock);
        return;
    }
    mutex_lock(&d->lock);
    bool kept = d->n_readers < READERS_KEPT;
    if (kept) d->readers[d->n_readers++] = reader;
    mutex_unlock(&d->lock);
    if (!kept) db_close(reader);
}

// --- facts as they were ------------------------------------------------------------------------------------

static enum err drop_later(struct db *db, int64_t as_of) {
    struct db_row *r;
    TRY(db_prepare(db, "DELETE FROM event WHERE id > ?", &r));
    db_bind_i64(r, 1, as_of);
    return db_done(r);
}

static enum err copy_to_go_back(struct db *db, int64_t as_of, struct db **out, struct err_ctx *ctx) {
    int64_t newest, events, bytes;
    TRY(db_number(db, "SELECT max(id) FROM event", &newest));
    TRY(db_number(db, "SELECT count(*) FROM event", &events));
    TRY(db_number(db, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size", &bytes));
    if (as_of > newest)
        return err_set(ctx, ERR_NOT_FOUND, "there is no event %lld; the newest is %lld", (long long)as_of,
                       (long long)newest);
    if (events > DELIVERY_THEN_EVENTS_MAX || (uint64_t)bytes > DELIVERY_THEN_BYTES_MAX)
        return err_set(
            ctx, ERR_LIMIT,
            "%lld events in %lld MB are too many to make the facts of then again: at most %d in %llu MB",
            (long long)events, (long long)(bytes >> 20), DELIVERY_THEN_EVENTS_MAX,
            DELIVERY_THEN_BYTES_MAX >> 20);
    return db_to_memory(db, out);
}

static enum err go_back(struct delivery *d, int64_t as_of, uint64_t *out_since, struct db **out,
                        struct err_ctx *ctx) {
    struct db *db, *then;
    TRY(delivery_reader(d, &db));
    enum err e = copy_to_go_back(db, as_of, &then, ctx);
    delivery_reader_done(d, db);
    TRY(e);
    e = drop_later(then, as_of);
    uint64_t since = db_changes(then);
    if (e == ERR_OK && since) e = remake_facts(then, false, NULL, NULL);
    if (e != ERR_OK) {
        db_close(then);
        return e;
    }
    *out = then;
    *out_since = since;
    return ERR_OK;
}

enum err delivery_then(struct delivery *d, int64_t as_of, uint64_t *out_since, struct db **out,
                       struct err_ctx *ctx) {
    if (atomic_exchange(&d->then, true))
        return err_set(ctx, ERR_AGAIN, "facts of then are being made for somebody else; try again");
    enum err e = go_back(d, as_of, out_since, out, ctx);
    if (e != ERR_OK) d->then = false;
    return e;
}

void delivery_then_done(struct delivery *d, struct db *then) {
    db_close(then);
    d->then = false;
}

enum err delivery_backup(struct delivery *d, const char *path, void (*progress)(void *ctx, int done, int all),
                         void *ctx) {
    struct db *db;
    TRY(delivery_reader(d, &db));
    enum err e = db_backup(db, path, progress, ctx);
    delivery_reader_done(d, db);
    TRY(e);
    struct err_ctx why = { 0 };
    TRY(db_open(path, DB_READ, &db, &why)); // a copy that nobody has read is a hope
    e = db_check(db, &why);
    db_close(db);
    return e;
}
