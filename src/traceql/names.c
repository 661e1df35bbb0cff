// SPDX-License-Identifier: Apache-2.0
#include "traceql/lex.h"

// The spellings without a scope. The list is closed: newer intrinsics have only the scoped form.
static const struct {
    const char *name;
    enum intrinsic intrinsic;
} unscoped[] = {
    { "duration", INTRINSIC_DURATION },
    { "name", INTRINSIC_NAME },
    { "status", INTRINSIC_STATUS },
    { "statusMessage", INTRINSIC_STATUS_MESSAGE },
    { "kind", INTRINSIC_KIND },
    { "rootName", INTRINSIC_ROOT_NAME },
    { "rootServiceName", INTRINSIC_ROOT_SERVICE },
    { "traceDuration", INTRINSIC_TRACE_DURATION },
    { "nestedSetLeft", INTRINSIC_NESTED_LEFT },
    { "nestedSetRight", INTRINSIC_NESTED_RIGHT },
    { "nestedSetParent", INTRINSIC_NESTED_PARENT },
    { "parent", INTRINSIC_PARENT },
};
enum { N_UNSCOPED = sizeof unscoped / sizeof *unscoped };

bool name_unscoped(struct str word, enum intrinsic *out) {
    for (size_t i = 0; i < N_UNSCOPED; i++)
        if (str_eq(word, str_of(unscoped[i].name))) {
            *out = unscoped[i].intrinsic;
            return true;
        }
    return false;
}

struct str name_of_intrinsic(enum intrinsic i) {
    for (size_t k = 0; k < N_UNSCOPED; k++)
        if (unscoped[k].intrinsic == i) return str_of(unscoped[k].name);
    return intrinsic_name(i);
}

bool name_scoped(struct str word, enum intrinsic *out) {
    for (int i = INTRINSIC_NONE + 1; i < INTRINSIC_COUNT; i++) {
        struct str name = intrinsic_name((enum intrinsic)i);
        if (!str_eq(word, name) || str_find(name, ':') < 0) continue;
        *out = (enum intrinsic)i;
        return true;
    }
    return false;
}

struct field field_of_intrinsic(enum intrinsic i) {
    static const enum field_scope scopes[INTRINSIC_COUNT] = {
#define X(id, name, type, scope) [INTRINSIC_##id] = scope,
        INTRINSIC_TABLE(X)
#undef X
    };
    return (struct field){ .scope = scopes[i], .intrinsic = i, .key = STR("") };
}

bool name_scope(struct str word, enum field_scope *out) {
    for (int s = FIELD_SPAN; s < FIELD_SCOPE_COUNT; s++)
        if (str_eq(word, field_scope_name((enum field_scope)s))) {
            *out = (enum field_scope)s;
            return true;
        }
    return false;
}

bool name_literal(struct str word, struct value *out) {
    static const struct {
        const char *word;
        struct value value;
    } words[] = {
        { "true", { .type = VALUE_BOOL, .i = 1 } },
        { "false", { .type = VALUE_BOOL } },
        { "nil", { .type = VALUE_NIL } },
        { "minInt", { .type = VALUE_INT, .i = INT64_MIN } },
        { "maxInt", { .type = VALUE_INT, .i = INT64_MAX } },
        { "unset", { .type = VALUE_STATUS, .i = 0 } },
        { "ok", { .type = VALUE_STATUS, .i = 1 } },
        { "error", { .type = VALUE_STATUS, .i = 2 } },
        { "unspecified", { .type = VALUE_KIND, .i = 0 } },
        { "internal", { .type = VALUE_KIND, .i = 1 } },
        { "server", { .type = VALUE_KIND, .i = 2 } },
        { "client", { .type = VALUE_KIND, .i = 3 } },
        { "producer", { .type = VALUE_KIND, .i = 4 } },
        { "consumer", { .type = VALUE_KIND, .i = 5 } },
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_eq(word, str_of(words[i].word))) {
            *out = words[i].value;
            return true;
        }
    return false;
}
