// SPDX-License-Identifier: Apache-2.0
#include "api/complete.h"

#include "api/page.h"
#include "api/tags.h"
#include "os/clock.h"

// Somebody is typing: what is not there by then is not shown.
#define LOOK_NS 500000000ull
enum { LOOK_BYTES = 16 << 20 };

static bool contains_nocase(struct str s, struct str part, bool *at_start) {
    *at_start = false;
    for (size_t i = 0; i + part.len <= s.len; i++)
        if (str_eq_nocase(str_sub(s, i, part.len), part)) {
            *at_start = i == 0;
            return true;
        }
    return false;
}

static void add(struct completion *c, struct str text, const char *kind, struct str detail) {
    if (c->n < COMPLETION_ITEMS_MAX)
        c->items[c->n++] = (struct completion_item){ text, str_of(kind), detail };
}

static struct query_bounds look_bounds(const struct ask *k, uint64_t start_ns, uint64_t end_ns) {
    struct query_bounds b = ask_bounds(k, start_ns, end_ns);
    uint64_t soon = clock_mono_ns(k->limits->clock) + LOOK_NS;
    if (b.deadline_ns == 0 || soon < b.deadline_ns) b.deadline_ns = soon;
    if (b.memory_max == 0 || b.memory_max > LOOK_BYTES) b.memory_max = LOOK_BYTES;
    return b;
}

static struct str printed_field(struct ask *k, const struct field *f) {
    struct buf b;
    buf_init(&b, 64 << 10);
    ql_print_field(f, &b);
    struct str s = str_dup(&k->arena, buf_view(&b));
    buf_fini(&b);
    return s;
}

// --- fields ------------------------------------------------------------------------------------------------

// Can a value of this type be compared with the other side? Of attributes nobody knows before.
static bool compares(const struct ql_wanted *w, enum value_type t) {
    enum value_type other = w->has_field ? field_type(&w->field) : VALUE_NIL;
    return other == VALUE_NIL || t == VALUE_NIL || other == t ||
           (value_is_number(other) && value_is_number(t));
}

static void add_intrinsic(struct ask *k, const struct ql_wanted *w, struct str name, struct completion *c) {
    struct str scope, rest;
    struct field f;
    struct err_ctx ctx;
    bool scoped = str_cut(name, ':', &scope, &rest), at_start;
    if (w->is_intrinsic && (!scoped || !str_eq(scope, w->intrinsic_scope))) return;
    if (!contains_nocase(w->is_intrinsic ? rest : name, w->prefix, &at_start)) return;
    if (ql_parse_field(&k->arena, name, &f, &ctx) == ERR_OK && compares(w, field_type(&f)))
        add(c, name, "intrinsic", STR(""));
}

static void add_intrinsics(struct ask *k, const struct ql_wanted *w, struct completion *c) {
    static const struct str more[] = {
        // which lists of tags do not have
        { "span:childCount", 15 }, { "span:traceState", 15 }, { "nestedSetParent", 15 },
        { "nestedSetLeft", 13 },   { "nestedSetRight", 14 },
    };
    uint32_t n;
    const struct str *all = tags_intrinsics(&n);
    for (uint32_t i = 0; i < n; i++) add_intrinsic(k, w, all[i], c);
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) add_intrinsic(k, w, more[i], c);
}

static void add_scopes(const struct ql_wanted *w, struct completion *c) {
    static const struct str scopes[] = { { "span.", 5 }, { "resource.", 9 },         { "event.", 6 },
                                         { "link.", 5 }, { "instrumentation.", 16 }, { "parent.", 7 } };
    for (size_t i = 0; i < sizeof scopes / sizeof *scopes; i++)
        if (str_eq_nocase(str_sub(scopes[i], 0, w->prefix.len), w->prefix))
            add(c, scopes[i], "scope", STR("attributes"));
}

