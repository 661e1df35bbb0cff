// SPDX-License-Identifier: Apache-2.0
// Binds YAML to a table of settings, event by event. Of YAML only mappings, plain and quoted
// scalars and lists of them are allowed: what else there is (anchors, tags, several documents)
// would make a file mean more than a reader sees.
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

#include "config/config_internal.h"

struct binder {
    struct settings t;
    const struct config_source *src;
    struct arena *arena;
    void *base;
    struct err_ctx *ctx;
    yaml_parser_t parser;
    yaml_event_t event; // the current one; to be deleted before the next
};

enum { SECTION_KEYS_MAX = 64 };

static enum err fail_line(struct binder *b, size_t line, enum err e, const char *fmt, ...) PRINTF_LIKE(4, 5);
static enum err fail_line(struct binder *b, size_t line, enum err e, const char *fmt, ...) {
    char text[sizeof b->ctx->text];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    b->ctx->line = (uint32_t)line + 1;
    return err_set(b->ctx, e, "%s:%zu: %s", b->src->file ? b->src->file : "configuration", line + 1, text);
}
#define FAIL(b, ...) fail_line((b), (b)->event.start_mark.line, ERR_INVALID, __VA_ARGS__)

static enum err advance(struct binder *b) {
    yaml_event_delete(&b->event);
    if (yaml_parser_parse(&b->parser, &b->event)) return ERR_OK;
    memset(&b->event, 0, sizeof b->event);
    if (b->parser.error == YAML_MEMORY_ERROR) return ERR_NOMEM;
    return fail_line(b, b->parser.problem_mark.line, ERR_INVALID, "this is not YAML: %s",
                     b->parser.problem ? b->parser.problem : "unknown problem");
}

// --- names -------------------------------------------------------------------------------------

// The number of letters to add, to drop or to change (Levenshtein).
static size_t distance(struct str a, struct str b) {
    enum { LONGEST = 40 };
    size_t row[LONGEST + 1];
    if (a.len > LONGEST || b.len > LONGEST) return LONGEST;
    for (size_t k = 0; k <= b.len; k++) row[k] = k;
    for (size_t i = 0; i < a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t k = 0; k < b.len; k++) {
            size_t change = diagonal + (a.ptr[i] != b.ptr[k]);
            size_t drop = row[k] + 1, add = row[k + 1] + 1;
            diagonal = row[k + 1];
            row[k + 1] = change < drop ? (change < add ? change : add) : (drop < add ? drop : add);
        }
    }
    return row[b.len];
}

// Whether the setting lies in the section; *out_key is then the next part of its name.
static bool in_section(const struct setting *s, struct str section, struct str *out_key) {
    struct str name = str_of(s->name), rest = name;
    if (section.len > 0) {
        if (!str_starts(name, section) || name.len == section.len || name.ptr[section.len] != '.')
            return false;
        rest = str_sub(name, section.len + 1, name.len);
    }
    (void)str_cut(rest, '.', out_key, &rest);
    return true;
}

// The key of this section that is most like the given one, or a setting elsewhere with that name.
static struct str suggestion(struct binder *b, struct str section, struct str key) {
    size_t best = key.len / 3 + 1;
    struct str found = STR(""), one;
    for (size_t i = 0; i < b->t.n; i++) {
        if (!in_section(&b->t.rows[i], section, &one)) continue;
        size_t d = distance(one, key);
        if (d > best || (d == best && found.len)) continue;
        best = d;
        found = one;
    }
    for (size_t i = 0; i < b->t.n && found.len == 0; i++) {
        struct str name = str_of(b->t.rows[i].name);
        if (name.len > key.len && str_ends(name, key) && name.ptr[name.len - key.len - 1] == '.')
            found = name;
    }
    return found;
}

static enum err unknown(struct binder *b, struct str section, struct str key) {
    struct str like = suggestion(b, section, key);
    struct str shown = str_sub(key, 0, 60);
    if (like.len == 0) return FAIL(b, "unknown key \"%.*s\"", STR_ARG(shown));
    return FAIL(b, "unknown key \"%.*s\" (did you mean \"%.*s\"?)", STR_ARG(shown), STR_ARG(like));
}

// --- values ------------------------------------------------------------------------------------

static struct str scalar_text(const struct binder *b) {
    return (struct str){ (const char *)b->event.data.scalar.value, b->event.data.scalar.length };
}

static const char *process_env(const char *name) {
    return getenv(name);
}

static enum err refuse_extras(struct binder *b) {
    const yaml_event_t *e = &b->event;
    if (e->type == YAML_ALIAS_EVENT) return FAIL(b, "aliases (*name) are not allowed");
    bool scalar = e->type == YAML_SCALAR_EVENT, list = e->type == YAML_SEQUENCE_START_EVENT;
    bool mapping = e->type == YAML_MAPPING_START_EVENT;
    const yaml_char_t *anchor = scalar    ? e->data.scalar.anchor
                                : list    ? e->data.sequence_start.anchor
                                : mapping ? e->data.mapping_start.anchor
                                          : NULL;
    const yaml_char_t *tag = scalar    ? e->data.scalar.tag
                             : list    ? e->data.sequence_start.tag
                             : mapping ? e->data.mapping_start.tag
                                       : NULL;
    if (anchor) return FAIL(b, "anchors (&name) are not allowed");
    if (tag) return FAIL(b, "tags (!name) are not allowed");
    return ERR_OK;
}

