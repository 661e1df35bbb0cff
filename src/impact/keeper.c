// SPDX-License-Identifier: Apache-2.0
#include "impact/keeper.h"

#include "base/hash.h"
#include "base/log.h"
#include "impact/onset_record.h"
#include "os/rounds.h"

#define SECOND_NS 1000000000ll
#define LOOK_EVERY_NS (30 * SECOND_NS)
#define LOOK_SOONEST_NS (SECOND_NS / 4)
#define DEADLINE_NS (60 * SECOND_NS)
#define BEFORE_NS (30 * SECOND_NS)    // of a round for incidents: many at once do not hold up verdicts
#define ROLLOUTS_NS (120 * SECOND_NS) // and for rollouts: many at once do not hold up incidents
#define MEMORY_MAX (256ull << 20)
#define LIST_MEMORY_MAX (8ull << 20) // of what is due
enum { WAITING_MAX = 4096 };

struct waiting {  // when a rollout, a change of a flag or an incident is to be looked at next
    uint64_t key; // its hash: two that share one are looked at less often
    int64_t next;
};
struct impact_keeper {
    struct impact_keeper_opts opts;
    struct rounds rounds;
    uint64_t every_ns; // between looks
    struct waiting waiting[WAITING_MAX];
    uint32_t n_waiting;
};

static bool is_stopped(void *ctx) {
    return rounds_stopping(&((struct impact_keeper *)ctx)->rounds);
}

// Of those that were looked at, the longest past makes room.
static struct waiting *waiting_of(struct impact_keeper *k, struct str of) {
    uint64_t key = hash_str(of);
    struct waiting *oldest = &k->waiting[0];
    for (uint32_t i = 0; i < k->n_waiting; i++) {
        if (k->waiting[i].key == key) return &k->waiting[i];
        if (k->waiting[i].next < oldest->next) oldest = &k->waiting[i];
    }
    if (k->n_waiting < WAITING_MAX) oldest = &k->waiting[k->n_waiting++];
    *oldest = (struct waiting){ .key = key };
    return oldest;
}

static enum err load(struct impact_keeper *k, struct arena *a, struct str key, int64_t now,
                     struct impact_ask *ask, bool *found) {
    struct db *db;
    TRY(delivery_reader(k->opts.delivery, &db));
    enum err e = impact_load(db, a, key, now, ask, found);
    delivery_reader_done(k->opts.delivery, db);
    return e;
}

static struct impact_source source_of(struct impact_keeper *k) {
    return (struct impact_source){ .view = k->opts.take(k->opts.ctx),
                                   .bounds = { .clock = k->opts.clock,
                                               .deadline_ns = clock_mono_ns(k->opts.clock) + DEADLINE_NS,
                                               .memory_max = MEMORY_MAX,
                                               .canceled = is_stopped,
                                               .canceled_ctx = k } };
}

static enum err compute(struct impact_keeper *k, struct arena *a, const struct impact_ask *ask) {
    struct impact_report report;
    struct err_ctx ctx = { 0 };
    struct impact_source src = source_of(k);
    enum err e = impact_compute(a, &src, ask, &report, &ctx);
    k->opts.give(src.view);
    if (e != ERR_OK) return e;
    if (report.phase == IMPACT_NO_PHASE && !report.final && !report.weight.all)
        return ERR_OK; // nothing is known, not even that little is
    log_info("impact.verdict", KV_STR("rollout", ask->rollout), KV_STR("flag", ask->flag),
             KV_STR("service", report.ask->of.service), KV_Z("verdict", impact_verdict_text(report.verdict)),
             KV_STR("evidence", report.evidence));
    return impact_record(k->opts.delivery, &report);
}

// Is it time? Then the next one is set: when half its age more has passed, and at the age of the last one.
static bool is_due(struct impact_keeper *k, struct str key, int64_t started, int64_t last, int64_t now) {
    struct waiting *w = waiting_of(k, key);
    if (w->next > now) return false;
    int64_t age = now - started;
    w->next = now + (age / 2 > k->opts.after_ns ? age / 2 : k->opts.after_ns);
    if (age < last && w->next > started + last) w->next = started + last;
    return true;
}

static void warn_of(struct str key, enum err e) {
    if (e != ERR_OK && e != ERR_CANCELED)
        log_warn("impact.not_computed", KV_STR("of", key), KV_Z("error", err_text(e)));
}

static void look_at(struct impact_keeper *k, const struct impact_due *due, int64_t now) {
    struct impact_ask ask;
    struct arena a;
    bool found = false;
    if (!is_due(k, due->key, due->started, IMPACT_DAY_NS, now)) return;
    arena_init(&a, MEMORY_MAX, NULL);
    enum err e = load(k, &a, due->key, now, &ask, &found);
    if (e == ERR_OK && found) e = compute(k, &a, &ask);
    warn_of(due->key, e);
    arena_fini(&a);
}

static enum err compute_onset(struct impact_keeper *k, struct arena *a, const struct onset_ask *ask) {
    struct onset found;
    struct err_ctx ctx = { 0 };
    struct impact_source src = source_of(k);
    enum err e = onset_compute(a, &src, ask, &found, &ctx);
    k->opts.give(src.view);
    if (e != ERR_OK) return e;
    if (!found.began && !found.final) return ERR_OK; // more may come
    log_info("impact.onset", KV_STR("incident", ask->incident), KV_STR("service", ask->of.service),
             KV_STR("evidence", found.evidence));
    return onset_record(k->opts.delivery, ask, &found);
}

