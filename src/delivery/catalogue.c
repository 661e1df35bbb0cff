// SPDX-License-Identifier: Apache-2.0
#include "delivery/catalogue.h"

#include <stdlib.h>

#include "base/yaml.h"
#include "delivery/rollback.h"
#include "vcs/repo.h"

static const char *const tiers[] = { "production", "staging", "testing", "development", "other" };

// --- keys and texts ----------------------------------------------------------------------------------------

static void check_keys(struct doc d, const char *const *known, size_t n) {
    if (d.node->kind == JSON_NULL) return; // "shop:" with nothing behind it
    for (struct doc c = doc_first(doc_object(d, "")); c.node; c = doc_next(c)) {
        bool found = false;
        for (size_t i = 0; i < n; i++) found |= str_eq(c.node->key, str_of(known[i]));
        if (!found) doc_fail(c, "", "there is no such key");
    }
}
#define CHECK_KEYS(d, ...) \
    do { \
        static const char *const keys_[] = { __VA_ARGS__ }; \
        check_keys((d), keys_, sizeof keys_ / sizeof *keys_); \
    } while (0)

static bool is_plain(struct str s) {
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f) return false;
    return true;
}

static struct str checked(struct doc d, const char *path, struct str s) {
    if (s.len > CATALOGUE_TEXT_MAX)
        doc_fail(d, path, "longer than %d bytes", CATALOGUE_TEXT_MAX);
    else if (!is_plain(s))
        doc_fail(d, path, "expected text without control characters");
    return s;
}

static struct str take_text(struct doc d, const char *path) {
    return checked(d, path, doc_text(d, path));
}

static struct str take_name(struct doc d) {
    struct str name = checked(d, "", d.node->key);
    if (!name.len) doc_fail(d, "", "a name is missing");
    return name;
}

static struct str take_rollback(struct doc d) {
    struct err_ctx why = { 0 };
    struct str template = doc_text(d, "rollback");
    if (doc_has(d, "rollback") && rollback_check(template, &why) != ERR_OK)
        doc_fail(d, "rollback", "%s", why.text);
    return template;
}

// --- lists -------------------------------------------------------------------------------------------------

static struct str as_is(struct doc d, struct str s) {
    (void)d;
    return s;
}

static struct str repository_of(struct doc d, struct str s) {
    struct str out = { 0 };
    if (!repo_url_normalise(d.of->arena, s, &out)) return s; // a path: the name of a repository on this disk
    return out;
}

// Without slashes at the ends.
static struct str path_of(struct doc d, struct str s) {
    while (str_starts(s, STR("./"))) s = str_sub(s, 2, s.len);
    while (s.len && s.ptr[0] == '/') s = str_sub(s, 1, s.len);
    while (s.len && s.ptr[s.len - 1] == '/') s.len--;
    if (str_find(s, '*') >= 0)
        doc_fail(d, "", "expected a folder or a file, not a pattern");
    else if (!s.len)
        doc_fail(d, "", "the whole repository needs no path");
    return s;
}

static struct catalogue_list take_list(struct doc d, const char *path,
                                       struct str (*made)(struct doc d, struct str s)) {
    struct catalogue_list out = { 0 };
    struct doc list = doc_array(d, path);
    if (!list.node) return out;
    if (list.node->n > CATALOGUE_LIST_MAX) {
        doc_fail(list, "", "more than %d values", CATALOGUE_LIST_MAX);
        return out;
    }
    out.items = ARENA_ARRAY(d.of->arena, list.node->n + 1u, struct str);
    if (!out.items) return out;
    for (struct doc c = doc_first(list); c.node; c = doc_next(c)) {
        struct str s = take_text(c, "");
        if (!s.len) doc_fail(c, "", "missing or empty");
        out.items[out.n++] = made(c, s);
    }
    return out;
}

static struct str tier_of(struct doc d) {
    struct str text = take_text(d, "");
    for (size_t i = 0; i < sizeof tiers / sizeof *tiers; i++)
        if (str_eq(text, str_of(tiers[i]))) return str_of(tiers[i]);
    doc_fail(d, "", "there are production, staging, testing, development and other");
    return STR("other");
}

