// SPDX-License-Identifier: Apache-2.0
// The requests of tests/cases/hooks (its README.md says how they are written): what each says, that a
// kept event says the same again, and the facts of each source's story in several orders.
#include "intake/intake.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "intake/stamp.h"

#define FOLDER "tests/cases/hooks"
enum { CASES_MAX = 64, FILE_MAX = 64 << 10, HEADERS_MAX = 16 };

// --- files ---------------------------------------------------------------------------------------

static struct str file_read(struct arena *a, const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f) return (struct str){ NULL, 0 };
    char *p = arena_alloc(a, FILE_MAX);
    size_t n = fread(p, 1, FILE_MAX, f);
    CHECK(n < FILE_MAX);
    fclose(f);
    return (struct str){ p, n };
}

// What a file holds, or with TAKT_UPDATE in the environment: what it shall hold from now on.
static void file_compare(struct arena *a, const char *path, struct str got) {
    if (getenv("TAKT_UPDATE")) {
        FILE *f = fopen(path, "wb");
        CHECK(f && fwrite(got.ptr, 1, got.len, f) == got.len);
        fclose(f);
        return;
    }
    struct str want = file_read(a, path);
    if (!str_eq(got, want)) printf("# %s\n", path);
    CHECK_STR(got, want);
}

struct case_file {
    char path[256]; // without ".http"
    bool story;
};
struct folder {
    struct case_file files[CASES_MAX];
    unsigned n;
};

static int by_path(const void *a, const void *b) {
    return strcmp(((const struct case_file *)a)->path, ((const struct case_file *)b)->path);
}

static void folder_read(const char *source, struct folder *out) {
    char path[256];
    out->n = 0;
    (void)snprintf(path, sizeof path, FOLDER "/%s", source);
    DIR *dir = opendir(path);
    if (!dir) test_fail(__FILE__, __LINE__, path);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        struct str name = str_of(e->d_name);
        if (!str_ends(name, STR(".http"))) continue;
        CHECK(out->n < CASES_MAX);
        struct case_file *f = &out->files[out->n++];
        int n = snprintf(f->path, sizeof f->path, "%s/%.*s", path, (int)name.len - 5, name.ptr);
        CHECK(n > 0 && (size_t)n < sizeof f->path);
        f->story = str_starts(name, STR("story"));
    }
    closedir(dir);
    qsort(out->files, out->n, sizeof *out->files, by_path);
}

// --- requests ------------------------------------------------------------------------------------

struct request {
    struct intake_request r;
    struct intake_header headers[HEADERS_MAX];
};

static void header_add(struct request *q, struct str line) {
    struct str name, value;
    CHECK(str_cut(line, ':', &name, &value) && q->r.n_headers < HEADERS_MAX);
    value = str_trim(value);
    if (str_eq(name, STR("@received"))) {
        CHECK(stamp_read(value, &q->r.received));
    } else {
        q->headers[q->r.n_headers++] = (struct intake_header){ name, value };
    }
}

// The rest of a file after its headers, each byte in its place, without the last line break.
static void request_parse(struct str text, struct request *q) {
    struct str line, method, url;
    memset(q, 0, sizeof *q);
    CHECK(stamp_read(STR("2026-06-15T12:00:00Z"), &q->r.received));
    q->r.headers = q->headers;
    CHECK(str_cut(text, '\n', &line, &text) && str_cut(line, ' ', &method, &url));
    (void)str_cut(url, '?', &url, &q->r.query);
    q->r.source = str_starts(url, STR("/hooks/")) ? str_sub(url, 7, url.len) : str_sub(url, 1, url.len);
    while (str_cut(text, '\n', &line, &text) && line.len) header_add(q, line);
    if (str_ends(text, STR("\n"))) text.len--;
    q->r.body = test_exact(text);
}

// --- what was read, as text ----------------------------------------------------------------------

static void put_value(struct buf *b, enum fact_field f, const struct fact_value *v) {
    char stamp[STAMP_TEXT_SIZE];
    const struct fact_field_info *info = fact_field_info(f);
    if (!v->set) return;
    buf_fmt(b, "  %s = ", info->column);
    switch (info->type) {
    case FACT_TEXT: buf_str(b, v->s); break;
    case FACT_TIME: buf_str(b, stamp_print(v->i, stamp)); break;
    case FACT_INT: buf_fmt(b, "%lld", (long long)v->i); break;
    case FACT_REAL: buf_fmt(b, "%g", v->f); break;
    }
    buf_char(b, '\n');
}

