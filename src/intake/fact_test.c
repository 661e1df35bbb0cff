// SPDX-License-Identifier: Apache-2.0
#include "intake/fact.h"

#include "base/test.h"

static struct db *fresh(void) {
    struct db *d;
    struct err_ctx ctx = { 0 };
    bool changed;
    CHECK_OK(db_open(NULL, DB_MEMORY, &d, &ctx));
    CHECK_OK(fact_tables(d, "", &changed));
    CHECK(changed);
    CHECK_OK(fact_tables(d, "", &changed));
    CHECK(!changed);
    return d;
}

static struct str words[] = { { "a", 1 }, { "b", 1 }, { "\xc3\xa4 c", 4 }, { "", 0 } };

// One event: claims about a few facts of any kind.
static void random_event(struct claims *c, struct arena *a) {
    claims_begin(c, a);
    for (uint64_t n = 1 + test_below(3); n; n--) {
        enum fact_kind k = (enum fact_kind)test_below(FACT_KIND_COUNT);
        enum fact_field first;
        unsigned n_fields;
        fact_fields(k, &first, &n_fields);
        struct claim *cl = claims_add(c, k, str_fmt(a, "key %u", (unsigned)test_below(3)),
                                      (int64_t)test_below(4), (uint8_t)test_below(2));
        for (unsigned i = 0; i < n_fields; i++) {
            enum fact_field f = (enum fact_field)(first + i);
            if (test_below(3)) continue;
            switch (fact_field_info(f)->type) {
            case FACT_TEXT:
                claim_text(c, cl, f, words[test_below(4)]);
                if (fact_field_info(f)->merge == FACT_LAST_OR_NONE && test_below(3) == 0) claim_none(cl, f);
                break;
            case FACT_REAL: claim_real(cl, f, (double)test_below(5) / 2); break;
            case FACT_INT: claim_int(cl, f, (int64_t)test_below(5) - 2); break;
            case FACT_TIME: claim_time(cl, f, (int64_t)test_below(5) - 2); break;
            }
        }
    }
}

static struct str all_of(struct db *d, struct arena *a) {
    struct buf b;
    buf_init(&b, SIZE_MAX);
    for (unsigned k = 0; k < FACT_KIND_COUNT; k++)
        for (unsigned i = 0; i < 3; i++) {
            struct fact f;
            CHECK_OK(fact_load(d, a, (enum fact_kind)k, str_fmt(a, "key %u", i), &f));
            buf_fmt(&b, "%u/%u %d:", k, i, f.known);
            for (unsigned v = 0; v < FACT_FIELDS_MAX; v++)
                buf_fmt(&b, " %d %lld %g %.*s", f.values[v].set, (long long)f.values[v].i, f.values[v].f,
                        STR_ARG(f.values[v].s));
            buf_char(&b, '\n');
        }
    struct str s = str_dup(a, buf_view(&b));
    buf_fini(&b);
    return s;
}

// Any order, any number of times: the same facts.
TEST(facts_do_not_depend_on_the_order_of_events) {
    enum { EVENTS = 60, ORDERS = 4 };
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    struct claims *events = ARENA_ARRAY(&a, EVENTS, struct claims);
    for (unsigned i = 0; i < EVENTS; i++) random_event(&events[i], &a);
    struct str want = { 0 };
    for (unsigned o = 0; o < ORDERS; o++) {
        struct db *d = fresh();
        unsigned order[EVENTS];
        for (unsigned i = 0; i < EVENTS; i++) order[i] = i;
        for (unsigned i = EVENTS; o && i > 1; i--) {
            unsigned j = (unsigned)test_below(i), t = order[i - 1];
            order[i - 1] = order[j];
            order[j] = t;
        }
        for (unsigned i = 0; i < EVENTS; i++)
            for (uint64_t times = 1 + (o ? test_below(2) : 0); times; times--)
                CHECK_OK(fact_apply(d, &a, &events[order[i]], i, NULL, NULL));
        struct str got = all_of(d, &a);
        if (o == 0)
            want = got;
        else
            CHECK_STR(got, want);
        db_close(d);
    }
    arena_fini(&a);
}

// The team of an incident, of what two events say of it.
static struct str team_after(struct db *d, struct arena *a, const char *key, int64_t none_at,
                             bool none_first) {
    struct claims c;
    struct fact f;
    for (unsigned i = 0; i < 2; i++) {
        bool none = (i == 0) == none_first;
        claims_begin(&c, a);
        struct claim *said = claims_add(&c, FACT_INCIDENT, str_of(key), none ? none_at : 100, 0);
        if (none)
            claim_none(said, INCIDENT_TEAM);
        else
            claim_text(&c, said, INCIDENT_TEAM, STR("web"));
        CHECK_OK(fact_apply(d, a, &c, i, NULL, NULL));
    }
    CHECK_OK(fact_load(d, a, FACT_INCIDENT, str_of(key), &f));
    const struct fact_value *v = fact_get(&f, INCIDENT_TEAM);
    CHECK(f.known && v->set == (v->s.len > 0));
    return v->s;
}

