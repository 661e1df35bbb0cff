// SPDX-License-Identifier: Apache-2.0
// Names and values against a plain walk over the canonical bytes of everything that was sent.
#include "query/tags.h"

#include <stdlib.h>

#include "query/fixture_test.h"
#include "span/canon.h"
#include "span/lookup.h"
#include "span/wire.h"

struct pair { // a key of a scope with a value; nil: a name alone
    enum field_scope scope;
    struct str key;
    struct value value;
};

struct plain {
    struct arena arena;
    struct pair *at;
    uint32_t n, cap;
    enum field_scope scope;
    struct str key;               // of the array at hand
    bool has_pairs_without_value; // whose keys may be named or not
};

static void add(struct plain *p, enum field_scope scope, struct str key, struct value v) {
    if (p->n == p->cap) {
        p->cap = p->cap ? p->cap * 2 : 1024;
        struct pair *more = ARENA_ARRAY(&p->arena, p->cap, struct pair);
        CHECK(more);
        if (p->n) memcpy(more, p->at, p->n * sizeof *more);
        p->at = more;
    }
    p->at[p->n++] = (struct pair){ scope, key, v };
}

static void add_element(void *ctx, const struct value *v) {
    struct plain *p = ctx;
    add(p, p->scope, p->key, *v);
}

// The attributes among the fields of a message; of equal keys the first counts.
static void add_attributes(struct plain *p, enum field_scope scope, struct str message, uint32_t number) {
    struct str seen[4096], key, any;
    uint32_t n_seen = 0;
    struct reader r = reader_of(message);
    for (struct pb_field f; pb_next(&r, &f);) {
        bool again = false;
        if (f.number != number || f.wire != PB_BYTES) continue;
        if (!attr_kv(f.bytes, &key, &any)) {
            p->has_pairs_without_value = true;
            continue;
        }
        for (uint32_t i = 0; i < n_seen; i++) again |= str_eq(seen[i], key);
        if (again) continue;
        CHECK(n_seen < 4096);
        seen[n_seen++] = key;
        struct attr_value a = attr_value_of(any);
        struct value v = value_of_attr(&a);
        add(p, scope, key, VALUE_OF_NIL);
        p->scope = scope;
        p->key = key;
        if (v.type == VALUE_ANY)
            (void)value_array(v.s, add_element, p);
        else
            add(p, scope, key, v);
    }
}

static void add_children(struct plain *p, enum field_scope scope, struct str span, uint32_t number,
                         uint32_t attribute) {
    struct reader r = reader_of(span);
    for (struct pb_field f; pb_next(&r, &f);)
        if (f.number == number && f.wire == PB_BYTES) add_attributes(p, scope, f.bytes, attribute);
}

static int by_pair(const void *x, const void *y) {
    const struct pair *a = x, *b = y;
    if (a->scope != b->scope) return a->scope < b->scope ? -1 : 1;
    int c = str_cmp(a->key, b->key);
    return c ? c : value_order(&a->value, &b->value);
}

static void plain_walk(struct plain *p, const struct model *m, bool errors_only) {
    struct str message, url;
    memset(p, 0, sizeof *p);
    arena_init(&p->arena, SIZE_MAX, NULL);
    for (uint32_t i = 0; i < m->n; i++) {
        const struct model_span *s = &m->at[i];
        if (errors_only && !s->is_error) continue;
        add_attributes(p, FIELD_SPAN, s->span, SPAN_ATTRIBUTE);
        add_children(p, FIELD_EVENT, s->span, SPAN_EVENT, EVENT_ATTRIBUTE);
        add_children(p, FIELD_LINK, s->span, SPAN_LINK, LINK_ATTRIBUTE);
        canon_entity_split(s->resource, &message, &url);
        add_attributes(p, FIELD_RESOURCE, message, RESOURCE_ATTRIBUTE);
        canon_entity_split(s->scope, &message, &url);
        add_attributes(p, FIELD_INSTRUMENTATION, message, SCOPE_ATTRIBUTE);
    }
    if (p->n > 1) qsort(p->at, p->n, sizeof *p->at, by_pair);
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->n; i++)
        if (n == 0 || by_pair(&p->at[n - 1], &p->at[i]) != 0) p->at[n++] = p->at[i];
    p->n = n;
}

static struct query_bounds all_time;

