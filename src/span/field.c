// SPDX-License-Identifier: Apache-2.0
#include "span/field.h"

#include "base/hash.h"

bool field_eq(const struct field *a, const struct field *b) {
    if (a->of_parent != b->of_parent || a->intrinsic != b->intrinsic) return false;
    return a->intrinsic != INTRINSIC_NONE || (a->scope == b->scope && str_eq(a->key, b->key));
}

uint64_t field_hash(const struct field *f) {
    uint64_t what = (uint64_t)f->intrinsic << 1 | f->of_parent;
    if (f->intrinsic != INTRINSIC_NONE) return hash_u64(what);
    return hash_u64(what | (uint64_t)f->scope << 32) ^ hash_str(f->key);
}

enum value_type field_type(const struct field *f) {
    static const enum value_type types[INTRINSIC_COUNT] = {
#define X(id, name, type, scope) [INTRINSIC_##id] = type,
        INTRINSIC_TABLE(X)
#undef X
    };
    return types[f->intrinsic];
}

struct str intrinsic_name(enum intrinsic i) {
    static const char *const names[INTRINSIC_COUNT] = {
#define X(id, name, type, scope) [INTRINSIC_##id] = name,
        INTRINSIC_TABLE(X)
#undef X
    };
    return str_of(names[i]);
}

struct str field_scope_name(enum field_scope s) {
    static const char *const names[FIELD_SCOPE_COUNT] = {
        [FIELD_UNSCOPED] = "",   [FIELD_SPAN] = "span", [FIELD_RESOURCE] = "resource",
        [FIELD_EVENT] = "event", [FIELD_LINK] = "link", [FIELD_INSTRUMENTATION] = "instrumentation",
    };
    return str_of(names[s]);
}
