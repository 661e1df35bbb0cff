// SPDX-License-Identifier: Apache-2.0
// What editors get: classes, diagnostics, and what may come at the cursor (^ in the texts).
#include <stdio.h>

#include "base/test.h"
#include "traceql/analyze.h"

struct view {
    struct arena a;
    struct ql_analysis x;
    struct str text;
    char plain[400];
};

static void view_open(struct view *v, const char *text) {
    const char *cursor = strchr(text, '^');
    size_t at = cursor ? (size_t)(cursor - text) : strlen(text);
    (void)snprintf(v->plain, sizeof v->plain, "%.*s%s", (int)at, text, cursor ? cursor + 1 : "");
    arena_init(&v->a, 64 << 20, NULL);
    v->text = test_exact(str_of(v->plain));
    CHECK_OK(ql_analyze(&v->a, v->text, (uint32_t)at, &v->x));
}

static void check_classes(const char *text, const char *want) {
    static const char letters[] = "cko(saiSndfE"; // by enum ql_class
    struct view v;
    char got[400] = "";
    uint32_t end = 0;
    view_open(&v, text);
    memset(got, ' ', v.text.len);
    got[v.text.len] = '\0';
    for (uint32_t i = 0; i < v.x.n_marks; i++) {
        const struct ql_mark *m = &v.x.marks[i];
        CHECK(m->place.from >= end && m->place.len > 0);
        end = m->place.from + m->place.len;
        CHECK(end <= v.text.len);
        memset(got + m->place.from, letters[m->kind], m->place.len);
    }
    CHECK_STR(str_of(got), str_of(want));
    arena_fini(&v.a);
}

TEST(analyze_gives_tokens_their_classes) {
    check_classes("{ span.a.b = \"x\" && name =~ `y` }", //
                  "( sssssaaa o SSS oo iiii oo SSS (");
    check_classes("{ .a > 1.5 || duration < 10ms } | count() > 2", //
                  "( sa o nnn oo iiiiiiii o dddd ( ( fffff(( o n");
    check_classes("{ span:status = error // x", //
                  "( iiiiiiiiiii o kkkkk cccc");
    check_classes("{ parent.span.x = nil } | rate() by(a) with(sample=true)",
                  "( ssssssssssssa o kkk ( ( ffff(( ff(E( ffff(kkkkkkokkkk(");
    check_classes("{ .a = 'x' && foo = 5zz }", //
                  "( sa o EEE oo kkk o EEE (");
    check_classes("{ /* a */ .a = \"open", //
                  "( ccccccc sa o EEEEE");
}

static void check_diagnostics(const char *text, const char *want) {
    struct view v;
    struct buf out;
    buf_init(&out, 1 << 16);
    view_open(&v, text);
    for (uint32_t i = 0; i < v.x.n_diagnostics; i++) {
        const struct ql_diagnostic *d = &v.x.diagnostics[i];
        CHECK(d->place.from <= v.text.len && d->place.len <= v.text.len - d->place.from);
        buf_fmt(&out, "%s[%.*s] %.*s\n", d->is_hint ? "hint " : "",
                STR_ARG(str_sub(v.text, d->place.from, d->place.len)), STR_ARG(d->text));
    }
    CHECK_STR(buf_view(&out), str_of(want));
    buf_fini(&out);
    arena_fini(&v.a);
}