TEST(facts_that_there_is_none_may_be_the_last_word) {
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    struct db *d = fresh();
    CHECK_STR(team_after(d, &a, "1", 200, false), STR(""));
    CHECK_STR(team_after(d, &a, "2", 200, true), STR(""));
    CHECK_STR(team_after(d, &a, "3", 50, false), STR("web"));
    CHECK_STR(team_after(d, &a, "4", 50, true), STR("web"));
    db_close(d);
    arena_fini(&a);
}

TEST(facts_the_field_says_which_event_decides) {
    struct arena a;
    struct claims c;
    struct fact f;
    struct err_ctx ctx = { 0 };
    arena_init(&a, SIZE_MAX, NULL);
    struct db *d = fresh();
    claims_begin(&c, &a);
    struct claim *late = claims_add(&c, FACT_DEPLOY, STR("1"), 200, 2),
                 *early = claims_add(&c, FACT_DEPLOY, STR("1"), 100, 1);
    claim_text(&c, late, DEPLOY_STATE, STR("success"));
    claim_time(late, DEPLOY_SUCCEEDED, 200);
    claim_time(late, DEPLOY_STARTED, 150);
    claim_text(&c, early, DEPLOY_STATE, STR("in_progress"));
    claim_text(&c, early, DEPLOY_SERVICE, STR("shop"));
    claim_time(early, DEPLOY_STARTED, 100);
    claim_time(early, DEPLOY_SUCCEEDED, 0); // says nothing
    claim_text(&c, early, DEPLOY_VERSION, STR(""));
    CHECK_OK(claims_end(&c, &ctx));
    CHECK_OK(fact_apply(d, &a, &c, 1, NULL, NULL));
    CHECK_OK(fact_load(d, &a, FACT_DEPLOY, STR("1"), &f));
    CHECK_STR(fact_get(&f, DEPLOY_STATE)->s, STR("success"));
    CHECK_STR(fact_get(&f, DEPLOY_SERVICE)->s, STR("shop"));
    CHECK_U64(fact_get(&f, DEPLOY_STARTED)->i, 100);
    CHECK_U64(fact_get(&f, DEPLOY_SUCCEEDED)->i, 200);
    CHECK(!fact_get(&f, DEPLOY_VERSION)->set);
    CHECK_OK(fact_clear(d));
    CHECK_OK(fact_load(d, &a, FACT_DEPLOY, STR("1"), &f));
    CHECK(!f.known);
    db_close(d);
    arena_fini(&a);
}

TEST(facts_hostile_claims_are_refused_or_cut) {
    struct arena a;
    struct claims c;
    struct err_ctx ctx = { 0 };
    char *big = mem_alloc(2 << 20);
    memset(big, 'x', 2 << 20);
    memcpy(big + FACT_TEXT_MAX - 1, "\xc3\xa4", 2);
    arena_init(&a, SIZE_MAX, NULL);
    claims_begin(&c, &a);
    (void)claims_add(&c, FACT_RUN, (struct str){ big, 1 << 20 }, 1, 1);
    CHECK(claims_end(&c, &ctx) == ERR_INVALID);
    claims_begin(&c, &a);
    (void)claims_add(&c, FACT_RUN, STR(""), 1, 1);
    CHECK(claims_end(&c, &ctx) == ERR_INVALID);
    claims_begin(&c, &a);
    claim_text(&c, claims_add(&c, FACT_RUN, STR("k"), 1, 1), RUN_NAME, STR("\xff"));
    CHECK(claims_end(&c, &ctx) == ERR_INVALID);
    claims_begin(&c, &a);
    struct claim *cl = claims_add(&c, FACT_RUN, STR("k"), 1, 1);
    claim_text(&c, cl, RUN_NAME, (struct str){ big, 1 << 20 });
    CHECK_OK(claims_end(&c, &ctx));
    enum fact_field first;
    unsigned n;
    fact_fields(FACT_RUN, &first, &n);
    CHECK_U64(cl->values[RUN_NAME - first].s.len, FACT_TEXT_MAX - 1);
    claims_begin(&c, &a);
    claim_text(&c, claims_add(&c, FACT_RUN, STR("k"), 1, 1), RUN_REPO,
               (struct str){ big, FACT_TEXT_MAX - 1 });
    CHECK_OK(claims_end(&c, &ctx));
    claim_text(&c, c.items[0], RUN_REPO, (struct str){ big, 1 << 20 });
    ctx = (struct err_ctx){ 0 };
    CHECK(claims_end(&c, &ctx) == ERR_INVALID);
    CHECK_STR(str_of(ctx.text), STR("repo: more than 4096 bytes"));
    mem_free(big);
    arena_fini(&a);
}

TEST(facts_every_kind_fits) {
    for (unsigned k = 0; k < FACT_KIND_COUNT; k++) {
        enum fact_field first;
        unsigned n;
        fact_fields((enum fact_kind)k, &first, &n);
        CHECK(n > 0 && n <= FACT_FIELDS_MAX);
    }
}
