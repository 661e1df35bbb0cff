// SPDX-License-Identifier: Apache-2.0
#include "impact/sample.h"

#include "impact/sampling.h"
#include "impact/scan_internal.h"
#include "stats/rate.h"

#define HOUR_NS (3600 * 1000000000ll)
#define DRIFT_SHARE 0.2 // of the evaluations: so much more or less than the other instances
#define DRIFT_P 1e-4    // by chance, of all instances of a flag together
// Of what comes first; further ones are not judged.
enum { SERVICES_MAX = 256, TOLD_MAX = 256, FLAGS_MAX = 64, VARIANTS_MAX = 8, INSTANCES_MAX = 64 };
enum {
    EVALUATIONS_MIN = 20, // of an instance
    NAMES_MIN = 200,      // spans of a service whose names are counted
    REPORTED_MAX = 200,   // rollouts of a service
    NAME_BYTES_MAX = 256  // bytes of what names a service, a version, a flag, a variant or an instance
};

static const char *const fields[] = {
    "span:id",
    "span:parentID",
    "resource.service.name",
    "span:traceState",
    "status",
    "name",
    "resource.service.instance.id",
    "resource.k8s.pod.name",
    "span.feature_flag.key",
    "span.feature_flag.result.variant",
    "event.feature_flag.key",
    "event.feature_flag.result.variant",
    "resource.service.version",
};
enum {
    F_ID,
    F_PARENT,
    F_SERVICE,
    F_TRACE_STATE,
    F_STATUS,
    F_NAME,
    F_INSTANCE,
    F_POD,
    F_FLAG,
    F_VARIANT,
    F_EVENT_FLAG,
    F_EVENT_VARIANT,
    F_VERSION,
    F_COUNT
};

struct service { // of spans
    struct str name;
    uint64_t spans, names, pairs, early;
    bool tells_version;
};
struct span {
    uint64_t hash, parent; // of trace and span id; parent 0: it is a root
    uint64_t start;
    uint32_t service;
};
struct flag {
    struct str key, variants[VARIANTS_MAX], instances[INSTANCES_MAX];
    uint32_t n_variants, n_instances;
    uint64_t of[INSTANCES_MAX][VARIANTS_MAX];
};
struct version { // that spans tell
    uint32_t service;
    struct str name;
    bool is_ours, reported; // its service has rollouts; one of them is of it
};
struct sample {
    struct arena *a;
    struct world *out;
    struct service services[SERVICES_MAX + 1]; // the last: all further ones
    uint32_t n_services;
    struct span *spans;
    struct map by_id, names; // of spans, and of service and name: only hashes are compared
    uint64_t *name_hashes;
    uint32_t n, n_names;
    struct flag *flags;
    uint32_t n_flags;
    struct version versions[TOLD_MAX];
    uint32_t n_versions;
};

static uint32_t number_in(struct arena *a, struct str *list, uint32_t *n, uint32_t most, struct str s) {
    for (uint32_t i = 0; i < *n; i++)
        if (str_eq(list[i], s)) return i;
    if (*n == most) return most;
    list[*n] = str_dup(a, s);
    return (*n)++;
}

static bool is_name(struct str s) {
    return s.len && s.len <= NAME_BYTES_MAX;
}

static uint32_t service_of(struct sample *s, struct str name) {
    for (uint32_t i = 0; i < s->n_services; i++)
        if (str_eq(s->services[i].name, name)) return i;
    if (s->n_services == SERVICES_MAX || name.len > NAME_BYTES_MAX) return SERVICES_MAX;
    s->services[s->n_services].name = str_dup(s->a, name);
    return s->n_services++;
}

// --- spans -------------------------------------------------------------------------------------------------

