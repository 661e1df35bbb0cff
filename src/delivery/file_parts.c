// SPDX-License-Identifier: Apache-2.0
#include "delivery/file_parts.h"

#include <stdlib.h>

#include "base/document.h"
#include "base/yaml.h"

struct value {
    struct str name, text;
};
struct values {
    struct arena *a;
    struct value *items;
    uint32_t n, cap;
    size_t names;   // bytes that were made for them
    struct str why; // it is not read
};

static void leave(struct values *v, const char *what, unsigned limit) {
    if (!v->why.len) v->why = str_fmt(v->a, "more than %u %s", limit, what);
}

static void add(struct values *v, struct str name, struct str text) {
    if (v->n == FILE_PARTS_MAX) leave(v, "names", FILE_PARTS_MAX);
    struct value *items = v->why.len ? NULL : arena_grow(v->a, v->items, v->n, &v->cap, sizeof *items);
    if (!items) return;
    v->items = items;
    items[v->n++] = (struct value){ name, text };
}

// --- trees -------------------------------------------------------------------------------------------------

static bool is_tree(struct str path) {
    return str_ends(path, STR(".json")) || str_ends(path, STR(".yaml")) || str_ends(path, STR(".yml"));
}

static struct str name_below(struct values *v, struct str name, struct str key) {
    if (!name.len) return key;
    v->names += name.len + 1 + key.len;
    if (v->names > FILE_PARTS_NAMES_MAX) leave(v, "bytes of names", FILE_PARTS_NAMES_MAX);
    return str_fmt(v->a, "%.*s.%.*s", STR_ARG(name), STR_ARG(key));
}

// "server.ports.0": what stands at the ends of the branches.
static void add_leaves(struct values *v, const struct doc_node *node, struct str name) {
    bool holds = node->kind == JSON_OBJECT || node->kind == JSON_ARRAY;
    uint32_t i = 0;
    if (name.len > FILE_PARTS_NAME_MAX) leave(v, "bytes in one name", FILE_PARTS_NAME_MAX);
    if (!holds || !node->first) add(v, name, holds ? STR("") : node->text);
    for (const struct doc_node *c = holds ? node->first : NULL; c && !v->why.len && !v->a->failed;
         c = c->next, i++) {
        struct str key = node->kind == JSON_ARRAY ? str_fmt(v->a, "%u", i) : c->key;
        add_leaves(v, c, name_below(v, name, key));
    }
}

static void add_packages(struct values *v, const struct doc_node *root) {
    static const char *const sections[] = { "dependencies", "devDependencies", "peerDependencies",
                                            "optionalDependencies" };
    for (const struct doc_node *s = root->first; s; s = s->next)
        for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
            if (s->kind == JSON_OBJECT && str_eq(s->key, str_of(sections[i])))
                for (const struct doc_node *c = s->first; c; c = c->next) add(v, c->key, c->text);
}

// What the reader of JSON found may be the first byte of a value, so only the place is told.
static struct str why_not(struct arena *a, bool json, enum err e, const struct err_ctx *ctx) {
    if (json && e == ERR_INVALID)
        return str_fmt(a, "line %u, column %u: this is not JSON", ctx->line, ctx->column);
    return str_fmt(a, "%s", ctx->text[0] ? ctx->text : err_text(e));
}

static void read_tree(struct values *v, struct str name, struct str text, bool packages) {
    struct err_ctx ctx = { 0 };
    struct document d;
    if (!text.len) return;
    bool json = str_ends(name, STR(".json"));
    enum err e = json ? document_read_upto(text, FILE_PARTS_DEPTH_MAX, FILE_PARTS_VALUES_MAX, v->a, &d, &ctx)
                      : yaml_read_upto(text, FILE_PARTS_VALUES_MAX, str_z(v->a, name), v->a, &d, &ctx);
    if (e != ERR_OK || !d.root)
        v->why = why_not(v->a, json, e, &ctx);
    else if (packages)
        add_packages(v, d.root);
    else
        add_leaves(v, d.root, STR(""));
}

// --- lines -------------------------------------------------------------------------------------------------

// "require example.org/x v1.2.3 // indirect", with or without the first word.
static void add_module(struct values *v, struct str line) {
    struct str name, rest, version, more;
    line = str_trim(line);
    if (str_starts(line, STR("require "))) line = str_trim(str_sub(line, 8, line.len));
    if (!str_cut(line, ' ', &name, &rest)) return;
    (void)str_cut(str_trim(rest), ' ', &version, &more);
    if (version.len > 1 && version.ptr[0] == 'v' && version.ptr[1] >= '0' && version.ptr[1] <= '9')
        add(v, name, version);
}