static void put_values(struct buf *b, enum fact_kind k, const struct fact_value *values) {
    enum fact_field first;
    unsigned n;
    fact_fields(k, &first, &n);
    for (unsigned i = 0; i < n; i++) put_value(b, (enum fact_field)(first + i), &values[i]);
}

static void put_claims(struct buf *b, const struct claims *c) {
    char stamp[STAMP_TEXT_SIZE];
    for (unsigned i = 0; i < c->n; i++) {
        const struct claim *l = c->items[i];
        struct str time = stamp_print(l->time, stamp);
        buf_fmt(b, "%s %.*s @ %.*s #%u\n", fact_table(l->kind), STR_ARG(l->key), STR_ARG(time), l->rank);
        put_values(b, l->kind, l->values);
    }
}

static void put_event(struct buf *b, const struct intake_event *e) {
    char stamp[STAMP_TEXT_SIZE];
    struct str time = stamp_print(e->time, stamp);
    buf_fmt(b, "event %.*s @ %.*s%s\n", STR_ARG(e->type), STR_ARG(time), e->known ? "" : " unknown");
    if (e->id.len) buf_fmt(b, "  id: %.*s\n", STR_ARG(e->id));
    if (e->aside.len) buf_fmt(b, "  aside: %.*s\n", STR_ARG(e->aside));
    put_claims(b, &e->claims);
}

static struct str answer_text(struct arena *a, enum err e, const struct intake *in,
                              const struct err_ctx *ctx) {
    struct buf b;
    buf_init(&b, SIZE_MAX);
    if (e != ERR_OK) buf_fmt(&b, "! %s\n", ctx->text);
    for (unsigned i = 0; e == ERR_OK && i < in->n; i++) put_event(&b, &in->events[i]);
    if (e == ERR_OK && in->n == 0) buf_fmt(&b, "no events\n");
    struct str s = str_dup(a, buf_view(&b));
    buf_fini(&b);
    return s;
}

// --- cases ---------------------------------------------------------------------------------------

static enum err case_read(struct arena *a, const struct case_file *f, struct request *q, struct intake *out,
                          struct err_ctx *ctx) {
    char path[300];
    (void)snprintf(path, sizeof path, "%s.http", f->path);
    request_parse(file_read(a, path), q);
    memset(out, 0, sizeof *out);
    return intake_read(&q->r, a, out, ctx);
}

TEST(hook_cases) {
    for (unsigned s = 0; s < n_intake_sources; s++) {
        struct folder folder;
        struct arena a;
        arena_init(&a, SIZE_MAX, NULL);
        folder_read(intake_sources[s], &folder);
        CHECK(folder.n >= 6);
        for (unsigned i = 0; i < folder.n; i++) {
            struct request q;
            struct intake in;
            struct err_ctx ctx = { 0 };
            char path[300];
            (void)snprintf(path, sizeof path, "%s.want", folder.files[i].path);
            enum err e = case_read(&a, &folder.files[i], &q, &in, &ctx);
            CHECK(e == ERR_OK || e == ERR_INVALID);
            file_compare(&a, path, answer_text(&a, e, &in, &ctx));
        }
        arena_fini(&a);
    }
}

// Facts are made anew from what is kept: source, id, type, body and time of arrival.
TEST(hook_kept_events_say_the_same_again) {
    for (unsigned s = 0; s < n_intake_sources; s++) {
        struct folder folder;
        struct arena a;
        arena_init(&a, SIZE_MAX, NULL);
        folder_read(intake_sources[s], &folder);
        for (unsigned i = 0; i < folder.n; i++) {
            struct request q;
            struct intake in, again;
            struct err_ctx ctx = { 0 };
            if (case_read(&a, &folder.files[i], &q, &in, &ctx) != ERR_OK) continue;
            for (unsigned k = 0; k < in.n; k++) {
                struct intake one = { &in.events[k], 1 };
                struct intake_request r = { .source = q.r.source,
                                            .body = one.events->body,
                                            .received = q.r.received,
                                            .kept_id = one.events->id,
                                            .kept_type = one.events->type };
                CHECK_OK(intake_read(&r, &a, &again, &ctx));
                CHECK_STR(answer_text(&a, ERR_OK, &again, &ctx), answer_text(&a, ERR_OK, &one, &ctx));
                CHECK_STR(again.events->body, one.events->body);
            }
        }
        arena_fini(&a);
    }
}

// --- stories -------------------------------------------------------------------------------------

static struct db *fresh(void) {
    struct db *d;
    struct err_ctx ctx = { 0 };
    bool changed;
    CHECK_OK(db_open(NULL, DB_MEMORY, &d, &ctx));
    CHECK_OK(fact_tables(d, "", &changed));
    return d;
}