static uint64_t id_hash(const uint8_t trace[16], struct str id) {
    uint8_t key[24] = { 0 };
    memcpy(key, trace, 16);
    memcpy(key + 16, id.ptr, id.len < 8 ? id.len : 8);
    return hash_xxh64(key, sizeof key) | 1; // 0 is none
}
static uint64_t span_hash(const void *ctx, uint32_t i) {
    return ((const struct sample *)ctx)->spans[i].hash;
}
static bool span_eq(const void *ctx, uint32_t i, const void *key) {
    return ((const struct sample *)ctx)->spans[i].hash == *(const uint64_t *)key;
}
static uint64_t name_hash(const void *ctx, uint32_t i) {
    return ((const struct sample *)ctx)->name_hashes[i];
}
static bool name_eq(const void *ctx, uint32_t i, const void *key) {
    return ((const struct sample *)ctx)->name_hashes[i] == *(const uint64_t *)key;
}

static enum err take_name(struct sample *s, struct service *of, struct str name) {
    uint64_t hash = hash_xxh64(name.ptr, name.len) ^ hash_u64((uint64_t)(of - s->services) + 1);
    of->spans++;
    if (map_get(&s->names, hash, name_eq, s, &hash) != MAP_NONE) return ERR_OK;
    s->name_hashes[s->n_names] = hash;
    TRY(map_put(&s->names, hash, s->n_names++, name_hash, s));
    of->names++;
    return ERR_OK;
}

static void take_weight(struct world *w, double weight, bool error) {
    if (weight == 0) return;
    w->kept_errors.n++;
    w->kept_errors.k += error;
    w->all_before += weight;
    w->errors_before += error ? weight : 0;
}

static void take_flag(struct sample *s, struct str key, struct str variant, struct str instance) {
    struct flag *f = NULL;
    if (!is_name(key) || !is_name(variant) || !is_name(instance)) return;
    for (uint32_t i = 0; i < s->n_flags && !f; i++)
        if (str_eq(s->flags[i].key, key)) f = &s->flags[i];
    if (!f && s->n_flags == FLAGS_MAX) return;
    if (!f) {
        f = &s->flags[s->n_flags++];
        f->key = str_dup(s->a, key);
    }
    uint32_t i = number_in(s->a, f->instances, &f->n_instances, INSTANCES_MAX, instance);
    uint32_t v = number_in(s->a, f->variants, &f->n_variants, VARIANTS_MAX, variant);
    if (i < INSTANCES_MAX && v < VARIANTS_MAX) f->of[i][v]++;
}

static void take_version(struct sample *s, uint32_t service, struct str name) {
    if (!is_name(name) || service == SERVICES_MAX || s->n_versions == TOLD_MAX) return;
    for (uint32_t i = 0; i < s->n_versions; i++)
        if (s->versions[i].service == service && str_eq(s->versions[i].name, name)) return;
    s->versions[s->n_versions++] = (struct version){ .service = service, .name = str_dup(s->a, name) };
    s->services[service].tells_version = true;
}

static enum err take(void *ctx, const struct visit_span *x) {
    struct sample *s = ctx;
    const struct value *v = x->values;
    if (s->n == SAMPLE_SPANS_MAX) return ERR_EXISTS; // enough
    uint32_t service = service_of(s, scan_text(&v[F_SERVICE]));
    struct str parent = scan_text(&v[F_PARENT]), instance = scan_first(&v[F_INSTANCE], &v[F_POD]);
    struct span *span = &s->spans[s->n];
    *span = (struct span){ .hash = id_hash(x->trace_id, scan_text(&v[F_ID])),
                           .parent = parent.len ? id_hash(x->trace_id, parent) : 0,
                           .start = x->start_ns,
                           .service = service };
    if (map_get(&s->by_id, span->hash, span_eq, s, &span->hash) != MAP_NONE) return ERR_OK; // it came twice
    TRY(map_put(&s->by_id, span->hash, s->n, span_hash, s));
    s->n++;
    TRY(take_name(s, &s->services[service], scan_text(&v[F_NAME])));
    take_version(s, service, scan_text(&v[F_VERSION]));
    take_weight(s->out, sampling_weight(scan_text(&v[F_TRACE_STATE])), scan_is_error(&v[F_STATUS]));
    take_flag(s, scan_text(&v[F_FLAG]), scan_text(&v[F_VARIANT]), instance);
    take_flag(s, scan_text(&v[F_EVENT_FLAG]), scan_text(&v[F_EVENT_VARIANT]), instance);
    return s->a->failed ? ERR_NOMEM : ERR_OK;
}

