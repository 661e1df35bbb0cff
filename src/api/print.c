// SPDX-License-Identifier: Apache-2.0
#include "api/print.h"

#include "api/skeleton.h"
#include "api/trace.h"

enum { DEPTH_SHOWN = 40 };

bool print_parse_trace_id(struct str s, uint8_t out[16]) {
    char padded[32];
    if (s.len == 0 || s.len > sizeof padded) return false;
    memset(padded, '0', sizeof padded);
    memcpy(padded + sizeof padded - s.len, s.ptr, s.len);
    return hex_decode((struct str){ padded, sizeof padded }, out, 16);
}

enum err print_trace_json(struct trace *t, struct otlp_steps steps, struct buf *out) {
    struct json_writer w = json_writer_on(out);
    enum err e = otlp_encode_json(&t->table, t->rows, t->n, &t->arena, steps, &otlp_traces_data,
                                  OTLP_FLAVOUR_OTLP, &w);
    buf_char(out, '\n');
    return e;
}

static void print_duration(struct buf *out, uint64_t ns) {
    if (ns < 10000)
        buf_fmt(out, "%llu ns", (unsigned long long)ns);
    else if (ns < 10000000)
        buf_fmt(out, "%.1f us", (double)ns / 1e3);
    else if (ns < 10000000000ull)
        buf_fmt(out, "%.1f ms", (double)ns / 1e6);
    else
        buf_fmt(out, "%.1f s", (double)ns / 1e9);
}

// Text of senders without control characters: a terminal must not obey them.
static void print_text(struct buf *out, struct str s) {
    for (size_t i = 0; i < s.len; i++)
        buf_char(out, (unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f ? '?' : s.ptr[i]);
}

static void print_row(const struct trace *t, const struct skeleton_tree *tree, uint32_t row, uint32_t depth,
                      struct buf *out) {
    uint32_t at = t->rows[tree->order[row]];
    for (uint32_t i = 0; i < depth && i < DEPTH_SHOWN; i++) buf_str(out, STR("  "));
    print_text(out, span_service(&t->table, at));
    buf_str(out, STR("  "));
    print_text(out, span_name(&t->table, at));
    buf_str(out, STR("  "));
    print_duration(out, span_duration_ns(&t->table, at));
    if (SEG_AT(&t->table.status, at, uint8_t) == 2) buf_str(out, STR("  ERROR"));
    if (tree->flags[row] & SKELETON_MISSING_PARENT) buf_str(out, STR("  (its parent is missing)"));
    buf_char(out, '\n');
}

enum err print_trace_tree(struct trace *t, struct buf *out) {
    struct skeleton_input in;
    struct skeleton_tree tree;
    TRY(trace_skeleton(t, &in));
    TRY(skeleton_tree(&t->arena, &in, &tree));
    uint32_t *depth = ARENA_ARRAY(&t->arena, t->n + 1ull, uint32_t);
    if (!depth) return ERR_NOMEM;
    for (uint32_t row = 0; row < t->n; row++) {
        depth[row] = tree.parent[row] == SKELETON_NONE ? 0 : depth[tree.parent[row]] + 1;
        print_row(t, &tree, row, depth[row], out);
    }
    buf_fmt(out, "%u spans%s%s\n", t->n, t->partial ? "; " : "", t->why);
    return out->failed ? ERR_NOMEM : ERR_OK;
}