static const char *const selects[FACT_KIND_COUNT] = {
#define FACT(KIND, table) [FACT_##KIND] = "SELECT * FROM \"" table "\" ORDER BY key",
#define FIELD(...)
#include "intake/fact.def"
};

static void put_facts(struct db *d, struct arena *a, enum fact_kind k, struct buf *b) {
    struct db_row *r;
    struct fact f;
    bool row;
    CHECK_OK(db_prepare(d, selects[k], &r));
    for (;;) {
        CHECK_OK(db_step(r, &row));
        if (!row) return;
        fact_read(r, a, k, &f);
        buf_fmt(b, "%s %.*s\n", fact_table(k), STR_ARG(db_text(r, 0)));
        put_values(b, k, f.values);
    }
}

static struct str facts_text(struct db *d, struct arena *a) {
    struct buf b;
    buf_init(&b, SIZE_MAX);
    for (unsigned k = 0; k < FACT_KIND_COUNT; k++) put_facts(d, a, (enum fact_kind)k, &b);
    struct str s = str_dup(a, buf_view(&b));
    buf_fini(&b);
    return s;
}

static void apply(struct db *d, struct arena *a, const struct case_file *f, bool backwards) {
    struct request q;
    struct intake in;
    struct err_ctx ctx = { 0 };
    CHECK_OK(case_read(a, f, &q, &in, &ctx));
    for (unsigned i = 0; i < in.n; i++)
        CHECK_OK(fact_apply(d, a, &in.events[backwards ? in.n - 1 - i : i].claims, 1, NULL, NULL));
}

// As it happened, backwards, and shuffled with each request twice.
static struct str story_facts(struct db *d, struct arena *a, const struct case_file *const *files, unsigned n,
                              int order) {
    const struct case_file *turn[CASES_MAX];
    for (unsigned i = 0; i < n; i++) turn[i] = files[order == 1 ? n - 1 - i : i];
    for (unsigned i = n; order > 1 && i > 1; i--) {
        unsigned j = (unsigned)test_below(i);
        const struct case_file *t = turn[i - 1];
        turn[i - 1] = turn[j];
        turn[j] = t;
    }
    CHECK_OK(db_begin(d));
    CHECK_OK(fact_clear(d));
    for (unsigned i = 0; i < n; i++) apply(d, a, turn[i], order == 1);
    for (unsigned i = 0; order > 1 && i < n; i++) apply(d, a, turn[i], false);
    CHECK_OK(db_commit(d));
    return facts_text(d, a);
}

TEST(hook_stories_make_the_same_facts_in_any_order) {
    struct db *d = fresh();
    for (unsigned s = 0; s < n_intake_sources; s++) {
        struct folder folder;
        struct arena a;
        const struct case_file *story[CASES_MAX];
        unsigned n = 0;
        char path[300];
        arena_init(&a, SIZE_MAX, NULL);
        folder_read(intake_sources[s], &folder);
        for (unsigned i = 0; i < folder.n; i++)
            if (folder.files[i].story) story[n++] = &folder.files[i];
        CHECK(n >= 3);
        (void)snprintf(path, sizeof path, FOLDER "/%s/story.facts", intake_sources[s]);
        struct str want = story_facts(d, &a, story, n, 0);
        file_compare(&a, path, want);
        for (int order = 1; order < 5; order++) {
            struct str got = story_facts(d, &a, story, n, order);
            if (!str_eq(got, want)) printf("# %s, order %d\n", path, order);
            CHECK_STR(got, want);
        }
        arena_fini(&a);
    }
    db_close(d);
}

// --- requests that no file can hold --------------------------------------------------------------

static enum err read_body(struct arena *a, const char *source, struct str body, struct intake *out,
                          struct err_ctx *ctx) {
    struct intake_request r = { .source = str_of(source),
                                .body = body,
                                .received = 1781524800000000000,
                                .kept_type = STR("pull_request") };
    return intake_read(&r, a, out, ctx);
}