static void check_names(struct view *v, const struct plain *p, const struct ql_query *filter) {
    struct tag_names got;
    struct err_ctx ctx = { 0 };
    uint32_t at[FIELD_SCOPE_COUNT] = { 0 };
    CHECK_OK(tags_names(v, ~0u, filter, &all_time, 0, &got, &ctx));
    CHECK(!got.partial && !got.cut);
    for (uint32_t i = 0; i < p->n; i++) {
        const struct tag_scope *s = &got.scopes[p->at[i].scope];
        uint32_t *k = &at[p->at[i].scope];
        if (p->at[i].value.type != VALUE_NIL) continue;
        while (p->has_pairs_without_value && *k < s->n && str_cmp(s->names[*k], p->at[i].key) < 0) ++*k;
        CHECK(*k < s->n);
        CHECK_STR(s->names[(*k)++], p->at[i].key);
    }
    for (int s = 0; s < FIELD_SCOPE_COUNT; s++) CHECK(at[s] == got.scopes[s].n || p->has_pairs_without_value);
    tag_names_fini(&got);
}

static void check_values(struct view *v, const struct plain *p, uint32_t first, uint32_t end,
                         const struct ql_query *filter) {
    struct field f = { .scope = p->at[first].scope, .key = p->at[first].key };
    struct err_ctx ctx = { 0 };
    struct tag_values got;
    uint32_t limit = 1 + (uint32_t)test_below(5);
    CHECK_OK(tags_values(v, &f, filter, &all_time, 0, &got, &ctx));
    CHECK(!got.partial && !got.cut);
    CHECK_U64(got.n, end - first - 1); // the first is the name
    for (uint32_t i = 0; i < got.n; i++) CHECK(value_order(&got.values[i], &p->at[first + 1 + i].value) == 0);
    uint32_t n = got.n;
    tag_values_fini(&got);
    CHECK_OK(tags_values(v, &f, filter, &all_time, limit, &got, &ctx));
    CHECK_U64(got.n, n < limit ? n : limit);
    CHECK(got.cut == (n > limit));
    for (uint32_t i = 0; i < got.n; i++) CHECK(value_order(&got.values[i], &p->at[first + 1 + i].value) == 0);
    tag_values_fini(&got);
}

static void check_tags(struct trial *t, const char *filter, bool errors_only) {
    struct ql_query *q = NULL;
    struct err_ctx ctx = { 0 };
    struct plain p;
    struct arena a;
    struct view *v = ingest_view(t->in);
    arena_init(&a, SIZE_MAX, NULL);
    if (filter) CHECK_OK(ql_parse(&a, str_of(filter), &q, &ctx));
    model_sort(&t->model);
    plain_walk(&p, &t->model, errors_only);
    check_names(v, &p, q);
    for (uint32_t i = 0, k; i < p.n; i = k) {
        for (k = i + 1; k < p.n && p.at[k].scope == p.at[i].scope && str_eq(p.at[k].key, p.at[i].key);) k++;
        if (test_below(12) == 0) check_values(v, &p, i, k, q);
    }
    arena_fini(&p.arena);
    ql_free(q);
    arena_fini(&a);
    view_unref(v);
}

TEST(tags_are_what_a_plain_walk_finds) {
    struct crew *crew;
    CHECK_OK(crew_new(2, &crew));
    for (int round = 0; round < 4; round++) {
        struct trial t;
        all_time.crew = round < 2 ? NULL : crew;
        trial_start(&t, (struct trial_opts){ .mem_store = true,
                                             .random = { .bad_utf8 = round % 2, .duplicate_percent = 10 } });
        submit_random(&t, 3);
        if (round >= 2) CHECK_OK(trial_flush(&t));
        submit_random(&t, 3);
        if (round % 3) CHECK_OK(trial_flush(&t));
        if (round % 3 == 2) submit_random(&t, 4);
        check_tags(&t, NULL, false);
        check_tags(&t, "{ }", false);
        check_tags(&t, "{ } | count() > 0", false);
        check_tags(&t, "{ status = error }", true);
        trial_fini(&t);
    }
    all_time.crew = NULL;
    crew_free(crew);
}

#define AT TRIAL_NOW_NS

static uint32_t names_in(struct view *v, uint64_t start_ns, uint64_t end_ns, const struct ql_query *filter) {
    struct field f = { .scope = FIELD_SPAN, .intrinsic = INTRINSIC_NAME };
    struct query_bounds b = { .start_ns = start_ns, .end_ns = end_ns };
    struct tag_values got;
    struct err_ctx ctx = { 0 };
    CHECK_OK(tags_values(v, &f, filter, &b, 0, &got, &ctx));
    uint32_t n = got.n;
    tag_values_fini(&got);
    return n;
}

