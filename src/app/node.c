// SPDX-License-Identifier: Apache-2.0
#include "app/node.h"

#include "app/plot.h"

enum { DEPTH_MAX = 64 };

enum err node_parse(struct arena *a, struct str text, const struct doc_node **out) {
    struct err_ctx ctx = { 0 };
    struct document d;
    TRY(document_read_upto(text, DEPTH_MAX, UINT32_MAX, a, &d, &ctx));
    *out = d.root;
    return ERR_OK;
}

const struct doc_node *node_at(const struct doc_node *n, const char *path) {
    struct str rest = str_of(path), name;
    while (n && rest.len) {
        (void)str_cut(rest, '.', &name, &rest);
        const struct doc_node *c = n->kind == JSON_OBJECT ? n->first : NULL;
        while (c && !str_eq(c->key, name)) c = c->next;
        n = c;
    }
    return n;
}

struct str node_text(const struct doc_node *n, const char *path) {
    const struct doc_node *v = node_at(n, path);
    return v && (v->kind == JSON_STRING || v->kind == JSON_NUMBER) ? v->text : STR("");
}

uint64_t node_u64(const struct doc_node *n, const char *path) {
    uint64_t v = 0;
    return json_u64(node_text(n, path), &v) ? v : 0;
}

double node_f64(const struct doc_node *n, const char *path) {
    struct str s = node_text(n, path);
    double v = 0;
    if (str_eq(s, STR("Infinity"))) return __builtin_inf();
    if (str_eq(s, STR("-Infinity"))) return -__builtin_inf();
    return json_f64(s, &v) ? v : 0;
}

bool node_true(const struct doc_node *n, const char *path) {
    const struct doc_node *v = node_at(n, path);
    return v && v->kind == JSON_TRUE;
}

void node_print_any(const struct doc_node *value, struct buf *out) {
    const struct doc_node *v = value ? value->first : NULL, *items = v ? node_at(v, "values") : NULL;
    bool is_list = v && str_eq(v->key, STR("arrayValue")), is_map = v && str_eq(v->key, STR("kvlistValue"));
    if (!v) {
        buf_str(out, STR("nil"));
    } else if (is_list || is_map) {
        buf_char(out, is_list ? '[' : '{');
        for (const struct doc_node *x = items ? items->first : NULL; x; x = x->next) {
            if (x != items->first) buf_str(out, STR(", "));
            if (is_map) plot_text(out, node_text(x, "key"));
            if (is_map) buf_char(out, '=');
            node_print_any(is_map ? node_at(x, "value") : x, out);
        }
        buf_char(out, is_list ? ']' : '}');
    } else {
        plot_text(out, v->text);
    }
}