// "name[extra]==1.2 ; marker # comment"
static void add_requirement(struct values *v, struct str line) {
    struct str told, rest;
    size_t n = 0;
    (void)str_cut(line, '#', &told, &rest);
    told = str_trim(told);
    while (n < told.len && !strchr("=<>!~[; @", told.ptr[n])) n++;
    if (n && told.ptr[0] != '-' && !memchr(told.ptr, ':', n)) // an address alone has no name
        add(v, str_sub(told, 0, n), str_trim(str_sub(told, n, told.len)));
}

static void read_lines(struct values *v, struct str text, void (*take)(struct values *v, struct str line)) {
    struct str line;
    while (text.len && !v->why.len) {
        (void)str_cut(text, '\n', &line, &text);
        if (line.len && line.ptr[line.len - 1] == '\r') line.len--;
        take(v, line);
    }
}

// --- what differs ------------------------------------------------------------------------------------------

enum format { FORMAT_OTHER, FORMAT_KEYS, FORMAT_PACKAGES, FORMAT_MODULES, FORMAT_REQUIREMENTS };

static enum format format_of(enum file_kind kind, struct str name) {
    if (kind == FILE_CONFIG && is_tree(name)) return FORMAT_KEYS;
    if (kind != FILE_DEPENDENCY) return FORMAT_OTHER;
    if (str_eq(name, STR("package.json"))) return FORMAT_PACKAGES;
    if (str_eq(name, STR("go.mod"))) return FORMAT_MODULES;
    bool pip = str_starts(name, STR("requirements")) && str_ends(name, STR(".txt"));
    return pip ? FORMAT_REQUIREMENTS : FORMAT_OTHER;
}

static void read_values(struct values *v, enum format format, struct str name, struct str text) {
    if (text.len > FILE_PARTS_BYTES_MAX)
        leave(v, "bytes", FILE_PARTS_BYTES_MAX);
    else if (format == FORMAT_KEYS || format == FORMAT_PACKAGES)
        read_tree(v, name, text, format == FORMAT_PACKAGES);
    else
        read_lines(v, text, format == FORMAT_MODULES ? add_module : add_requirement);
}

static int by_name(const void *pa, const void *pb) {
    const struct value *a = pa, *b = pb;
    int c = str_cmp(a->name, b->name);
    return c ? c : str_cmp(a->text, b->text);
}

// An address may hold a password.
static bool is_address(struct str text) {
    return text.len && memmem(text.ptr, text.len, "://", 3) != NULL;
}

static struct str told_text(const struct value *v, bool told) {
    return told && v && !is_address(v->text) ? v->text : STR("");
}

static void put_part(struct file_parts *out, const struct value *old, const struct value *new, bool told) {
    struct str from = told_text(old, told), to = told_text(new, told);
    enum patch_how how = !old ? PATCH_ADDED : !new ? PATCH_REMOVED : PATCH_CHANGED;
    out->items[out->n++] = (struct file_part){ old ? old->name : new->name, from, to, how };
}

static enum err compare(struct values *old, struct values *new, bool told, struct file_parts *out) {
    uint32_t i = 0, k = 0;
    out->items = ARENA_ARRAY(old->a, old->n + new->n + 1u, struct file_part);
    if (!out->items) return ERR_NOMEM;
    while (i < old->n || k < new->n) {
        const struct value *a = i < old->n ? &old->items[i] : NULL, *b = k < new->n ? &new->items[k] : NULL;
        int c = !a ? 1 : !b ? -1 : str_cmp(a->name, b->name);
        if (c != 0 || !str_eq(a->text, b->text)) put_part(out, c <= 0 ? a : NULL, c >= 0 ? b : NULL, told);
        i += c <= 0;
        k += c >= 0;
    }
    return ERR_OK;
}

static struct str name_of(struct str path) {
    size_t at = path.len;
    while (at && path.ptr[at - 1] != '/') at--;
    return str_sub(path, at, path.len);
}

bool file_parts_known(enum file_kind kind, struct str path) {
    return format_of(kind, name_of(path)) != FORMAT_OTHER;
}

enum err file_parts_of(struct arena *a, enum file_kind kind, struct str path, struct str old, struct str new,
                       struct file_parts *out) {
    struct values was = { .a = a }, is = { .a = a };
    struct str name = name_of(path);
    enum format format = format_of(kind, name);
    *out = (struct file_parts){ 0 };
    if (format == FORMAT_OTHER) return ERR_OK;
    read_values(&was, format, name, old);
    read_values(&is, format, name, new);
    if (was.why.len) out->why = str_fmt(a, "before: %.*s", STR_ARG(was.why));
    if (is.why.len) out->why = is.why;
    if (a->failed) return ERR_NOMEM;
    if (out->why.len) return ERR_OK;
    if (was.n) qsort(was.items, was.n, sizeof *was.items, by_name);
    if (is.n) qsort(is.items, is.n, sizeof *is.items, by_name);
    return compare(&was, &is, kind == FILE_DEPENDENCY, out);
}
