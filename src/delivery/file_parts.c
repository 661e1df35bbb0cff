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
    bool cut;
};

static void add(struct values *v, struct str name, struct str text) {
    if (v->n == FILE_PARTS_MAX) v->cut = true;
    struct value *items = v->cut ? NULL : arena_grow(v->a, v->items, v->n, &v->cap, sizeof *items);
    if (!items) return;
    v->items = items;
    items[v->n++] = (struct value){ name, text };
}

// --- trees -------------------------------------------------------------------------------------------------

static bool is_tree(struct str path) {
    return str_ends(path, STR(".json")) || str_ends(path, STR(".yaml")) || str_ends(path, STR(".yml"));
}

// "server.ports.0": what stands at the ends of the branches.
static void add_leaves(struct values *v, const struct doc_node *node, struct str name) {
    bool holds = node->kind == JSON_OBJECT || node->kind == JSON_ARRAY;
    uint32_t i = 0;
    if (name.len > FILE_PARTS_NAME_MAX) v->cut = true;
    if (!holds || !node->first) add(v, name, holds ? STR("") : node->text);
    for (const struct doc_node *c = holds ? node->first : NULL; c && !v->cut && !v->a->failed;
         c = c->next, i++) {
        struct str key = node->kind == JSON_ARRAY ? str_fmt(v->a, "%u", i) : c->key;
        add_leaves(v, c, name.len ? str_fmt(v->a, "%.*s.%.*s", STR_ARG(name), STR_ARG(key)) : key);
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

// false: it cannot be read.
static bool read_tree(struct values *v, struct str path, struct str text, bool packages) {
    struct err_ctx why = { 0 };
    struct document d;
    bool json = str_ends(path, STR(".json"));
    if (!text.len) return true;
    enum err e = json ? document_read_upto(text, FILE_PARTS_DEPTH_MAX, 4 * FILE_PARTS_MAX, v->a, &d, &why)
                      : yaml_read(text, NULL, v->a, &d, &why);
    if (e != ERR_OK || !d.root) return false;
    if (packages)
        add_packages(v, d.root);
    else
        add_leaves(v, d.root, STR(""));
    return !v->cut;
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

static bool read_lines(struct values *v, struct str text, void (*take)(struct values *v, struct str line)) {
    struct str line;
    while (text.len && !v->cut) {
        (void)str_cut(text, '\n', &line, &text);
        if (line.len && line.ptr[line.len - 1] == '\r') line.len--;
        take(v, line);
    }
    return !v->cut;
}

// --- what differs ------------------------------------------------------------------------------------------

static bool read_values(struct values *v, enum file_kind kind, struct str path, struct str text) {
    size_t at = path.len;
    while (at && path.ptr[at - 1] != '/') at--;
    struct str name = str_sub(path, at, path.len);
    if (kind == FILE_CONFIG && is_tree(path)) return read_tree(v, path, text, false);
    if (kind != FILE_DEPENDENCY) return false;
    if (str_eq(name, STR("package.json"))) return read_tree(v, path, text, true);
    if (str_eq(name, STR("go.mod"))) return read_lines(v, text, add_module);
    bool pip = str_starts(name, STR("requirements")) && str_ends(name, STR(".txt"));
    return pip && read_lines(v, text, add_requirement);
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

enum err file_parts_of(struct arena *a, enum file_kind kind, struct str path, struct str old, struct str new,
                       struct file_parts *out) {
    struct values was = { .a = a }, is = { .a = a };
    *out = (struct file_parts){ 0 };
    if (old.len > FILE_PARTS_BYTES_MAX || new.len > FILE_PARTS_BYTES_MAX) return ERR_OK;
    bool read = read_values(&was, kind, path, old) && read_values(&is, kind, path, new);
    if (a->failed) return ERR_NOMEM;
    if (!read) return ERR_OK;
    if (was.n) qsort(was.items, was.n, sizeof *was.items, by_name);
    if (is.n) qsort(is.items, is.n, sizeof *is.items, by_name);
    return compare(&was, &is, kind == FILE_DEPENDENCY, out);
}
