// SPDX-License-Identifier: Apache-2.0
// The words of the language that may come at a cursor.
#include "traceql/parse.h"

static const struct group {
    uint32_t what; // one of these must be wanted
    enum ql_class kind;
    const char *words; // with spaces between
} groups[] = {
    { QL_WANT_FIELD, QL_CLASS_SCOPE, ". span. resource. event. link. instrumentation. parent." },
    { QL_WANT_FIELD, QL_CLASS_INTRINSIC,
      "duration name status kind statusMessage rootName rootServiceName traceDuration span:id span:parentID "
      "span:childCount span:traceState trace:id event:name event:timeSinceStart link:traceID link:spanID "
      "instrumentation:name "
      "instrumentation:version nestedSetLeft nestedSetRight nestedSetParent" },
    { QL_WANT_FILTER, QL_CLASS_PUNCTUATION, "{" },
    { QL_WANT_STAGE, QL_CLASS_FUNCTION, "by( select(" },
    { QL_WANT_AGGREGATE, QL_CLASS_FUNCTION, "count() avg( max( min( sum(" },
    { QL_WANT_FUNCTION, QL_CLASS_FUNCTION,
      "coalesce() rate() count_over_time() quantile_over_time( histogram_over_time( avg_over_time( "
      "max_over_time( "
      "min_over_time( sum_over_time( compare(" },
    { QL_WANT_SECOND, QL_CLASS_FUNCTION, "topk( bottomk(" },
    { QL_WANT_BY, QL_CLASS_FUNCTION, "by(" },
    { QL_WANT_PIPE, QL_CLASS_PUNCTUATION, "|" },
    { QL_WANT_CLOSE_BRACE, QL_CLASS_PUNCTUATION, "}" },
    { QL_WANT_CLOSE, QL_CLASS_PUNCTUATION, ")" },
    { QL_WANT_COMMA, QL_CLASS_PUNCTUATION, "," },
    { QL_WANT_EQUALITY, QL_CLASS_OPERATOR, "= !=" },
    { QL_WANT_PATTERN, QL_CLASS_OPERATOR, "=~ !~" },
    { QL_WANT_ORDER, QL_CLASS_OPERATOR, "> >= < <=" },
    { QL_WANT_LOGIC, QL_CLASS_OPERATOR, "&& ||" },
    { QL_WANT_ARITHMETIC, QL_CLASS_OPERATOR, "+ - * / % ^" },
    { QL_WANT_STRUCTURE, QL_CLASS_OPERATOR, ">> > << < ~ !>> !> !<< !< !~ &>> &> &<< &< &~" },
    { QL_WANT_WITH, QL_CLASS_FUNCTION, "with(" },
    { QL_WANT_HINT, QL_CLASS_KEYWORD, "most_recent= exemplars= sample=" },
    { QL_WANT_OP_ASSIGN, QL_CLASS_OPERATOR, "=" },
};

// The words that a value of a type may be.
static const char *value_words(const struct ql_wanted *w) {
    enum value_type t = w->has_field ? field_type(&w->field) : VALUE_ANY;
    bool attribute = w->has_field && w->field.intrinsic == INTRINSIC_NONE;
    switch (t) {
    case VALUE_STATUS: return "error ok unset";
    case VALUE_KIND: return "server client internal producer consumer unspecified";
    case VALUE_NIL: return attribute ? "true false nil" : "nil";
    case VALUE_ANY: return (w->what & QL_WANT_FIELD) ? "" : "true false";
    default: return "";
    }
}

struct list {
    struct arena *arena;
    struct ql_candidate *items;
    uint32_t n, cap;
    bool failed;
};

static void add(struct list *l, struct str text, enum ql_class kind) {
    if (l->n == l->cap && !l->failed) {
        struct ql_candidate *grown = ARENA_ARRAY(l->arena, l->cap ? l->cap * 2u : 32, struct ql_candidate);
        if (grown && l->n) memcpy(grown, l->items, l->n * sizeof *grown);
        l->failed = !grown;
        l->cap = l->cap ? l->cap * 2 : 32;
        l->items = grown;
    }
    if (!l->failed) l->items[l->n++] = (struct ql_candidate){ text, kind };
}

static void add_words(struct list *l, const char *words, struct str prefix, enum ql_class kind) {
    struct str all = str_of(words), word;
    while (all.len) {
        (void)str_cut(all, ' ', &word, &all);
        bool fits = word.len >= prefix.len && str_eq_nocase(str_sub(word, 0, prefix.len), prefix);
        if (fits) add(l, word, kind);
    }
}

// Behind `span:` the rest of the names.
static void add_scoped(struct list *l, const struct ql_wanted *w) {
    for (int i = INTRINSIC_NONE + 1; i < INTRINSIC_COUNT; i++) {
        struct str name = intrinsic_name((enum intrinsic)i), scope, rest;
        if (!str_cut(name, ':', &scope, &rest) || !str_eq(scope, w->intrinsic_scope)) continue;
        if (str_starts(rest, w->prefix)) add(l, rest, QL_CLASS_INTRINSIC);
    }
}

bool candidates_of(struct arena *a, const struct ql_wanted *w, const struct ql_candidate **out,
                   uint32_t *out_n) {
    struct list l = { .arena = a };
    bool word = !w->has_scope && !w->in_quotes && !w->is_intrinsic;
    if (w->is_intrinsic && (w->what & QL_WANT_FIELD)) add_scoped(&l, w);
    if (word && (w->what & QL_WANT_VALUE)) add_words(&l, value_words(w), w->prefix, QL_CLASS_KEYWORD);
    for (size_t i = 0; word && i < sizeof groups / sizeof *groups; i++)
        if (w->what & groups[i].what) add_words(&l, groups[i].words, w->prefix, groups[i].kind);
    *out = l.items;
    *out_n = l.n;
    return !l.failed;
}