TEST(tags_time_picks_blocks_and_with_a_filter_spans) {
    static const struct spec early[] = { { 1, 1, 0, AT, AT + 1, "a", "one", false },
                                         { 1, 2, 1, AT + 50, AT + 51, "a", "two", false } };
    static const struct spec late[] = { { 2, 1, 0, AT + 1000, AT + 1001, "a", "three", true } };
    struct ql_query *q;
    struct err_ctx ctx = { 0 };
    struct arena a;
    struct trial t;
    arena_init(&a, SIZE_MAX, NULL);
    CHECK_OK(ql_parse(&a, STR("{ }"), &q, &ctx));
    for (int in_blocks = 0; in_blocks < 2; in_blocks++) {
        trial_start(&t, (struct trial_opts){ .mem_store = true, .cut_spans = 1000 });
        CHECK_OK(submit_specs(&t, early, 2));
        CHECK_OK(trial_flush(&t));
        CHECK_OK(submit_specs(&t, late, 1));
        if (in_blocks) CHECK_OK(trial_flush(&t));
        struct view *v = ingest_view(t.in);
        CHECK_U64(names_in(v, 0, 0, NULL), 3);
        CHECK_U64(names_in(v, AT + 10, AT + 100, NULL), 2); // of the whole row group
        CHECK_U64(names_in(v, AT + 10, AT + 100, q), 1);
        CHECK_U64(names_in(v, AT - 1, AT, q), 1);
        CHECK_U64(names_in(v, AT, AT + 50, q), 1);
        CHECK_U64(names_in(v, AT + 999, AT + 1000, NULL), 1);
        CHECK_U64(names_in(v, AT + 1000, AT + 2000, NULL), 0);
        view_unref(v);
        trial_fini(&t);
    }
    ql_free(q);
    arena_fini(&a);
}

static bool stop(void *ctx) {
    (void)ctx;
    return true;
}

TEST(tags_stop_when_they_are_told_to) {
    static const struct spec s[] = { { 1, 1, 0, AT, AT + 1, "a", "one", false } };
    struct field f = { .scope = FIELD_SPAN, .intrinsic = INTRINSIC_NAME };
    struct field tree = { .scope = FIELD_SPAN, .intrinsic = INTRINSIC_CHILD_COUNT };
    struct query_bounds gone = { .canceled = stop }, late = { .deadline_ns = 1 }, small = { .memory_max = 1 };
    struct err_ctx ctx = { 0 };
    struct tag_values got;
    struct trial t;
    trial_start(&t, (struct trial_opts){ .mem_store = true });
    CHECK_OK(submit_specs(&t, s, 1));
    struct view *v = ingest_view(t.in);
    late.clock = &t.clock;
    CHECK(tags_values(v, &f, NULL, &gone, 0, &got, &ctx) == ERR_CANCELED);
    CHECK(tags_values(v, &tree, NULL, &all_time, 0, &got, &ctx) == ERR_INVALID);
    CHECK_OK(tags_values(v, &f, NULL, &late, 0, &got, &ctx));
    CHECK(got.partial && strstr(got.why, "query.timeout"));
    tag_values_fini(&got);
    CHECK_OK(tags_values(v, &f, NULL, &small, 0, &got, &ctx));
    CHECK(got.partial && strstr(got.why, "query.max_memory"));
    tag_values_fini(&got);
    view_unref(v);
    trial_fini(&t);
}

TEST(tags_without_memory_fail_and_leak_nothing) {
    struct trial t;
    struct ql_query *q;
    struct arena a;
    struct err_ctx ctx = { 0 };
    struct field f = { .scope = FIELD_SPAN, .intrinsic = INTRINSIC_NAME };
    trial_start(&t, (struct trial_opts){ .mem_store = true });
    submit_random(&t, 2);
    CHECK_OK(trial_flush(&t));
    submit_random(&t, 1);
    arena_init(&a, SIZE_MAX, NULL);
    CHECK_OK(ql_parse(&a, STR("{ status != error }"), &q, &ctx));
    struct view *v = ingest_view(t.in);
    for (uint64_t n = 1, failed = 1; failed; n++) {
        struct tag_values values;
        struct tag_names names;
        mem_fail_at(n, false);
        enum err e = tags_values(v, &f, n % 2 ? q : NULL, &all_time, 0, &values, &ctx);
        if (e == ERR_OK) tag_values_fini(&values);
        enum err e2 = tags_names(v, ~0u, n % 2 ? q : NULL, &all_time, 0, &names, &ctx);
        if (e2 == ERR_OK) tag_names_fini(&names);
        failed = mem_fail_seen() > n;
        mem_fail_at(0, false);
        CHECK(e == ERR_OK || e == ERR_NOMEM);
        CHECK(e2 == ERR_OK || e2 == ERR_NOMEM);
    }
    view_unref(v);
    ql_free(q);
    arena_fini(&a);
    trial_fini(&t);
}