// Names that begin with what is typed first, then those that hold it. Under an open scope (`.`) as they
// were typed: without one.
static void add_names(struct ask *k, const struct ql_wanted *w, const struct tag_names *names, bool at_start,
                      struct completion *c) {
    bool unscoped = w->has_scope && w->scope == FIELD_UNSCOPED, starts;
    for (int s = FIELD_SPAN; s < FIELD_SCOPE_COUNT; s++)
        for (uint32_t i = 0; i < names->scopes[s].n && c->n < COMPLETION_ITEMS_MAX; i++) {
            struct str name = str_dup(&k->arena, names->scopes[s].names[i]);
            struct field f = { .scope = unscoped ? FIELD_UNSCOPED : (enum field_scope)s,
                               .of_parent = w->of_parent,
                               .key = name };
            if (!contains_nocase(name, w->prefix, &starts) || starts != at_start) continue;
            add(c, printed_field(k, &f), "attribute", field_scope_name((enum field_scope)s));
        }
}

static enum err add_attributes(struct ask *k, const struct ql_wanted *w, uint64_t start_ns, uint64_t end_ns,
                               struct completion *c) {
    uint32_t all = 1 << FIELD_SPAN | 1 << FIELD_RESOURCE | 1 << FIELD_EVENT | 1 << FIELD_LINK |
                   1 << FIELD_INSTRUMENTATION;
    uint32_t scopes = w->has_scope && w->scope != FIELD_UNSCOPED ? 1u << w->scope : all;
    struct query_bounds bounds = look_bounds(k, start_ns, end_ns);
    struct tag_names names;
    struct err_ctx ctx = { 0 };
    enum err e = tags_names(k->view, scopes, NULL, &bounds, 0, &names, &ctx);
    if (e != ERR_OK) return e == ERR_CANCELED || e == ERR_NOMEM ? e : ERR_OK; // the words are still there
    add_names(k, w, &names, true, c);
    add_names(k, w, &names, false, c);
    tag_names_fini(&names);
    return ERR_OK;
}

static enum err add_fields(struct ask *k, const struct ql_wanted *w, uint64_t start_ns, uint64_t end_ns,
                           struct completion *c) {
    if (!w->has_scope) add_intrinsics(k, w, c);
    if (w->is_intrinsic) return ERR_OK;
    if (!w->has_scope) add_scopes(w, c);
    return add_attributes(k, w, start_ns, end_ns, c);
}

// --- values ------------------------------------------------------------------------------------------------

static void add_keywords(const struct ql_wanted *w, const char *const *words, uint32_t n,
                         struct completion *c) {
    for (uint32_t i = 0; i < n; i++)
        if (str_eq_nocase(str_sub(str_of(words[i]), 0, w->prefix.len), w->prefix))
            add(c, str_of(words[i]), "value", STR("keyword"));
}

// The regular expression that matches this text only.
static struct str pattern_of(struct ask *k, struct str text) {
    char *out = ARENA_ARRAY(&k->arena, 2 * text.len + 1, char);
    size_t n = 0;
    for (size_t i = 0; out && i < text.len; i++) {
        if (text.ptr[i] && strchr("\\.+*?()|[]{}^$", text.ptr[i])) out[n++] = '\\';
        out[n++] = text.ptr[i];
    }
    return (struct str){ out, out ? n : 0 };
}

static void add_literal(struct ask *k, const struct value *v, bool is_pattern, struct completion *c) {
    struct ql_expr e = { .kind = QL_CONST, .type = (int)v->type, .value = *v };
    if (is_pattern && v->type != VALUE_STRING) return;
    if (is_pattern) e.value.s = pattern_of(k, v->s);
    struct buf b;
    buf_init(&b, 64 << 10);
    ql_print_expr(&e, &b);
    if (!b.failed) // a value as long as that is none to choose
        add(c, str_dup(&k->arena, buf_view(&b)), "value", page_type_name(v->type));
    buf_fini(&b);
}

static void add_found(struct ask *k, const struct ql_wanted *w, const struct tag_values *values,
                      bool at_start, struct completion *c) {
    struct buf text;
    bool starts;
    buf_init(&text, 64 << 10);
    for (uint32_t i = 0; i < values->n && c->n < COMPLETION_ITEMS_MAX; i++) {
        buf_reset(&text);
        value_text(&values->values[i], &text);
        if (!text.failed && contains_nocase(buf_view(&text), w->prefix, &starts) && starts == at_start)
            add_literal(k, &values->values[i], w->is_pattern, c);
    }
    buf_fini(&text);
}

