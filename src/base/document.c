// SPDX-License-Identifier: Apache-2.0
#include "base/document.h"

#include <stdio.h>

// --- reading -------------------------------------------------------------------------------------

struct reader {
    struct json j;
    struct arena *arena;
    struct buf scratch; // a text with its escapes resolved
    struct doc_node *open, *last[JSON_DEPTH_MAX + 1];
    const struct doc_node *root;
    uint32_t n, max;
};

// A text with escapes is copied, any other borrows from the input.
static struct str plain_text(struct reader *r) {
    if (!r->j.escaped) return r->j.text;
    buf_reset(&r->scratch);
    json_text(&r->j, &r->scratch);
    if (r->scratch.failed) r->arena->failed = true;
    return str_dup(r->arena, buf_view(&r->scratch));
}

static struct doc_node *node_add(struct reader *r, enum json_kind kind, struct str key, uint32_t level) {
    struct doc_node *n = ARENA_NEW(r->arena, struct doc_node);
    if (!n) return NULL;
    n->kind = kind;
    n->key = key;
    n->parent = r->open;
    if (r->open) {
        if (r->open->n++)
            r->last[level]->next = n;
        else
            r->open->first = n;
    }
    r->last[level] = n;
    return n;
}

// One value whose first token is at hand; containers stay open until their end comes.
static enum err value_read(struct reader *r, struct str key) {
    struct json *j = &r->j;
    bool container = j->kind == JSON_OBJECT || j->kind == JSON_ARRAY;
    uint32_t level = j->depth - container;
    if (++r->n > r->max) return json_fail(j, ERR_LIMIT, "more than %u values", r->max);
    struct doc_node *n = node_add(r, j->kind, key, level);
    if (!n) return ERR_NOMEM;
    if (j->kind == JSON_STRING)
        n->text = plain_text(r);
    else
        n->text = (struct str){ j->token, (size_t)(j->pos - j->token) };
    if (container) r->open = n;
    if (!r->root) r->root = n;
    return ERR_OK;
}

static void container_close(struct reader *r) {
    struct doc_node *n = r->open;
    n->text.len = (size_t)(r->j.pos - n->text.ptr);
    r->open = (struct doc_node *)(uintptr_t)n->parent;
}

static enum err tree_read(struct reader *r) {
    struct str key = { 0 };
    for (;;) {
        switch (json_next(&r->j)) {
        case JSON_ERROR: return r->j.err;
        case JSON_END: return r->arena->failed ? ERR_NOMEM : ERR_OK;
        case JSON_KEY: key = plain_text(r); break;
        case JSON_OBJECT_END:
        case JSON_ARRAY_END: container_close(r); break;
        default: TRY(value_read(r, key)); key = (struct str){ 0 };
        }
    }
}

enum err document_read(struct str text, uint32_t max_depth, struct arena *a, struct document *out,
                       struct err_ctx *ctx) {
    return document_read_upto(text, max_depth, DOC_NODES_MAX, a, out, ctx);
}

enum err document_read_upto(struct str text, uint32_t max_depth, uint32_t max_values, struct arena *a,
                            struct document *out, struct err_ctx *ctx) {
    struct reader r = { .arena = a, .max = max_values };
    json_init(&r.j, text, max_depth, ctx);
    buf_init(&r.scratch, text.len + 1);
    enum err e = tree_read(&r);
    buf_fini(&r.scratch);
    TRY(e);
    *out = (struct document){ .arena = a, .root = r.root, .ctx = ctx };
    return ERR_OK;
}

struct doc doc_root(struct document *d) {
    return (struct doc){ d->root, d };
}

enum err document_end(struct document *d) {
    return d->arena->failed ? ERR_NOMEM : d->err;
}

// --- errors --------------------------------------------------------------------------------------

struct place {
    char text[DOC_PATH_MAX];
    size_t len;
};

static void place_put(struct place *p, const char *format, int len, const char *text) {
    size_t room = sizeof p->text - p->len;
    int n = snprintf(p->text + p->len, room, format, len, text);
    if (n > 0) p->len += (size_t)n < room ? (size_t)n : room - 1;
}

static unsigned index_of(const struct doc_node *n) {
    unsigned i = 0;
    for (const struct doc_node *c = n->parent->first; c != n; c = c->next) i++;
    return i;
}

// Names from the root down to a node; of a long chain the lower end.
static void place_node(struct place *p, const struct doc_node *n) {
    const struct doc_node *chain[16];
    unsigned k = 0;
    for (; n && n->parent && k < 16; n = n->parent) chain[k++] = n;
    while (k--) {
        char number[16];
        if (p->len) place_put(p, "%.*s", 1, ".");
        if (chain[k]->parent->kind == JSON_OBJECT) {
            struct str key = str_sub(chain[k]->key, 0, 64);
            place_put(p, "%.*s", (int)key.len, key.ptr ? key.ptr : "");
        } else {
            (void)snprintf(number, sizeof number, "%u", index_of(chain[k]));
            place_put(p, "%.*s", 16, number);
        }
    }
}

// The line of what is at the path, else of what it should be in; 0 where lines are not known.
static unsigned line_of(struct doc d, const char *path) {
    struct doc at = doc_at(d, path);
    return at.node ? at.node->line : d.node ? d.node->line : 0;
}