static struct catalogue_environments take_environments(struct doc d) {
    struct catalogue_environments out = { 0 };
    struct doc map = doc_object(d, "environments");
    if (!map.node) return out;
    if (map.node->n > CATALOGUE_LIST_MAX) {
        doc_fail(map, "", "more than %d values", CATALOGUE_LIST_MAX);
        return out;
    }
    out.items = ARENA_ARRAY(d.of->arena, map.node->n + 1u, struct catalogue_environment);
    if (!out.items) return out;
    for (struct doc c = doc_first(map); c.node; c = doc_next(c))
        out.items[out.n++] =
            (struct catalogue_environment){ str_dup_lower(d.of->arena, take_name(c)), tier_of(c) };
    return out;
}

// A list of names, or names with the environment that each says.
static struct catalogue_names take_names(struct doc d) {
    struct catalogue_names out = { 0 };
    struct doc all = doc_at(d, "names");
    if (!all.node || all.node->kind == JSON_NULL) return out;
    bool list = all.node->kind == JSON_ARRAY;
    if (!list && all.node->kind != JSON_OBJECT)
        doc_fail(all, "", "expected a list of names, or names with their environments");
    else if (all.node->n > CATALOGUE_LIST_MAX)
        doc_fail(all, "", "more than %d values", CATALOGUE_LIST_MAX);
    if (d.of->err != ERR_OK) return out;
    out.items = ARENA_ARRAY(d.of->arena, all.node->n + 1u, struct catalogue_name);
    if (!out.items) return out;
    for (struct doc c = doc_first(all); c.node; c = doc_next(c)) {
        struct str name = list ? take_text(c, "") : take_name(c);
        struct str environment = list || c.node->kind == JSON_NULL ? STR("") : take_text(c, "");
        if (!name.len) doc_fail(c, "", "missing or empty");
        out.items[out.n++] = (struct catalogue_name){ name, str_dup_lower(d.of->arena, environment) };
    }
    return out;
}

// --- targets -----------------------------------------------------------------------------------------------

// "90s", "12h", "1d", "5 %", or a number in the measure's own unit.
static bool number_of(struct str text, enum measure_kind kind, double *out) {
    static const struct {
        const char *unit;
        double factor;
        enum measure_kind kind;
    } units[] = { { "s", 1, MEASURE_TIME },      { "min", 60, MEASURE_TIME },  { "m", 60, MEASURE_TIME },
                  { "h", 3600, MEASURE_TIME },   { "d", 86400, MEASURE_TIME }, { "%", .01, MEASURE_RATE },
                  { "w", 604800, MEASURE_TIME }, { "", 1, MEASURE_KIND_COUNT } };
    size_t n = json_number_len(text);
    struct str unit = str_trim(str_sub(text, n, text.len));
    if (!n || !json_f64(str_sub(text, 0, n), out)) return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (!str_eq(unit, str_of(units[i].unit))) continue;
        *out *= units[i].factor;
        return units[i].kind == MEASURE_KIND_COUNT || units[i].kind == kind;
    }
    return false;
}

static double bound_of(struct doc d, enum measure_kind kind) {
    double v = 0;
    bool text = d.node->kind == JSON_STRING || d.node->kind == JSON_NUMBER;
    if (!text || !number_of(d.node->text, kind, &v) || !(v > 0) || (kind == MEASURE_RATE && v > 1))
        doc_fail(d, "", "expected %s",
                 kind == MEASURE_TIME   ? "a time such as 12h, 30min or 2d"
                 : kind == MEASURE_RATE ? "a share such as 5% or 0.05"
                                        : "a number above 0");
    return v;
}

static double target_of(struct doc d, const struct measure_info *m) {
    if (d.node->kind == JSON_OBJECT) {
        struct doc most = doc_at(d, "at_most"), least = doc_at(d, "at_least");
        CHECK_KEYS(d, "at_most", "at_least");
        if (!most.node == !least.node) {
            doc_fail(d, "", "expected one of at_most and at_least");
            return 0;
        }
        return most.node ? bound_of(most, m->kind) : -bound_of(least, m->kind);
    }
    double v = bound_of(d, m->kind);
    if (m->target == 0 && m->kind != MEASURE_TIME) doc_fail(d, "", "say whether it is at_most or at_least");
    return m->target < 0 ? -v : v;
}

static struct catalogue_targets take_targets(struct doc d) {
    struct catalogue_targets out = { 0 };
    struct doc map = doc_object(d, "targets");
    if (!map.node) return out;
    if (map.node->n > MEASURE_COUNT) {
        doc_fail(map, "", "more than there are measures");
        return out;
    }
    out.items = ARENA_ARRAY(d.of->arena, MEASURE_COUNT, struct catalogue_target);
    if (!out.items) return out;
    for (struct doc c = doc_first(map); c.node; c = doc_next(c)) {
        enum measure m;
        if (!measure_of(c.node->key, &m))
            doc_fail(c, "", "there is no such measure");
        else
            out.items[out.n++] = (struct catalogue_target){ m, target_of(c, measure_info(m)) };
    }
    return out;
}