static enum err add_values(struct ask *k, const struct ql_wanted *w, uint64_t start_ns, uint64_t end_ns,
                           struct completion *c) {
    static const char *const statuses[] = { "error", "ok", "unset" };
    static const char *const kinds[] = {
        "server", "client", "internal", "producer", "consumer", "unspecified"
    };
    struct query_bounds bounds = look_bounds(k, start_ns, end_ns);
    struct tag_values values;
    struct err_ctx ctx = { 0 };
    struct field f = w->field;
    if (!w->has_field) return ERR_OK;
    f.of_parent = false; // the same attribute of another span
    enum value_type type = field_type(&f);
    if (type == VALUE_STATUS) add_keywords(w, statuses, 3, c);
    if (type == VALUE_KIND) add_keywords(w, kinds, 6, c);
    if (type == VALUE_STATUS || type == VALUE_KIND || type == VALUE_DURATION || tags_is_unlisted(&f))
        return ERR_OK;
    enum err e = tags_values(k->view, &f, NULL, &bounds, 0, &values, &ctx);
    if (e != ERR_OK) return e == ERR_CANCELED || e == ERR_NOMEM ? e : ERR_OK;
    add_found(k, w, &values, true, c);
    add_found(k, w, &values, false, c);
    tag_values_fini(&values);
    return ERR_OK;
}

// --- words of the language ---------------------------------------------------------------------------------

static const struct word {
    uint32_t what;
    const char *text, *kind, *detail;
} words[] = {
    { QL_WANT_FILTER, "{ ", "operator", "a filter of spans" },
    { QL_WANT_FILTER, "(", "operator", "" },
    { QL_WANT_STAGE, "by(", "function", "a set of spans for each value" },
    { QL_WANT_STAGE, "select(", "function", "attributes to show" },
    { QL_WANT_STAGE, "coalesce()", "function", "one set of spans again" },
    { QL_WANT_AGGREGATE, "count()", "function", "number of spans" },
    { QL_WANT_AGGREGATE, "avg(", "function", "mean of a field" },
    { QL_WANT_AGGREGATE, "min(", "function", "least value of a field" },
    { QL_WANT_AGGREGATE, "max(", "function", "largest value of a field" },
    { QL_WANT_AGGREGATE, "sum(", "function", "sum of a field" },
    { QL_WANT_FUNCTION, "rate()", "function", "spans per second" },
    { QL_WANT_FUNCTION, "count_over_time()", "function", "spans per interval" },
    { QL_WANT_FUNCTION, "quantile_over_time(", "function", "quantiles of a field" },
    { QL_WANT_FUNCTION, "histogram_over_time(", "function", "spans by powers of two of a field" },
    { QL_WANT_FUNCTION, "avg_over_time(", "function", "mean of a field" },
    { QL_WANT_FUNCTION, "min_over_time(", "function", "least value of a field" },
    { QL_WANT_FUNCTION, "max_over_time(", "function", "largest value of a field" },
    { QL_WANT_FUNCTION, "sum_over_time(", "function", "sum of a field" },
    { QL_WANT_FUNCTION, "compare({ ", "function", "what sets some spans apart" },
    { QL_WANT_SECOND, "topk(", "function", "the largest series" },
    { QL_WANT_SECOND, "bottomk(", "function", "the smallest series" },
    { QL_WANT_BY, "by(", "function", "a series for each value" },
    { QL_WANT_WITH, "with(", "function", "hints" },
    { QL_WANT_HINT, "most_recent", "keyword", "true or false" },
    { QL_WANT_HINT, "exemplars", "keyword", "how many, true or false" },
    { QL_WANT_HINT, "sample", "keyword", "true, or a share" },
    { QL_WANT_VALUE, "true", "keyword", "bool" },
    { QL_WANT_VALUE, "false", "keyword", "bool" },
    { QL_WANT_VALUE, "nil", "keyword", "absent" },
    { QL_WANT_EQUALITY, "=", "operator", "" },
    { QL_WANT_EQUALITY, "!=", "operator", "" },
    { QL_WANT_PATTERN, "=~", "operator", "matches a regular expression" },
    { QL_WANT_PATTERN, "!~", "operator", "does not match a regular expression" },
    { QL_WANT_ORDER, ">", "operator", "" },
    { QL_WANT_ORDER, ">=", "operator", "" },
    { QL_WANT_ORDER, "<", "operator", "" },
    { QL_WANT_ORDER, "<=", "operator", "" },
    { QL_WANT_LOGIC, "&&", "operator", "and" },
    { QL_WANT_LOGIC, "||", "operator", "or" },
    { QL_WANT_STRUCTURE, ">>", "operator", "descendants" },
    { QL_WANT_STRUCTURE, ">", "operator", "children" },
    { QL_WANT_STRUCTURE, "<<", "operator", "ancestors" },
    { QL_WANT_STRUCTURE, "<", "operator", "parents" },
    { QL_WANT_STRUCTURE, "~", "operator", "siblings" },
    { QL_WANT_STRUCTURE, "!>>", "operator", "no descendants" },
    { QL_WANT_STRUCTURE, "!>", "operator", "no children" },
    { QL_WANT_STRUCTURE, "!<<", "operator", "no ancestors" },
    { QL_WANT_STRUCTURE, "!<", "operator", "no parents" },
    { QL_WANT_STRUCTURE, "!~", "operator", "no siblings" },
    { QL_WANT_STRUCTURE, "&>>", "operator", "both sides of descendants" },
    { QL_WANT_STRUCTURE, "&>", "operator", "both sides of children" },
    { QL_WANT_STRUCTURE, "&<<", "operator", "both sides of ancestors" },
    { QL_WANT_STRUCTURE, "&<", "operator", "both sides of parents" },
    { QL_WANT_STRUCTURE, "&~", "operator", "both sides of siblings" },
    { QL_WANT_ARITHMETIC, "+", "operator", "" },
    { QL_WANT_ARITHMETIC, "-", "operator", "" },
    { QL_WANT_ARITHMETIC, "*", "operator", "" },
    { QL_WANT_ARITHMETIC, "/", "operator", "" },
    { QL_WANT_ARITHMETIC, "%", "operator", "" },
    { QL_WANT_ARITHMETIC, "^", "operator", "" },
    { QL_WANT_CLOSE_BRACE, "}", "operator", "" },
    { QL_WANT_CLOSE, ")", "operator", "" },
    { QL_WANT_OPEN, "(", "operator", "" },
    { QL_WANT_COMMA, ",", "operator", "" },
    { QL_WANT_PIPE, "|", "operator", "" },
    { QL_WANT_OP_ASSIGN, "=", "operator", "" },
};

