// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "config/config_internal.h"

enum { NAME_MAX_BYTES = 128 };

static bool is_name(struct str s) {
    if (s.len == 0 || s.len >= NAME_MAX_BYTES || (s.ptr[0] >= '0' && s.ptr[0] <= '9')) return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i], lower = (char)(c | 32);
        if (!(lower >= 'a' && lower <= 'z') && !(c >= '0' && c <= '9') && c != '_') return false;
    }
    return true;
}

static enum err fail(struct reason *why, const char *what, struct str name) {
    (void)snprintf(why->text, sizeof why->text, what, (int)(name.len > 60 ? 60 : name.len), name.ptr);
    return ERR_INVALID;
}

// What stands between the braces: a name, perhaps ":-" and a default (taken as it is).
static enum err variable(struct str inside, const char *(*env)(const char *name), struct buf *out,
                         struct reason *why) {
    struct str name = inside, initial = STR("");
    bool has_default = false;
    for (size_t i = 0; i + 1 < inside.len && !has_default; i++) {
        has_default = inside.ptr[i] == ':' && inside.ptr[i + 1] == '-';
        if (!has_default) continue;
        name = str_sub(inside, 0, i);
        initial = str_sub(inside, i + 2, inside.len);
    }
    if (!is_name(name)) return fail(why, "\"%.*s\" is no name of an environment variable", name);
    char z[NAME_MAX_BYTES];
    memcpy(z, name.ptr, name.len);
    z[name.len] = '\0';
    const char *value = env(z);
    if (value && value[0] == '\0' && has_default) value = NULL; // as a shell does
    if (!value && !has_default)
        return fail(why, "the environment variable %.*s is not set; ${NAME:-default} gives it a default",
                    name);
    buf_str(out, value ? str_of(value) : initial);
    return ERR_OK;
}

enum err config_expand(struct str text, const char *(*env)(const char *name), struct buf *out,
                       struct reason *why) {
    for (struct str head; text.len > 0;) {
        bool dollar = str_cut(text, '$', &head, &text);
        buf_str(out, head);
        if (!dollar) break;
        if (str_starts(text, STR("$"))) {
            buf_char(out, '$');
            text = str_sub(text, 1, text.len);
        } else if (str_starts(text, STR("{"))) {
            struct str inside;
            if (!str_cut(str_sub(text, 1, text.len), '}', &inside, &text))
                return fail(why, "\"${%.*s\" has no closing brace", inside);
            TRY(variable(inside, env, out, why));
        } else {
            buf_char(out, '$');
        }
    }
    return out->failed ? fail(why, "the value is longer than 4096 bytes%.*s", STR("")) : ERR_OK;
}