// --- services ----------------------------------------------------------------------------------------------

static struct catalogue_service take_service(struct doc d, struct str name) {
    int64_t tier;
    CHECK_KEYS(d, "owner", "team", "tier", "product", "repositories", "paths", "environments", "names",
               "runbook", "rollback", "on_call", "depends_on", "targets");
    if (doc_i64(d, "tier", &tier) && (tier < 1 || tier > CATALOGUE_TIER_MAX))
        doc_fail(d, "tier", "expected 1 (the most important) to %d", CATALOGUE_TIER_MAX);
    return (struct catalogue_service){ .name = name,
                                       .owner = take_text(d, "owner"),
                                       .team = take_text(d, "team"),
                                       .product = take_text(d, "product"),
                                       .runbook = take_text(d, "runbook"),
                                       .rollback = take_rollback(d),
                                       .on_call = take_text(d, "on_call"),
                                       .tier = (uint32_t)tier,
                                       .repositories = take_list(d, "repositories", repository_of),
                                       .paths = take_list(d, "paths", path_of),
                                       .depends_on = take_list(d, "depends_on", as_is),
                                       .environments = take_environments(d),
                                       .names = take_names(d),
                                       .targets = take_targets(d) };
}

static int by_service(const void *a, const void *b) {
    return str_cmp(((const struct catalogue_service *)a)->name, ((const struct catalogue_service *)b)->name);
}
static int by_team(const void *a, const void *b) {
    return str_cmp(((const struct catalogue_team *)a)->name, ((const struct catalogue_team *)b)->name);
}

static void take_services(struct doc root, struct catalogue *out) {
    struct doc map = doc_object(root, "services");
    uint32_t n = map.node ? map.node->n : 0;
    if (n > CATALOGUE_SERVICES_MAX) {
        doc_fail(map, "", "more than %d", CATALOGUE_SERVICES_MAX);
        return;
    }
    out->services = ARENA_ARRAY(root.of->arena, n + 1, struct catalogue_service);
    for (struct doc c = doc_first(map); c.node && out->services; c = doc_next(c)) {
        out->services[out->n_services++] = take_service(c, take_name(c));
    }
    if (out->n_services) qsort(out->services, out->n_services, sizeof *out->services, by_service);
    for (uint32_t i = 1; i < out->n_services; i++) // JSON lets a name come twice
        if (str_eq(out->services[i - 1].name, out->services[i].name))
            doc_fail(map, "", "\"%.*s\" comes twice", STR_ARG(str_sub(out->services[i].name, 0, 60)));
}

static void take_teams(struct doc root, struct catalogue *out) {
    struct doc map = doc_object(root, "teams");
    uint32_t n = map.node ? map.node->n : 0;
    if (n > CATALOGUE_SERVICES_MAX) {
        doc_fail(map, "", "more than %d", CATALOGUE_SERVICES_MAX);
        return;
    }
    out->teams = ARENA_ARRAY(root.of->arena, n + 1, struct catalogue_team);
    for (struct doc c = doc_first(map); c.node && out->teams; c = doc_next(c)) {
        CHECK_KEYS(c, "targets");
        out->teams[out->n_teams++] = (struct catalogue_team){ take_name(c), take_targets(c) };
    }
    if (out->n_teams) qsort(out->teams, out->n_teams, sizeof *out->teams, by_team);
    for (uint32_t i = 1; i < out->n_teams; i++)
        if (str_eq(out->teams[i - 1].name, out->teams[i].name))
            doc_fail(map, "", "\"%.*s\" comes twice", STR_ARG(str_sub(out->teams[i].name, 0, 60)));
}