// Expands the current scalar and gives it to the setting.
static enum err take_scalar(struct binder *b, const struct setting *s, bool append) {
    struct buf text;
    struct reason why = { "" };
    buf_init(&text, CONFIG_VALUE_MAX);
    if (!buf_reserve(&text, CONFIG_VALUE_MAX)) return ERR_NOMEM;
    enum err e = config_expand(scalar_text(b), b->src->env ? b->src->env : process_env, &text, &why);
    if (e == ERR_OK)
        e = (append ? setting_append : setting_parse)(s, buf_view(&text), b->arena, b->base, &why);
    if (e == ERR_INVALID) e = FAIL(b, "%s: %s", s->name, why.text);
    buf_fini(&text);
    return e;
}

static enum err take_list(struct binder *b, const struct setting *s) {
    if (s->type != SETTING_LIST) return FAIL(b, "%s: expected one value, found a list", s->name);
    *(struct config_list *)setting_slot(s, b->base) = (struct config_list){ NULL, 0 };
    for (;;) {
        TRY(advance(b));
        TRY(refuse_extras(b));
        if (b->event.type == YAML_SEQUENCE_END_EVENT) return ERR_OK;
        if (b->event.type != YAML_SCALAR_EVENT)
            return FAIL(b, "%s: expected a list of plain values", s->name);
        TRY(take_scalar(b, s, true));
    }
}

static enum err take_setting(struct binder *b, const struct setting *s) {
    TRY(advance(b));
    TRY(refuse_extras(b));
    switch (b->event.type) {
    case YAML_SCALAR_EVENT: return take_scalar(b, s, false);
    case YAML_SEQUENCE_START_EVENT: return take_list(b, s);
    default: return FAIL(b, "%s: expected a value, found a section", s->name);
    }
}

// --- sections ----------------------------------------------------------------------------------

static enum err take_section(struct binder *b, struct str name, uint32_t depth);

// The value of the current key.
static enum err take_key(struct binder *b, struct str section, struct str key, uint32_t depth) {
    struct str full = section.len ? str_fmt(b->arena, "%.*s.%.*s", STR_ARG(section), STR_ARG(key)) : key;
    if (!full.ptr) return ERR_NOMEM;
    bool is_section = false;
    for (size_t i = 0; i < b->t.n; i++) {
        struct str one;
        if (str_eq(str_of(b->t.rows[i].name), full)) return take_setting(b, &b->t.rows[i]);
        is_section |= in_section(&b->t.rows[i], full, &one);
    }
    if (!is_section) return unknown(b, section, key);
    TRY(advance(b));
    TRY(refuse_extras(b));
    bool empty = b->event.type == YAML_SCALAR_EVENT && b->event.data.scalar.length == 0;
    if (empty) return ERR_OK; // a section whose keys are all commented out
    if (b->event.type != YAML_MAPPING_START_EVENT)
        return FAIL(b, "%.*s: expected a section, found a value", STR_ARG(full));
    return take_section(b, full, depth + 1);
}

// The keys of a mapping, whose start is the current event. Known keys are few, so are those seen.
static enum err take_section(struct binder *b, struct str name, uint32_t depth) {
    struct str keys[SECTION_KEYS_MAX];
    uint32_t n_keys = 0;
    if (depth > SETTING_DEPTH_MAX) return FAIL(b, "sections nested too deeply");
    for (;;) {
        TRY(advance(b));
        TRY(refuse_extras(b));
        if (b->event.type == YAML_MAPPING_END_EVENT) return ERR_OK;
        if (b->event.type != YAML_SCALAR_EVENT) return FAIL(b, "expected a key");
        struct str key = str_dup(b->arena, scalar_text(b));
        if (!key.ptr) return ERR_NOMEM;
        for (uint32_t i = 0; i < n_keys; i++)
            if (str_eq(keys[i], key))
                return FAIL(b, "the key \"%.*s\" comes twice", STR_ARG(str_sub(key, 0, 60)));
        if (n_keys == SECTION_KEYS_MAX) return FAIL(b, "too many keys");
        keys[n_keys++] = key;
        TRY(take_key(b, name, key, depth));
    }
}

static enum err read_document(struct binder *b) {
    TRY(advance(b)); // the start of the stream
    TRY(advance(b));
    if (b->event.type == YAML_STREAM_END_EVENT) return ERR_OK;
    TRY(advance(b)); // behind the start of the document
    TRY(refuse_extras(b));
    bool empty = b->event.type == YAML_SCALAR_EVENT && b->event.data.scalar.length == 0;
    if (!empty && b->event.type != YAML_MAPPING_START_EVENT) return FAIL(b, "expected \"key: value\" lines");
    if (!empty) TRY(take_section(b, STR(""), 0));
    TRY(advance(b)); // the end of the document
    TRY(advance(b));
    if (b->event.type != YAML_STREAM_END_EVENT) return FAIL(b, "expected one document, found a second");
    return ERR_OK;
}

enum err settings_read_yaml(struct settings t, const struct config_source *src, struct arena *a, void *base,
                            struct err_ctx *ctx) {
    struct binder b = { .t = t, .src = src, .arena = a, .base = base, .ctx = ctx };
    if (!yaml_parser_initialize(&b.parser)) return ERR_NOMEM;
    yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b.parser, (const unsigned char *)(src->text.len ? src->text.ptr : ""),
                                 src->text.len);
    enum err e = read_document(&b);
    yaml_event_delete(&b.event);
    yaml_parser_delete(&b.parser);
    return e;
}
