// SPDX-License-Identifier: Apache-2.0
// A table of settings as commented YAML and as Markdown.
#include "config/config_internal.h"

enum { LINE = 96 };

// The words of a text as comment lines.
static void put_comment(struct buf *out, uint32_t indent, struct str text) {
    size_t column = SIZE_MAX;
    for (struct str word; text.len > 0;) {
        (void)str_cut(text, ' ', &word, &text);
        if (column == SIZE_MAX || column + 1 + word.len > LINE) {
            if (column != SIZE_MAX) buf_char(out, '\n');
            buf_fmt(out, "%*s#", (int)indent, "");
            column = indent + 1;
        }
        buf_char(out, ' ');
        buf_str(out, word);
        column += 1 + word.len;
    }
    buf_char(out, '\n');
}

// Opens the sections of `name` that `before` was not in; returns the level of its last part.
static uint32_t put_sections(struct buf *out, struct str before, struct str name, struct str *out_key) {
    uint32_t level = 0;
    bool same = true;
    for (struct str part, rest; str_cut(name, '.', &part, &rest); name = rest, level++) {
        struct str other;
        bool more = str_cut(before, '.', &other, &before);
        same = same && more && str_eq(part, other);
        if (!same) buf_fmt(out, "%s%*s%.*s:\n", level ? "" : "\n", (int)level * 2, "", STR_ARG(part));
    }
    *out_key = name;
    return level;
}

static void put_type(const struct setting *s, struct buf *out) {
    static const char *const texts[SETTING_TYPE_COUNT] = {
        [SETTING_PATH] = "path",   [SETTING_STRING] = "text",        [SETTING_ADDRESS] = "address",
        [SETTING_LIST] = "list",   [SETTING_SIZE] = "size",          [SETTING_DURATION] = "duration",
        [SETTING_COUNT] = "count", [SETTING_BOOL] = "true or false", [SETTING_SECRET] = "secret text",
    };
    struct str one, rest = str_of(s->choices);
    if (s->type != SETTING_CHOICE) buf_str(out, str_of(texts[s->type]));
    while (s->type == SETTING_CHOICE && rest.len > 0) {
        bool more = str_cut(rest, '|', &one, &rest);
        buf_str(out, one);
        if (more) buf_str(out, str_find(rest, '|') < 0 ? STR(" or ") : STR(", "));
    }
}

static void put_bound(const struct setting *s, const char *word, uint64_t v, struct buf *out) {
    struct setting alone = *s;
    alone.offset = 0;
    buf_fmt(out, ", %s ", word);
    setting_print(&alone, &v, out);
}

// "size, at least 1MiB, at most 4GiB"
static void put_range(const struct setting *s, struct buf *out) {
    put_type(s, out);
    if (s->least) put_bound(s, "at least", s->least, out);
    if (s->most) put_bound(s, "at most", s->most, out);
}

void settings_print(struct settings t, const void *base, struct buf *out) {
    struct str before = STR(""), key;
    for (size_t i = 0; i < t.n; i++) {
        const struct setting *s = &t.rows[i];
        bool top = str_find(str_of(s->name), '.') < 0;
        if (top) buf_char(out, '\n');
        uint32_t indent = 2 * put_sections(out, before, str_of(s->name), &key);
        before = str_of(s->name);
        put_comment(out, indent, str_of(s->help));
        buf_fmt(out, "%*s# Default: %s (", (int)indent, "", s->initial[0] ? s->initial : "empty");
        put_range(s, out);
        buf_str(out, STR(")\n"));
        if (s->type == SETTING_SECRET) {
            bool set = ((const struct str *)setting_value(s, base))->len > 0;
            buf_fmt(out, "%*s# %.*s: %s\n", (int)indent, "", STR_ARG(key),
                    set ? "(set, not shown)" : "(not set)");
            continue;
        }
        buf_fmt(out, "%*s%.*s: ", (int)indent, "", STR_ARG(key));
        setting_print(s, base, out);
        buf_char(out, '\n');
    }
}

void settings_markdown(struct settings t, struct buf *out) {
    buf_str(out, STR("| setting | default | kind | meaning |\n|---|---|---|---|\n"));
    for (size_t i = 0; i < t.n; i++) {
        const struct setting *s = &t.rows[i];
        buf_fmt(out, "| `%s` | ", s->name);
        buf_fmt(out, s->initial[0] ? "`%s`" : "empty%s", s->initial);
        buf_str(out, STR(" | "));
        put_range(s, out);
        buf_fmt(out, " | %s |\n", s->help);
    }
}