TEST(intake_requests_are_bounded) {
    struct arena a;
    struct intake in;
    struct err_ctx ctx = { 0 };
    struct buf b;
    arena_init(&a, SIZE_MAX, NULL);
    buf_init(&b, SIZE_MAX);
    CHECK(read_body(&a, "nothing", STR("{}"), &in, &ctx) == ERR_NOT_FOUND);
    CHECK_STR(str_of(ctx.text), STR("there is no source \"nothing\""));
    ctx.text[0] = '\0';
    char *big = mem_zalloc(INTAKE_BODY_MAX + 1);
    CHECK(read_body(&a, "github", (struct str){ big, INTAKE_BODY_MAX + 1 }, &in, &ctx) == ERR_INVALID);
    mem_free(big);
    for (int i = 0; i <= INTAKE_DEPTH_MAX + 2; i++) buf_char(&b, '[');
    ctx.text[0] = '\0';
    CHECK(read_body(&a, "flux", buf_view(&b), &in, &ctx) == ERR_INVALID && ctx.text[0]);
    ctx.text[0] = '\0';
    buf_reset(&b);
    buf_char(&b, '[');
    for (int i = 0; i <= INTAKE_EVENTS_MAX; i++)
        buf_fmt(&b, "%s{\"specversion\":\"1.0\",\"id\":\"%d\",\"source\":\"s\",\"type\":\"t\"}", i ? "," : "",
                i);
    buf_char(&b, ']');
    ctx.text[0] = '\0';
    CHECK(read_body(&a, "events", buf_view(&b), &in, &ctx) == ERR_INVALID);
    CHECK_STR(str_of(ctx.text), STR("more than 10000 events in one request"));
    buf_reset(&b);
    buf_fmt(&b, "{\"object_kind\":\"pipeline\",\"project\":{\"web_url\":\"https://gitlab.com/a/b\"},"
                "\"object_attributes\":{\"id\":1,\"status\":\"running\"},\"builds\":[");
    for (int i = 0; i < INTAKE_CLAIMS_MAX; i++)
        buf_fmt(&b, "%s{\"id\":%d,\"status\":\"x\"}", i ? "," : "", i);
    buf_str(&b, STR("]}"));
    ctx.text[0] = '\0';
    CHECK(read_body(&a, "gitlab", buf_view(&b), &in, &ctx) == ERR_INVALID);
    CHECK_STR(str_of(ctx.text), STR("more than 20000 claims in one request"));
    buf_fini(&b);
    arena_fini(&a);
}

// Every source on bodies that are JSON, but nothing that it expects.
TEST(intake_odd_bodies_are_refused_or_unknown) {
    static const char *const bodies[] = {
        "",
        "null",
        "0",
        "\"x\"",
        "[]",
        "[0]",
        "[[]]",
        "{}",
        "{\"action\":1}",
        "{\"object_kind\":[]}",
        "{\"alerts\":[1]}",
        "{\"alerts\":{}}",
        "{\"event\":[]}",
        "{\"app\":[]}",
        "{\"app\":{}}",
        "{\"rollout\":{}}",
        "{\"build\":{\"phase\":\"STARTED\"}}",
        "{\"phase\":\"Failed\"}",
        "{\"kind\":\"flag\"}",
        "{\"context\":{}}",
        "{\"issueKey\":{}}",
        "{\"deploymentCommits\":[1]}",
        "{\"involvedObject\":{\"kind\":\"Kustomization\"}}",
    };
    for (unsigned s = 0; s < n_intake_sources; s++)
        for (unsigned i = 0; i < sizeof bodies / sizeof *bodies; i++) {
            struct arena a;
            struct intake in;
            struct err_ctx ctx = { 0 };
            arena_init(&a, SIZE_MAX, NULL);
            enum err e = read_body(&a, intake_sources[s], test_exact(str_of(bodies[i])), &in, &ctx);
            CHECK(e == ERR_OK || (e == ERR_INVALID && ctx.text[0]));
            for (unsigned k = 0; e == ERR_OK && k < in.n; k++) CHECK(in.events[k].type.len > 0);
            arena_fini(&a);
        }
}

// Whatever allocation fails: an error, or all of it.
TEST(intake_without_memory) {
    for (unsigned s = 0; s < n_intake_sources; s++) {
        struct folder folder;
        struct arena a;
        struct request q;
        struct intake in;
        struct err_ctx ctx = { 0 };
        arena_init(&a, SIZE_MAX, NULL);
        folder_read(intake_sources[s], &folder);
        unsigned first = 0;
        while (!folder.files[first].story) first++;
        CHECK_OK(case_read(&a, &folder.files[first], &q, &in, &ctx));
        struct str want = answer_text(&a, ERR_OK, &in, &ctx);
        enum err e = ERR_NOMEM;
        for (uint64_t at = 1; e != ERR_OK; at++) {
            struct arena tight;
            arena_init(&tight, SIZE_MAX, NULL);
            mem_fail_at(at, true);
            e = intake_read(&q.r, &tight, &in, &ctx);
            mem_fail_at(0, false);
            CHECK(e == ERR_OK || e == ERR_NOMEM);
            if (e == ERR_OK) CHECK_STR(answer_text(&a, e, &in, &ctx), want);
            arena_fini(&tight);
        }
        arena_fini(&a);
    }
}
