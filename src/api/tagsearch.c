// SPDX-License-Identifier: Apache-2.0
// Searches by tags, from before TraceQL: each becomes the filter that says the same. A tag is an
// attribute of any scope with that value, as text or as what the text reads as; some names stand
// for what has no attribute.
#include "api/search.h"
#include "base/json.h"

static struct ql_expr *expr(struct ask *k, struct ql_expr e) {
    return arena_copy(&k->arena, &e, sizeof e);
}

static struct ql_expr *binary(struct ask *k, enum ql_op op, const struct ql_expr *l,
                              const struct ql_expr *r) {
    return expr(k,
                (struct ql_expr){ .kind = QL_BINARY, .op = op, .type = VALUE_BOOL, .left = l, .right = r });
}

static struct ql_expr *field_expr(struct ask *k, struct field f) {
    int type = f.intrinsic == INTRINSIC_NONE ? QL_UNKNOWN : (int)field_type(&f);
    return expr(k, (struct ql_expr){ .kind = QL_FIELD, .type = type, .field = f });
}

static struct ql_expr *compare(struct ask *k, struct field f, enum ql_op op, struct value v) {
    struct ql_expr *constant = expr(k, (struct ql_expr){ .kind = QL_CONST, .type = (int)v.type, .value = v });
    return binary(k, op, field_expr(k, f), constant);
}

static struct field intrinsic(enum intrinsic i) {
    return (struct field){ .scope = FIELD_SPAN, .intrinsic = i };
}

static struct ql_expr *attribute_is(struct ask *k, const struct search_tag *t) {
    struct field f = { .scope = FIELD_UNSCOPED, .key = t->key };
    struct ql_expr *e = compare(k, f, QL_EQ, VALUE_OF_STR(t->value));
    int64_t i;
    double d;
    if (str_i64(t->value, &i))
        e = binary(k, QL_OR, e, compare(k, f, QL_EQ, VALUE_OF_INT(i)));
    else if (json_f64(t->value, &d))
        e = binary(k, QL_OR, e, compare(k, f, QL_EQ, VALUE_OF_FLOAT(d)));
    else if (str_eq(t->value, STR("true")) || str_eq(t->value, STR("false")))
        e = binary(k, QL_OR, e, compare(k, f, QL_EQ, VALUE_OF_BOOL(*t->value.ptr == 't')));
    return e;
}

static struct ql_expr *status_is(struct ask *k, int status) {
    return compare(k, intrinsic(INTRINSIC_STATUS), QL_EQ,
                   (struct value){ .type = VALUE_STATUS, .i = status });
}

static enum err tag_expr(struct ask *k, const struct search_tag *t, struct ql_expr **out) {
    static const struct {
        struct str key;
        enum intrinsic intrinsic;
    } names[] = { { { "name", 4 }, INTRINSIC_NAME },
                  { { "root.name", 9 }, INTRINSIC_ROOT_NAME },
                  { { "root.service.name", 17 }, INTRINSIC_ROOT_SERVICE } };
    static const char *const statuses[] = { "unset", "ok", "error" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eq(t->key, names[i].key)) {
            *out = compare(k, intrinsic(names[i].intrinsic), QL_EQ, VALUE_OF_STR(t->value));
            return ERR_OK;
        }
    if (str_eq(t->key, STR("error")) && str_eq(t->value, STR("true"))) {
        *out = status_is(k, 2);
        return ERR_OK;
    }
    if (str_eq(t->key, STR("status.code"))) {
        for (int i = 0; i < 3; i++)
            if (str_eq(t->value, str_of(statuses[i]))) {
                *out = status_is(k, i);
                return ERR_OK;
            }
        return err_set(&k->ctx, ERR_INVALID, "the tag status.code is one of unset, ok, error");
    }
    *out = attribute_is(k, t);
    return ERR_OK;
}

static struct ql_expr *both(struct ask *k, struct ql_expr *l, struct ql_expr *r) {
    return l ? binary(k, QL_AND, l, r) : r;
}

enum err search_tags_text(struct ask *k, const struct search_ask *s, struct str *out) {
    struct ql_expr *all = NULL, *e = NULL;
    struct field duration = intrinsic(INTRINSIC_TRACE_DURATION);
    struct value v = { .type = VALUE_DURATION };
    struct buf text;
    for (uint32_t i = 0; i < s->n_tags; i++) {
        if (!str_is_utf8(s->tags[i].key) || !str_is_utf8(s->tags[i].value))
            return err_set(&k->ctx, ERR_INVALID, "a tag is not UTF-8");
        TRY(tag_expr(k, &s->tags[i], &e));
        all = both(k, all, e);
    }
    v.i = (int64_t)s->min_duration_ns;
    if (s->min_duration_ns) all = both(k, all, compare(k, duration, QL_GE, v));
    v.i = (int64_t)s->max_duration_ns;
    if (s->max_duration_ns) all = both(k, all, compare(k, duration, QL_LE, v));
    if (k->arena.failed) return ERR_NOMEM;
    buf_init(&text, QL_TEXT_MAX);
    buf_str(&text, STR("{ "));
    if (all) ql_print_expr(all, &text);
    buf_str(&text, STR(" }"));
    *out = str_dup(&k->arena, buf_view(&text));
    bool failed = text.failed || !out->ptr;
    buf_fini(&text);
    return failed ? err_set(&k->ctx, ERR_LIMIT, "the tags are too long") : ERR_OK;
}

// --- logfmt ----------------------------------------------------------------------------------------------

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct str take_bare(struct str *s, bool is_key) {
    size_t n = 0;
    while (n < s->len && !is_space(s->ptr[n]) && !(is_key && s->ptr[n] == '=')) n++;
    struct str word = str_sub(*s, 0, n);
    *s = str_sub(*s, n, s->len);
    return word;
}

static char unescaped(char c) {
    return (char)(c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c);
}

// The opening quote is the first character. false: no closing one.
static bool take_quoted(struct arena *a, struct str *s, struct str *out) {
    char *text = arena_alloc(a, s->len);
    size_t n = 0;
    if (!text) return false;
    for (size_t i = 1; i < s->len; i++) {
        char c = s->ptr[i];
        if (c == '"') {
            *out = (struct str){ text, n };
            *s = str_sub(*s, i + 1, s->len);
            return true;
        }
        if (c == '\\' && i + 1 < s->len) c = unescaped(s->ptr[++i]);
        text[n++] = c;
    }
    return false;
}

enum err search_tags_parse(struct ask *k, struct str text, struct search_ask *s) {
    for (;;) {
        struct search_tag t;
        while (text.len && is_space(*text.ptr)) text = str_sub(text, 1, text.len);
        if (text.len == 0) return ERR_OK;
        t.key = take_bare(&text, true);
        if (t.key.len == 0 || text.len == 0 || *text.ptr != '=')
            return err_set(&k->ctx, ERR_INVALID,
                           "tags are key=value pairs with spaces between them (logfmt)");
        text = str_sub(text, 1, text.len);
        if (text.len && *text.ptr == '"') {
            if (!take_quoted(&k->arena, &text, &t.value))
                return err_set(&k->ctx, ERR_INVALID, "a quote is not closed in tags");
        } else {
            t.value = take_bare(&text, false);
        }
        if (s->n_tags == SEARCH_TAGS_MAX)
            return err_set(&k->ctx, ERR_INVALID, "more than %d tags", SEARCH_TAGS_MAX);
        s->tags[s->n_tags++] = t;
    }
}
