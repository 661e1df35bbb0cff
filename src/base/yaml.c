// SPDX-License-Identifier: Apache-2.0
#include "base/yaml.h"

#include <stdio.h>
#include <yaml.h>

struct yaml {
    const char *file;
    struct arena *arena;
    struct err_ctx *ctx;
    yaml_parser_t parser;
    yaml_event_t event; // the current one; to be deleted before the next
    uint32_t n, max;    // values
};

static enum err fail_at(struct yaml *y, size_t line, enum err e, const char *fmt, ...) PRINTF_LIKE(4, 5);
static enum err fail_at(struct yaml *y, size_t line, enum err e, const char *fmt, ...) {
    char text[sizeof y->ctx->text];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    y->ctx->line = (uint32_t)line + 1;
    return err_set(y->ctx, e, "%s:%zu: %s", y->file ? y->file : "the text", line + 1, text);
}
#define FAIL(y, ...) fail_at((y), (y)->event.start_mark.line, ERR_INVALID, __VA_ARGS__)

static enum err advance(struct yaml *y) {
    yaml_event_delete(&y->event);
    if (yaml_parser_parse(&y->parser, &y->event)) return ERR_OK;
    memset(&y->event, 0, sizeof y->event);
    if (y->parser.error == YAML_MEMORY_ERROR) return ERR_NOMEM;
    return fail_at(y, y->parser.problem_mark.line, ERR_INVALID, "this is not YAML: %s",
                   y->parser.problem ? y->parser.problem : "unknown problem");
}

static enum err refuse_extras(struct yaml *y) {
    const yaml_event_t *e = &y->event;
    const yaml_char_t *anchor = NULL, *tag = NULL;
    if (e->type == YAML_ALIAS_EVENT) return FAIL(y, "aliases (*name) are not allowed");
    if (e->type == YAML_SCALAR_EVENT) anchor = e->data.scalar.anchor, tag = e->data.scalar.tag;
    if (e->type == YAML_SEQUENCE_START_EVENT)
        anchor = e->data.sequence_start.anchor, tag = e->data.sequence_start.tag;
    if (e->type == YAML_MAPPING_START_EVENT)
        anchor = e->data.mapping_start.anchor, tag = e->data.mapping_start.tag;
    if (anchor) return FAIL(y, "anchors (&name) are not allowed");
    return tag ? FAIL(y, "tags (!name) are not allowed") : ERR_OK;
}

static enum json_kind kind_of(const yaml_event_t *e, struct str text) {
    if (e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE) return JSON_STRING;
    if (!text.len || str_eq(text, STR("~")) || str_eq(text, STR("null"))) return JSON_NULL;
    if (str_eq(text, STR("true"))) return JSON_TRUE;
    if (str_eq(text, STR("false"))) return JSON_FALSE;
    return json_number_len(text) == text.len ? JSON_NUMBER : JSON_STRING;
}

static enum err take_scalar(struct yaml *y, struct str *out) {
    struct str text = { (const char *)y->event.data.scalar.value, y->event.data.scalar.length };
    if (!str_is_utf8(text)) return FAIL(y, "this is not UTF-8");
    *out = str_dup(y->arena, text);
    return y->arena->failed ? ERR_NOMEM : ERR_OK;
}

static enum err take_value(struct yaml *y, struct doc_node *to, uint32_t depth);

static enum err take_key(struct yaml *y, const struct doc_node *in, struct str *out) {
    if (y->event.type != YAML_SCALAR_EVENT) return FAIL(y, "expected a key");
    TRY(take_scalar(y, out));
    if (in->n == YAML_KEYS_MAX) return FAIL(y, "more than %d keys in one place", YAML_KEYS_MAX);
    for (const struct doc_node *c = in->first; c; c = c->next)
        if (str_eq(c->key, *out))
            return FAIL(y, "the key \"%.*s\" comes twice", STR_ARG(str_sub(*out, 0, 60)));
    TRY(advance(y));
    return refuse_extras(y);
}

static enum err take_children(struct yaml *y, struct doc_node *to, yaml_event_type_t end, uint32_t depth) {
    const struct doc_node **link = &to->first;
    for (;;) {
        struct str key = { 0 };
        TRY(advance(y));
        TRY(refuse_extras(y));
        if (y->event.type == end) return ERR_OK;
        uint32_t line = (uint32_t)y->event.start_mark.line + 1;
        if (to->kind == JSON_OBJECT) TRY(take_key(y, to, &key));
        struct doc_node *child = ARENA_NEW(y->arena, struct doc_node);
        if (!child) return ERR_NOMEM;
        child->key = key;
        child->parent = to;
        child->line = line;
        TRY(take_value(y, child, depth + 1));
        *link = child; // complete: a repeated key is looked for among those before it
        link = &child->next;
        to->n++;
    }
}

// The value that the current event begins.
static enum err take_value(struct yaml *y, struct doc_node *to, uint32_t depth) {
    if (depth > YAML_DEPTH_MAX) return FAIL(y, "nested more than %d deep", YAML_DEPTH_MAX);
    if (++y->n > y->max) return FAIL(y, "more than %u values", y->max);
    switch (y->event.type) {
    case YAML_SCALAR_EVENT:
        TRY(take_scalar(y, &to->text));
        to->kind = kind_of(&y->event, to->text);
        return ERR_OK;
    case YAML_SEQUENCE_START_EVENT:
        to->kind = JSON_ARRAY;
        return take_children(y, to, YAML_SEQUENCE_END_EVENT, depth);
    case YAML_MAPPING_START_EVENT:
        to->kind = JSON_OBJECT;
        return take_children(y, to, YAML_MAPPING_END_EVENT, depth);
    default: return FAIL(y, "expected a value");
    }
}

static enum err take_document(struct yaml *y, struct doc_node *root) {
    TRY(advance(y)); // the start of the stream
    TRY(advance(y));
    root->kind = JSON_OBJECT;
    root->line = 1;
    if (y->event.type == YAML_STREAM_END_EVENT) return ERR_OK;
    TRY(advance(y)); // behind the start of the document
    TRY(refuse_extras(y));
    TRY(take_value(y, root, 0));
    if (root->kind == JSON_NULL) root->kind = JSON_OBJECT;
    TRY(advance(y)); // the end of the document
    TRY(advance(y));
    return y->event.type == YAML_STREAM_END_EVENT ? ERR_OK : FAIL(y, "expected one document, found a second");
}

enum err yaml_read(struct str text, const char *file, struct arena *a, struct document *out,
                   struct err_ctx *ctx) {
    return yaml_read_upto(text, DOC_NODES_MAX, file, a, out, ctx);
}

enum err yaml_read_upto(struct str text, uint32_t max_values, const char *file, struct arena *a,
                        struct document *out, struct err_ctx *ctx) {
    struct yaml y = { .file = file, .arena = a, .ctx = ctx, .max = max_values };
    struct doc_node *root = ARENA_NEW(a, struct doc_node);
    if (text.len > YAML_BYTES_MAX)
        return err_set(ctx, ERR_LIMIT, "%s: more than %d MiB", file ? file : "the text",
                       YAML_BYTES_MAX >> 20);
    if (!root || !yaml_parser_initialize(&y.parser)) return ERR_NOMEM;
    yaml_parser_set_encoding(&y.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&y.parser, (const unsigned char *)(text.len ? text.ptr : ""), text.len);
    enum err e = take_document(&y, root);
    yaml_event_delete(&y.event);
    yaml_parser_delete(&y.parser);
    *out = (struct document){ .arena = a, .root = root, .file = file ? file : "the text", .ctx = ctx };
    return e;
}