TEST(analyze_tells_errors_and_hints) {
    check_diagnostics("{ .a = 1 }", "");
    check_diagnostics("{ .a = 'x' }", "['x'] text is not written in single quotes; probably meant: \"x\"\n");
    check_diagnostics("{ .a = foo }", "[foo] unknown word foo; text is written in quotes: \"foo\"\n");
    check_diagnostics(
        "{ .a != 1 }",
        "hint [.a != 1] spans without .a are left out too; to have them write (.a != 1 || .a = nil)\n");
    check_diagnostics(
        "{ 1 != .a } | rate()",
        "hint [1 != .a] spans without .a are left out too; to have them write (1 != .a || .a = nil)\n");
    check_diagnostics(
        "{ .a !~ \"0123456789012345678901234567890123456789\" && .b = 1 }",
        "hint [.a !~ \"0123456789012345678901234567890123456789\"] spans without .a are left out "
        "too; to have them write (… || .a = nil)\n"
        "hint [\"0123456789012345678901234567890123456789\"] !~ matches the whole value, so this is "
        "the same as !=; for a part of it write .*0123456789012345678901234567890123456789.*\n");
    check_diagnostics("{ .a != nil && name != \"x\" }", "");
    check_diagnostics("{ name =~ \"GET\" }",
                      "hint [\"GET\"] =~ matches the whole value, so this is the same as =; for "
                      "a part of it write .*GET.*\n");
    check_diagnostics("{ name =~ \"GET.*\" }", "");
    check_diagnostics("{ .a-1 > 2 }", "hint [.a-1] .a-1 is one name; to calculate put spaces around -\n");
    check_diagnostics("{ .x-y = 2 }", "");
    static const char order[] =
        "&& and || bind alike, from left to right: this is ( … || … ) && …; parentheses "
        "say which is meant";
    static const struct {
        const char *text, *place; // "": no hint
    } orders[] = {
        { "{ .a = 1 || .b = 2 && .c = 3 }", ".a = 1 || .b = 2 && .c = 3" },
        { "{ .a = 1 || (.b = 2) && .c = 3 }", ".a = 1 || (.b = 2) && .c = 3" },
        { "{ .a = \")\" || .b = \")\" && .c = 3 }", ".a = \")\" || .b = \")\" && .c = 3" },
        { "{ .a || .b && .c || .d && .e }", ".a || .b && .c" }, // once
        { "{ !(.a || .b) && .c }", "" },
        { "{ (.a = 1 || .b = 2) && .c = 3 }", "" },
        { "{ ((.a = 1) || (.b = 2)) && (.c = 3) }", "" },
        { "{ .a = 1 || (.b = 2 && .c = 3) }", "" },
        { "{ .a = 1 && .b = 2 || .c = 3 }", "" },
        { "{ .a = 1 || .b = 2 || .c = 3 }", "" },
    };
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        char want[300] = "";
        if (*orders[i].place) (void)snprintf(want, sizeof want, "hint [%s] %s\n", orders[i].place, order);
        check_diagnostics(orders[i].text, want);
    }
    check_diagnostics("", "[] the query is empty; { } is every span\n");
}

// The wanted set as letters, the field, the prefix and the place in the text.
static void check_wanted(const char *text, const char *want) {
    static const char *const names[] = {
        "field",    "value", "filter",  "stage",      "aggregate", "function", "second", "by",
        "with",     "hint",  "pipe",    "}",          ")",         "(",        ",",      "logic",
        "equality", "order", "pattern", "arithmetic", "structure", "number",   "assign",
    };
    struct view v;
    struct buf out;
    buf_init(&out, 1 << 16);
    view_open(&v, text);
    const struct ql_wanted *w = &v.x.wanted;
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (w->what & 1u << i) buf_fmt(&out, "%s ", names[i]);
    if (w->has_field) {
        buf_str(&out, STR("of:"));
        ql_print_field(&w->field, &out);
        buf_char(&out, ' ');
    }
    if (w->is_pattern) buf_str(&out, STR("pattern-value "));
    if (w->has_scope)
        buf_fmt(&out, "%s%.*s. ", w->of_parent ? "parent." : "", STR_ARG(field_scope_name(w->scope)));
    if (w->is_intrinsic) buf_fmt(&out, "%.*s: ", STR_ARG(w->intrinsic_scope));
    if (w->in_quotes) buf_str(&out, STR("quotes "));
    buf_fmt(&out, "<%.*s>[%.*s]", STR_ARG(w->prefix), STR_ARG(str_sub(v.text, w->place.from, w->place.len)));
    if (!str_eq(buf_view(&out), str_of(want))) printf("# %s\n", text);
    CHECK_STR(buf_view(&out), str_of(want));
    buf_fini(&out);
    arena_fini(&v.a);
}