void doc_fail(struct doc d, const char *path, const char *fmt, ...) {
    struct place at = { .text = "" };
    char what[160];
    va_list args;
    if (d.of->err != ERR_OK) return;
    va_start(args, fmt);
    (void)vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    place_node(&at, d.node);
    if (at.len && *path) place_put(&at, "%.*s", 1, ".");
    place_put(&at, "%.*s", 100, path);
    const char *of_all = d.of->file ? "the file" : "the body";
    unsigned line = line_of(d, path);
    if (d.of->file) // as compilers have it
        d.of->err = err_set(d.of->ctx, ERR_INVALID, "%s:%u: %s: %s", d.of->file, line,
                            at.len ? at.text : of_all, what);
    else
        d.of->err = err_set(d.of->ctx, ERR_INVALID, "%s: %s", at.len ? at.text : of_all, what);
    d.of->ctx->line = line;
}

static void expected(struct doc d, const char *path, const char *what, const struct doc_node *found) {
    doc_fail(d, path, "expected %s, found %s", what, json_kind_text(found->kind));
}

// --- looking up ----------------------------------------------------------------------------------

static const struct doc_node *object_find(const struct doc_node *n, struct str key) {
    const struct doc_node *found = NULL;
    for (const struct doc_node *c = n->first; c; c = c->next)
        if (str_eq(c->key, key)) found = c;
    return found;
}

static const struct doc_node *array_find(const struct doc_node *n, struct str number) {
    uint64_t i;
    const struct doc_node *c = n->first;
    if (!str_u64(number, &i) || i >= n->n) return NULL;
    for (; c && i; i--) c = c->next;
    return c;
}

struct doc doc_member(struct doc d, struct str key) {
    const struct doc_node *n = d.node, *found = NULL;
    if (n && n->kind == JSON_OBJECT) found = object_find(n, key);
    if (n && n->kind == JSON_ARRAY) found = array_find(n, key);
    if (found && found->kind == JSON_NULL) found = NULL;
    return (struct doc){ found, d.of };
}

struct doc doc_at(struct doc d, const char *path) {
    struct str rest = str_of(path), name;
    bool more = rest.len > 0;
    while (more && d.node) {
        more = str_cut(rest, '.', &name, &rest);
        d = doc_member(d, name);
    }
    return d;
}

bool doc_has(struct doc d, const char *path) {
    return doc_at(d, path).node != NULL;
}

static struct doc of_kind(struct doc d, const char *path, enum json_kind kind, const char *what) {
    struct doc at = doc_at(d, path);
    if (at.node && at.node->kind != kind) {
        expected(d, path, what, at.node);
        at.node = NULL;
    }
    return at;
}

struct doc doc_object(struct doc d, const char *path) {
    return of_kind(d, path, JSON_OBJECT, "an object");
}
struct doc doc_array(struct doc d, const char *path) {
    return of_kind(d, path, JSON_ARRAY, "an array");
}
struct doc doc_first(struct doc d) {
    return (struct doc){ d.node ? d.node->first : NULL, d.of };
}
struct doc doc_next(struct doc d) {
    return (struct doc){ d.node->next, d.of };
}

// --- values --------------------------------------------------------------------------------------

static struct str clean(struct doc d, const char *path, struct str s) {
    if (str_find(s, '\0') < 0) return s;
    doc_fail(d, path, "expected a text without U+0000");
    return STR("");
}

struct str doc_text(struct doc d, const char *path) {
    struct doc at = of_kind(d, path, JSON_STRING, "a string");
    return at.node ? clean(d, path, at.node->text) : STR("");
}

static struct str needed(struct doc d, const char *path, struct str s) {
    if (s.len == 0) doc_fail(d, path, "missing or empty");
    return s;
}

struct str doc_need(struct doc d, const char *path) {
    return needed(d, path, doc_text(d, path));
}

struct str doc_id(struct doc d, const char *path) {
    struct doc at = doc_at(d, path);
    int64_t v;
    if (!at.node) return STR("");
    if (at.node->kind == JSON_STRING) return clean(d, path, at.node->text);
    if (at.node->kind == JSON_NUMBER && json_i64(at.node->text, &v))
        return str_fmt(d.of->arena, "%lld", (long long)v);
    expected(d, path, "a string or an integer", at.node);
    return STR("");
}

struct str doc_need_id(struct doc d, const char *path) {
    return needed(d, path, doc_id(d, path));
}

bool doc_i64(struct doc d, const char *path, int64_t *out) {
    struct doc at = doc_at(d, path);
    *out = 0;
    if (!at.node) return false;
    if (at.node->kind == JSON_NUMBER && json_i64(at.node->text, out)) return true;
    expected(d, path, "an integer", at.node);
    return false;
}

bool doc_f64(struct doc d, const char *path, double *out) {
    struct doc at = doc_at(d, path);
    *out = 0;
    if (!at.node) return false;
    if (at.node->kind == JSON_NUMBER && json_f64(at.node->text, out)) return true;
    expected(d, path, "a number", at.node);
    return false;
}

bool doc_bool(struct doc d, const char *path) {
    struct doc at = doc_at(d, path);
    if (!at.node) return false;
    if (at.node->kind != JSON_TRUE && at.node->kind != JSON_FALSE)
        expected(d, path, "true or false", at.node);
    return at.node->kind == JSON_TRUE;
}