// --- what they show ----------------------------------------------------------------------------------------

static void pair_up(struct sample *s) {
    for (uint32_t i = 0; i < s->n; i++) {
        const struct span *child = &s->spans[i];
        uint32_t at =
            child->parent ? map_get(&s->by_id, child->parent, span_eq, s, &child->parent) : MAP_NONE;
        if (at == MAP_NONE) continue;
        s->services[child->service].pairs++;
        s->services[child->service].early += child->start + SAMPLE_EARLY_NS < s->spans[at].start;
    }
}

// The worst is that of which most surely so many are so.
static void note_worst(struct finding_name *worst, double *least, struct str name, uint64_t k, uint64_t n) {
    double lo = rate_wilson((struct rate){ k, n }, 0.95).lo;
    if (n == 0 || (worst->share.n && lo <= *least)) return;
    *least = lo;
    *worst = (struct finding_name){ name, { k, n } };
}

// An instance against all the others together, for each variant.
static bool drifts(const struct flag *f, uint32_t *out_instance, uint32_t *out_variant) {
    uint64_t of_variant[VARIANTS_MAX] = { 0 }, of_instance[INSTANCES_MAX] = { 0 }, all = 0;
    for (uint32_t i = 0; i < f->n_instances; i++)
        for (uint32_t v = 0; v < f->n_variants; v++) {
            of_variant[v] += f->of[i][v];
            of_instance[i] += f->of[i][v];
            all += f->of[i][v];
        }
    for (uint32_t i = 0; i < f->n_instances; i++)
        for (uint32_t v = 0; v < f->n_variants; v++) {
            struct rate here = { f->of[i][v], of_instance[i] },
                        there = { of_variant[v] - here.k, all - here.n };
            if (here.n < EVALUATIONS_MIN || there.n < EVALUATIONS_MIN) continue;
            double more = (double)here.k / (double)here.n - (double)there.k / (double)there.n;
            *out_instance = i;
            *out_variant = v;
            if (fabs(more) > DRIFT_SHARE &&
                rate_test(there, here).p < DRIFT_P / (f->n_instances * f->n_variants))
                return true;
        }
    return false;
}
static bool is_spread(const struct flag *f) { // over instances with enough evaluations
    uint32_t n = 0;
    for (uint32_t i = 0; i < f->n_instances; i++) {
        uint64_t all = 0;
        for (uint32_t v = 0; v < f->n_variants; v++) all += f->of[i][v];
        n += all >= EVALUATIONS_MIN;
    }
    return n >= 2;
}
static void judge_flags(struct sample *s) {
    struct finding_name *d = &s->out->drift;
    for (uint32_t i = 0; i < s->n_flags; i++) {
        const struct flag *f = &s->flags[i];
        uint32_t instance = 0, variant = 0;
        if (!is_spread(f)) continue;
        d->share.n++;
        if (!drifts(f, &instance, &variant) || d->share.k++) continue;
        d->text = str_fmt(s->a, "%.*s gives %.*s another share of %.*s than the other instances",
                          STR_ARG(f->key), STR_ARG(f->instances[instance]), STR_ARG(f->variants[variant]));
    }
}

static void conclude(struct sample *s) {
    double least_names = 0, least_early = 0;
    pair_up(s);
    for (uint32_t i = 0; i < s->n_services; i++) {
        const struct service *x = &s->services[i];
        if (x->spans >= NAMES_MIN) note_worst(&s->out->names, &least_names, x->name, x->names, x->spans);
        note_worst(&s->out->early, &least_early, x->name, x->early, x->pairs);
    }
    judge_flags(s);
}

// --- against what was reported -----------------------------------------------------------------------------

