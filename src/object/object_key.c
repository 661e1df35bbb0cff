// SPDX-License-Identifier: Apache-2.0
#include "object/object_internal.h"

static bool is_key_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

static bool chars_ok(struct str part) {
    for (size_t i = 0; i < part.len; i++)
        if (!is_key_char(part.ptr[i])) return false;
    return part.len <= OBJECT_PART_MAX;
}

static bool part_ok(struct str part) {
    return part.len && chars_ok(part) && !str_eq(part, STR(".")) && !str_eq(part, STR(".."));
}

bool object_prefix_ok(struct str prefix) {
    if (prefix.len > OBJECT_KEY_MAX) return false;
    struct str part;
    while (str_cut(prefix, '/', &part, &prefix))
        if (!part_ok(part)) return false;
    return chars_ok(part);
}

bool object_key_ok(struct str key) {
    struct str part = key, rest = key;
    if (!object_prefix_ok(key)) return false;
    while (str_cut(rest, '/', &part, &rest)) continue;
    return part_ok(part);
}