static void look_before(struct impact_keeper *k, const struct onset_ask *due) {
    struct onset_ask ask = *due;
    struct arena a;
    if (!is_due(k, due->incident, due->detected, ONSET_FINAL_NS, due->now)) return;
    arena_init(&a, MEMORY_MAX, NULL);
    enum err e = impact_find_names(k->opts.delivery, &a, &ask.of);
    if (e == ERR_OK) e = compute_onset(k, &a, &ask);
    warn_of(due->incident, e);
    arena_fini(&a);
}

// Pages of what is due, the newest first: however many there are, none waits for ever.
struct paging {
    struct arena a;
    struct impact_due_ask ask;
    char key[FACT_KEY_MAX];
};
static void paging_init(struct impact_keeper *k, struct paging *p) {
    *p = (struct paging){ .ask = { .now = (int64_t)clock_unix_ns(k->opts.clock),
                                   .after = k->opts.after_ns,
                                   .past = { .time = INT64_MAX } } };
    arena_init(&p->a, LIST_MEMORY_MAX, NULL);
}
// Is there another page behind one that ends like this? Its memory is given back.
static bool paging_next(struct impact_keeper *k, struct paging *p, uint32_t n, int64_t time, struct str key) {
    if (n < IMPACT_DUE_MAX || rounds_stopping(&k->rounds)) return false;
    size_t len = key.len < sizeof p->key ? key.len : sizeof p->key;
    memcpy(p->key, key.ptr, len);
    p->ask.past = (struct impact_place){ time, { p->key, len } };
    arena_reset(&p->a);
    return true;
}

static enum err list_impacts(struct impact_keeper *k, struct paging *p, struct impact_due **out,
                             uint32_t *out_n) {
    struct db *db;
    TRY(delivery_reader(k->opts.delivery, &db));
    enum err e = impact_list_due(db, &p->a, &p->ask, out, out_n);
    delivery_reader_done(k->opts.delivery, db);
    return e;
}
static enum err list_onsets(struct impact_keeper *k, struct paging *p, struct onset_ask **out,
                            uint32_t *out_n) {
    struct db *db;
    TRY(delivery_reader(k->opts.delivery, &db));
    enum err e = onset_list_due(db, &p->a, &p->ask, out, out_n);
    delivery_reader_done(k->opts.delivery, db);
    return e;
}
static void warn_of_list(enum err e) {
    if (e != ERR_OK) log_warn("impact.not_listed", KV_Z("error", err_text(e)));
}

static void look_at_all(struct impact_keeper *k) {
    struct paging p;
    struct impact_due *due;
    uint32_t n;
    enum err e;
    uint64_t until = clock_mono_ns(k->opts.clock) + ROLLOUTS_NS;
    bool has_time = true;
    paging_init(k, &p);
    do {
        e = list_impacts(k, &p, &due, &n);
        for (uint32_t i = 0; e == ERR_OK && i < n && has_time && !rounds_stopping(&k->rounds); i++) {
            has_time = clock_mono_ns(k->opts.clock) < until; // they are still due in the next round
            if (has_time) look_at(k, &due[i], p.ask.now);
        }
    } while (e == ERR_OK && n && has_time && paging_next(k, &p, n, due[n - 1].started, due[n - 1].key));
    warn_of_list(e);
    arena_fini(&p.a);
}

static void look_before_all(struct impact_keeper *k) {
    struct paging p;
    struct onset_ask *due;
    uint32_t n;
    enum err e;
    uint64_t until = clock_mono_ns(k->opts.clock) + BEFORE_NS;
    bool has_time = true;
    paging_init(k, &p);
    do {
        e = list_onsets(k, &p, &due, &n);
        for (uint32_t i = 0; e == ERR_OK && i < n && has_time && !rounds_stopping(&k->rounds); i++) {
            has_time = clock_mono_ns(k->opts.clock) < until; // they are still due in the next round
            if (has_time) look_before(k, &due[i]);
        }
    } while (e == ERR_OK && n && has_time && paging_next(k, &p, n, due[n - 1].detected, due[n - 1].incident));
    warn_of_list(e);
    arena_fini(&p.a);
}

static uint64_t look(void *ctx) {
    struct impact_keeper *k = ctx;
    look_at_all(k);
    look_before_all(k);
    return k->every_ns;
}

static uint64_t every(int64_t after_ns) {
    int64_t half = after_ns / 2;
    return (uint64_t)(half > LOOK_EVERY_NS ? LOOK_EVERY_NS : half < LOOK_SOONEST_NS ? LOOK_SOONEST_NS : half);
}

enum err impact_keeper_start(const struct impact_keeper_opts *o, struct impact_keeper **out) {
    struct impact_keeper *k = mem_zalloc(sizeof *k);
    *out = NULL;
    if (!k) return ERR_NOMEM;
    k->opts = *o;
    k->every_ns = every(o->after_ns);
    enum err e = rounds_start(&k->rounds, "takt-impact", k->every_ns, look, k);
    if (e == ERR_OK)
        *out = k;
    else
        impact_keeper_stop(k);
    return e;
}

void impact_keeper_stop(struct impact_keeper *k) {
    if (!k) return;
    rounds_stop(&k->rounds);
    mem_free(k);
}