static void note_rollout(struct sample *s, uint32_t service, struct db_row *r) {
    for (uint32_t i = 0; i < s->n_versions; i++) {
        struct version *v = &s->versions[i];
        if (v->service != service) continue;
        v->is_ours = true;
        for (int k = 0; k < 3; k++) v->reported |= impact_same_version(db_text(r, k), v->name);
    }
}

// The last rollouts of a service, whatever spans call it; once for all its versions.
static enum err read_rollouts(struct sample *s, struct db *db, uint32_t service) {
    struct db_row *r;
    TRY(db_prepare(
        db,
        "SELECT version, sha, digest FROM rollout WHERE service = "
        "ifnull((SELECT service FROM catalogue_name WHERE name = ?1), ?1) AND change_kind = 'service' "
        "ORDER BY coalesce(finished_at, started_at) DESC LIMIT ?2",
        &r));
    db_bind_text(r, 1, s->services[service].name);
    db_bind_i64(r, 2, REPORTED_MAX);
    for (bool row;;) {
        TRY(db_step(r, &row));
        if (!row) return ERR_OK;
        note_rollout(s, service, r);
    }
}

static enum err judge_versions(struct sample *s, struct db *db) {
    struct finding_name *u = &s->out->unreported;
    for (uint32_t i = 0; i < s->n_services; i++)
        if (s->services[i].tells_version) TRY(read_rollouts(s, db, i));
    for (uint32_t i = 0; i < s->n_versions; i++) {
        const struct version *v = &s->versions[i];
        u->share.n += v->is_ours;
        if (!v->is_ours || v->reported || u->share.k++) continue;
        u->text = str_fmt(s->a, "%.*s %.*s", STR_ARG(s->services[v->service].name), STR_ARG(v->name));
    }
    return ERR_OK;
}
static enum err read_reported(struct sample *s, struct delivery *d) {
    struct db *db;
    TRY(delivery_reader(d, &db));
    enum err e = judge_versions(s, db);
    delivery_reader_done(d, db);
    return e;
}

static enum err read_spans(struct sample *s, const struct impact_source *src, int64_t now,
                           struct err_ctx *ctx) {
    struct visit q = { .fields = fields, .n_fields = F_COUNT, .each = take, .ctx = s };
    struct visit_answer answer;
    struct impact_source alone = *src;
    struct buf filter;
    alone.bounds.crew = NULL; // helpers would make it a matter of luck which spans are the first
    buf_init(&filter, 64);
    buf_str(&filter, STR("{ }"));
    enum err e = scan_visit(&alone, &filter, (struct impact_window){ now - HOUR_NS, now }, &q, &answer, ctx);
    buf_fini(&filter);
    if (e == ERR_EXISTS && s->n == SAMPLE_SPANS_MAX) return ERR_OK;
    return e == ERR_OK && answer.partial ? err_set(ctx, ERR_TIMEOUT, "%s", answer.why) : e;
}

enum err sample_read(struct arena *a, struct delivery *d, const struct impact_source *src, int64_t now,
                     struct world *out, struct err_ctx *ctx) {
    struct sample *s = ARENA_NEW(a, struct sample);
    if (!s) return ERR_NOMEM;
    *s = (struct sample){ .a = a,
                          .out = out,
                          .spans = ARENA_ARRAY(a, SAMPLE_SPANS_MAX, struct span),
                          .name_hashes = ARENA_ARRAY(a, SAMPLE_SPANS_MAX, uint64_t),
                          .flags = ARENA_ARRAY(a, FLAGS_MAX, struct flag) };
    if (!s->spans || !s->name_hashes || !s->flags) return ERR_NOMEM;
    memset(s->flags, 0, FLAGS_MAX * sizeof *s->flags);
    map_init(&s->by_id, SAMPLE_SPANS_MAX);
    map_init(&s->names, SAMPLE_SPANS_MAX);
    enum err e = read_spans(s, src, now, ctx);
    if (e == ERR_OK) conclude(s);
    if (e == ERR_OK) e = read_reported(s, d);
    map_fini(&s->by_id);
    map_fini(&s->names);
    return e == ERR_OK && a->failed ? ERR_NOMEM : e;
}