TEST(analyze_knows_what_may_come) {
    check_wanted("^", "filter stage aggregate <>[]");
    check_wanted("{^", "field value } ( <>[]");
    check_wanted("{ ^ }", "field value } ( <>[]");
    check_wanted("{ na^me }", "field value } ( <na>[name]");
    check_wanted("{ span.^ }", "field span. <>[span.]");
    check_wanted("{ span.ht^tp = 1 }", "field span. <ht>[span.http]");
    check_wanted("{ .a.b^", "field . <a.b>[.a.b]");
    check_wanted("{ span.\"a b^", "field span. quotes <a b>[span.\"a b]");
    check_wanted("{ parent.resource.x^", "field parent.resource. <x>[parent.resource.x]");
    check_wanted("{ parent.x^", "field parent.. <x>[parent.x]");
    check_wanted("{ span:du^ }", "field span: <du>[span:du]");
    check_wanted("{ span:^ }", "field span: <>[span:]");
    check_wanted("{ .a ^ }", "} logic equality order pattern arithmetic <>[]");
    check_wanted("{ name ^", "} equality order pattern <>[]");
    check_wanted("{ duration ^", "} equality order arithmetic <>[]");
    check_wanted("{ status ^", "} equality <>[]");
    check_wanted("{ status = ^ }", "field value ( of:status <>[]");
    check_wanted("{ status = er^ }", "field value ( of:status <er>[er]");
    check_wanted("{ span.a = \"x^y\" && .b }", "value of:span.a quotes <x>[xy]");
    check_wanted("{ span.a =~ \"x^ }", "value of:span.a pattern-value quotes <x>[x]");
    check_wanted("{ span.a !~ ^ && .b }", "value of:span.a pattern-value <>[]");
    check_wanted("{ .a = \"x\\\"y\\\\z\\n^ }", "value of:.a quotes <x\"y\\z\\n>[x\\\"y\\\\z\\n]");
    check_wanted("{ .a = 1 && ^ }", "field value ( <>[]");
    check_wanted("{ .a = 1 ^ }", "} logic equality order arithmetic <>[]");
    check_wanted("{ (.a = 1 ^", ") logic equality order arithmetic <>[]");
    check_wanted("{ } ^", "with pipe logic structure <>[]");
    check_wanted("{ } | ^", "filter stage aggregate function <>[]");
    check_wanted("{ } | co^", "filter stage aggregate function <co>[co]");
    check_wanted("{ } | by(^", "field value ( <>[]");
    check_wanted("{ } | select(name^", "field <name>[name]");
    check_wanted("{ } | select(name, ^", "field <>[]");
    check_wanted("{ } | select(name ^", ") , <>[]");
    check_wanted("{ } | count() ^", "equality order arithmetic <>[]");
    check_wanted("{ } | count() > ^", "filter aggregate number <>[]");
    check_wanted("{ } | rate() ^", "by with pipe equality order <>[]");
    check_wanted("{ } | rate() by(^", "field <>[]");
    check_wanted("{ } | rate() | ^", "second <>[]");
    check_wanted("{ } | rate() | topk(^", "number <>[]");
    check_wanted("{ } | rate() with(^", "hint <>[]");
    check_wanted("{ } | rate() with(sample=^", "value <>[]");
    check_wanted("{ } | quantile_over_time(^", "field <>[]");
    check_wanted("{ } | quantile_over_time(duration, ^", "number <>[]");
    check_wanted("{ } >> ^", "filter aggregate <>[]");
    check_wanted("{ .a = 1 // ^", "<>[]");
    check_wanted("{ /* ^ */ .a = 1 }", "<>[]");
    check_wanted("{ foo bar ^", "<>[]");
}

TEST(analyze_takes_any_cursor) {
    static const char *const texts[] = {
        "{ span.\"a b\" = \"x\xc3\xa4y\" && .b =~ `z` } | rate() by(name) with(sample=true)",
        "({ .a = 1ms /* \xc3\xa4 */ } | count() > 2) >> { parent.span.x != nil", "\xff"
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (uint32_t cursor = 0; cursor <= strlen(texts[i]) + 2; cursor++) {
            struct arena a;
            struct ql_analysis x;
            arena_init(&a, 16 << 20, NULL);
            CHECK_OK(ql_analyze(&a, test_exact(str_of(texts[i])), cursor, &x));
            CHECK(x.wanted.place.from <= strlen(texts[i]));
            arena_fini(&a);
        }
}