static int by_name(const void *a, const void *b) {
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

// A name is of one service, and none of the services' own.
static void check_names(struct doc root, const struct catalogue *c) {
    uint32_t n = c->n_services, at = 0;
    for (uint32_t i = 0; i < c->n_services; i++) n += c->services[i].names.n;
    struct str *all = ARENA_ARRAY(root.of->arena, n + 1u, struct str);
    if (!all) return;
    for (uint32_t i = 0; i < c->n_services; i++) {
        all[at++] = c->services[i].name;
        for (uint32_t k = 0; k < c->services[i].names.n; k++) all[at++] = c->services[i].names.items[k].name;
    }
    if (n) qsort(all, n, sizeof *all, by_name);
    for (uint32_t i = 1; i < n; i++)
        if (str_eq(all[i - 1], all[i])) {
            doc_fail(root, "services", "\"%.*s\" is the name of two services",
                     STR_ARG(str_sub(all[i], 0, 60)));
            return;
        }
}

enum err catalogue_read(struct document *d, struct catalogue *out) {
    struct doc root = doc_root(d);
    *out = (struct catalogue){ 0 };
    CHECK_KEYS(root, "services", "teams", "environments");
    take_services(root, out);
    check_names(root, out);
    take_teams(root, out);
    out->environments = take_environments(root);
    return document_end(d);
}

enum err catalogue_read_service(struct document *d, struct str name, struct catalogue_service *out) {
    struct doc root = doc_root(d);
    checked(root, "", name);
    if (root.node->kind != JSON_OBJECT) doc_fail(root, "", "expected an object");
    *out = take_service(root, name);
    return document_end(d);
}

enum err catalogue_read_yaml(struct str text, const char *file, struct arena *a, struct catalogue *out,
                             struct err_ctx *ctx) {
    struct document d;
    TRY(yaml_read(text, file, a, &d, ctx));
    return catalogue_read(&d, out);
}

// --- printing ----------------------------------------------------------------------------------------------

static void put_text(struct json_writer *w, const char *key, struct str v) {
    if (!v.len) return;
    jw_key(w, str_of(key));
    jw_str(w, v);
}

static void put_list(struct json_writer *w, const char *key, const struct catalogue_list *l) {
    if (!l->n) return;
    jw_key(w, str_of(key));
    jw_array(w);
    for (uint32_t i = 0; i < l->n; i++) jw_str(w, l->items[i]);
    jw_array_end(w);
}

static void put_environments(struct json_writer *w, const struct catalogue_environments *e) {
    if (!e->n) return;
    jw_key(w, STR("environments"));
    jw_object(w);
    for (uint32_t i = 0; i < e->n; i++) {
        jw_key(w, e->items[i].name);
        jw_str(w, e->items[i].tier);
    }
    jw_object_end(w);
}

static void put_names(struct json_writer *w, const struct catalogue_names *n) {
    if (!n->n) return;
    jw_key(w, STR("names"));
    jw_object(w);
    for (uint32_t i = 0; i < n->n; i++) {
        jw_key(w, n->items[i].name);
        jw_str(w, n->items[i].environment);
    }
    jw_object_end(w);
}

static void put_targets(struct json_writer *w, const struct catalogue_targets *t) {
    if (!t->n) return;
    jw_key(w, STR("targets"));
    jw_object(w);
    for (uint32_t i = 0; i < t->n; i++) {
        double v = t->items[i].value;
        jw_key(w, str_of(measure_info(t->items[i].measure)->name));
        jw_object(w);
        jw_key(w, v < 0 ? STR("at_least") : STR("at_most"));
        jw_f64(w, v < 0 ? -v : v);
        jw_object_end(w);
    }
    jw_object_end(w);
}

static void print_service(const struct catalogue_service *s, struct json_writer *w) {
    jw_key(w, s->name);
    jw_object(w);
    put_text(w, "owner", s->owner);
    put_text(w, "team", s->team);
    if (s->tier) {
        jw_key(w, STR("tier"));
        jw_u64(w, s->tier);
    }
    put_text(w, "product", s->product);
    put_list(w, "repositories", &s->repositories);
    put_list(w, "paths", &s->paths);
    put_environments(w, &s->environments);
    put_names(w, &s->names);
    put_text(w, "runbook", s->runbook);
    put_text(w, "rollback", s->rollback);
    put_text(w, "on_call", s->on_call);
    put_list(w, "depends_on", &s->depends_on);
    put_targets(w, &s->targets);
    jw_object_end(w);
}

void catalogue_print(const struct catalogue *c, struct json_writer *w) {
    jw_object(w);
    jw_key(w, STR("services"));
    jw_object(w);
    for (uint32_t i = 0; i < c->n_services; i++) print_service(&c->services[i], w);
    jw_object_end(w);
    if (c->n_teams) {
        jw_key(w, STR("teams"));
        jw_object(w);
        for (uint32_t i = 0; i < c->n_teams; i++) {
            jw_key(w, c->teams[i].name);
            jw_object(w);
            put_targets(w, &c->teams[i].targets);
            jw_object_end(w);
        }
        jw_object_end(w);
    }
    put_environments(w, &c->environments);
    jw_object_end(w);
}