// true, false and nil, only where they can be.
static bool is_out_of_place(const struct ql_wanted *w, const struct word *word) {
    enum value_type other = w->has_field ? field_type(&w->field) : VALUE_NIL;
    return word->what == QL_WANT_VALUE && (w->is_pattern || (other != VALUE_NIL && other != VALUE_BOOL));
}

static void add_words(const struct ql_wanted *w, struct completion *c) {
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct str text = str_of(words[i].text);
        if (!(w->what & words[i].what) || !str_eq_nocase(str_sub(text, 0, w->prefix.len), w->prefix) ||
            is_out_of_place(w, &words[i]))
            continue;
        bool twice = false;
        for (uint32_t k = 0; k < c->n; k++) twice |= str_eq(c->items[k].text, text);
        if (!twice) add(c, text, words[i].kind, str_of(words[i].detail));
    }
}

enum err complete(struct ask *k, const struct ql_wanted *w, bool has_cursor, uint64_t start_ns,
                  uint64_t end_ns, struct completion *out) {
    *out = (struct completion){ ARENA_ARRAY(&k->arena, COMPLETION_ITEMS_MAX, struct completion_item), 0 };
    if (!out->items) return ERR_NOMEM;
    if (!has_cursor) return ERR_OK;
    if (w->what & QL_WANT_VALUE) TRY(add_values(k, w, start_ns, end_ns, out));
    if (w->what & QL_WANT_FIELD) TRY(add_fields(k, w, start_ns, end_ns, out));
    if (!w->in_quotes && !w->has_scope && !w->is_intrinsic) add_words(w, out);
    return k->arena.failed ? ERR_NOMEM : ERR_OK;
}
