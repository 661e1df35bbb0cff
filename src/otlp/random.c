// SPDX-License-Identifier: Apache-2.0
#include "otlp/random.h"

#include <math.h>

#include "base/pb.h"

enum { KEPT_MAX = 256 << 10, LARGE_STRING = 64 << 10 };

static uint64_t below(struct random_otlp *g, uint64_t n) {
    return g->opts.rand() % n;
}

static bool percent(struct random_otlp *g, uint32_t p) {
    return below(g, 100) < p;
}

void random_init(struct random_otlp *g, struct random_opts opts) {
    *g = (struct random_otlp){ .opts = opts };
    if (!g->opts.spans_max) g->opts.spans_max = 5;
    if (!g->opts.depth_max) g->opts.depth_max = 4;
    uint8_t *traces = g->trace_ids[0], *spans = g->span_ids[0];
    for (size_t i = 0; i < sizeof g->trace_ids; i++) traces[i] = (uint8_t)opts.rand();
    for (size_t i = 0; i < sizeof g->span_ids; i++) spans[i] = (uint8_t)opts.rand();
    for (size_t i = 0; i < RANDOM_TRACES; i++) g->trace_ids[i][15] |= 1; // never all zero
    for (size_t i = 0; i < RANDOM_SPANS; i++) g->span_ids[i][7] |= 1;
    memset(g->trace_ids[0], 0, 15); // an id of 64 bits, as older tracers have
    buf_init(&g->kept, KEPT_MAX);
}

void random_fini(struct random_otlp *g) {
    buf_fini(&g->kept);
}

// --- scalars -----------------------------------------------------------------------------------

static void put_string(struct random_otlp *g, struct buf *out) {
    static const char *const words[] = {
        "GET /api", "shop",        "db.query",           "a\"quoted\" word", "line\nbreak",
        "tab\t",    "back\\slash", "gr\xc3\xbc\xc3\x9f", "\xe2\x82\xac",     "\xf0\x9f\x98\x80",
        "\x7f\x01", "e\xcc\x81",   "\xef\xbf\xbf",       "\xe2\x80\xa8"
    };
    uint64_t n = below(g, 8) ? below(g, 3) : below(g, 20);
    if (g->opts.large && below(g, 200) == 0) n = LARGE_STRING / 5;
    for (; n > 0; n--) {
        uint64_t w = below(g, sizeof words / sizeof *words + 1);
        buf_str(out, w == 0 ? (struct str){ "\0", 1 } : str_of(words[w - 1]));
    }
    if (g->opts.bad_utf8 && below(g, 20) == 0) buf_str(out, STR("\xff\xc3("));
}

static void put_key(struct random_otlp *g, struct buf *out) {
    static const char *const keys[] = { "http.route",
                                        "http.response.status_code",
                                        "service.name",
                                        "name",
                                        "k",
                                        "schl\xc3\xbcssel",
                                        "db.system",
                                        "retry",
                                        "a",
                                        "b",
                                        "with space",
                                        "x.y.z" };
    if (g->invalid && g->opts.bad_utf8 && below(g, 3) == 0) buf_str(out, STR("\xc3("));
    if (below(g, 40) == 0) return; // an empty key
    buf_str(out, str_of(keys[below(g, sizeof keys / sizeof *keys)]));
    if (below(g, 20) == 0) buf_u64(out, below(g, 1000));
}

static void put_random_bytes(struct random_otlp *g, uint64_t n, struct buf *out) {
    for (; n > 0; n--) buf_char(out, (char)g->opts.rand());
}

static void put_id(struct random_otlp *g, const struct otlp_field *f, struct buf *out) {
    bool trace = str_eq(f->name, STR("traceId"));
    if (str_eq(f->name, STR("parentSpanId")) && below(g, 3) == 0) return; // a root
    if (g->invalid && below(g, 2) == 0) {
        if (below(g, 2) == 0)
            buf_str(out, trace ? STR("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0") : STR("\0\0\0\0\0\0\0\0"));
        else
            put_random_bytes(g, below(g, 20), out);
    } else if (trace) {
        buf_add(out, g->trace_ids[below(g, RANDOM_TRACES)], 16);
    } else {
        buf_add(out, g->span_ids[below(g, RANDOM_SPANS)], 8);
    }
}

static uint64_t integer(struct random_otlp *g) {
    static const int64_t edges[] = { 0,         1,         -1,         INT64_MAX, INT64_MIN,
                                     INT32_MAX, INT32_MIN, UINT32_MAX, 1LL << 53 };
    if (below(g, 3) == 0) return (uint64_t)edges[below(g, sizeof edges / sizeof *edges)];
    return g->opts.rand() >> below(g, 64);
}

static uint64_t double_bits(struct random_otlp *g) {
    static const double edges[] = { 0, -0.0, 1, -1.5, 0.1, 1e300, 5e-324, 9007199254740992.0, 1e21 };
    double v = 0;
    uint64_t bits;
    switch (below(g, 6)) {
    case 0: v = (double)NAN; break;
    case 1: v = below(g, 2) ? (double)INFINITY : -(double)INFINITY; break;
    case 2: v = edges[below(g, sizeof edges / sizeof *edges)]; break;
    case 3: v = (double)(int64_t)below(g, 100000) / 100; break;
    default:
        bits = g->opts.rand();
        memcpy(&v, &bits, sizeof v);
        if (isnan(v)) v = 0.5; // of a NaN's bits JSON keeps nothing
    }
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

static uint64_t time_ns(struct random_otlp *g) {
    if (g->invalid && below(g, 4) == 0) return UINT64_MAX - below(g, 1000);
    if (below(g, 20) == 0) return below(g, 2);
    return 1700000000000000000u + below(g, 3600000000000u);
}

static uint64_t number(struct random_otlp *g, const struct otlp_field *f) {
    switch (f->type) {
    case OTLP_TYPE_BOOL: return below(g, 2);
    case OTLP_TYPE_INT32: return (uint64_t)(int32_t)integer(g);
    case OTLP_TYPE_UINT32:
    case OTLP_TYPE_FIXED32: return below(g, 2) ? below(g, 300) : (uint32_t)integer(g);
    case OTLP_TYPE_FIXED64: return time_ns(g);
    case OTLP_TYPE_DOUBLE: return double_bits(g);
    case OTLP_TYPE_ENUM: return below(g, 10) ? below(g, f->values->n_names) : (uint64_t)(int32_t)integer(g);
    default: return integer(g);
    }
}

// --- messages ----------------------------------------------------------------------------------

static void put_field(struct random_otlp *g, const struct otlp_message *m, const struct otlp_field *f,
                      struct buf *out);

// Content of a field of bytes: a string, an id, a message.
static void put_body(struct random_otlp *g, const struct otlp_message *m, const struct otlp_field *f,
                     struct buf *out) {
    if (f->type == OTLP_TYPE_MESSAGE)
        random_message(g, f->message, out);
    else if (f->type == OTLP_TYPE_ID)
        put_id(g, f, out);
    else if (f->type == OTLP_TYPE_BYTES)
        put_random_bytes(g, below(g, 12), out);
    else if (m == &otlp_key_value)
        put_key(g, out);
    else
        put_string(g, out);
}

// One value of a field. Without `wild`, a zero that would not be there is left out.
static void put_field(struct random_otlp *g, const struct otlp_message *m, const struct otlp_field *f,
                      struct buf *out) {
    bool keep_zero = f->oneof || f->repeated || f->type == OTLP_TYPE_MESSAGE || g->opts.wild;
    size_t before = out->len;
    uint64_t v;
    switch (f->type) {
    case OTLP_TYPE_STRING:
    case OTLP_TYPE_BYTES:
    case OTLP_TYPE_ID:
    case OTLP_TYPE_MESSAGE: {
        size_t mark = pb_begin(out, f->number);
        put_body(g, m, f, out);
        bool empty = out->len == mark;
        pb_end(out, mark);
        if (empty && !keep_zero) out->len = before;
        return;
    }
    default: v = number(g, f);
    }
    if (v == 0 && !keep_zero) return;
    if (f->type == OTLP_TYPE_FIXED64 || f->type == OTLP_TYPE_DOUBLE)
        pb_fixed64(out, f->number, v);
    else if (f->type == OTLP_TYPE_FIXED32)
        pb_fixed32(out, f->number, (uint32_t)v);
    else
        pb_varint(out, f->number, v);
}

static void put_unknown(struct random_otlp *g, struct buf *out) {
    switch (below(g, 4)) {
    case 0: pb_varint(out, 1000, g->opts.rand()); break;
    case 1: pb_fixed32(out, 99, 7); break;
    case 2: pb_bytes(out, 4095, STR("unknown")); break;
    default: pb_fixed64(out, 200, 1); break;
    }
}

static uint64_t count_of(struct random_otlp *g, const struct otlp_field *f) {
    bool values = f->message == &otlp_any_value || f->message == &otlp_key_value;
    if (g->depth > 0 && values) return g->chain ? 1 : below(g, 3);
    if (f->message == &otlp_span) return below(g, g->opts.spans_max + 1);
    if (f->message == &otlp_key_value && g->opts.large && below(g, 100) == 0) return below(g, 300);
    return values ? below(g, 6) : below(g, 4);
}

static void put_span(struct random_otlp *g, const struct otlp_message *m, const struct otlp_field *f,
                     struct buf *out) {
    size_t before = out->len;
    g->invalid = percent(g, g->opts.invalid_percent);
    put_field(g, m, f, out);
    g->invalid = false;
    size_t n = out->len - before;
    if (percent(g, g->opts.duplicate_percent) && buf_reserve(out, n)) buf_add(out, out->ptr + before, n);
}

static void put_fields(struct random_otlp *g, const struct otlp_message *m, const struct otlp_field *f,
                       struct buf *out) {
    uint64_t n = f->repeated ? count_of(g, f) : g->chain || percent(g, 70) ? 1 : 0;
    if (g->opts.wild && !f->repeated && below(g, 10) == 0) n++;
    if (m == &otlp_span && f->type == OTLP_TYPE_ID && n == 0 && !g->invalid) n = 1;
    for (; n > 0; n--) {
        if (f->message == &otlp_span)
            put_span(g, m, f, out);
        else
            put_field(g, m, f, out);
    }
}

// A value: one member, or none; two in a wild one. Containers only while there is depth left.
static void put_value(struct random_otlp *g, struct buf *out) {
    const struct otlp_message *m = &otlp_any_value;
    bool deep = g->depth < g->opts.depth_max, outermost = g->depth == 0;
    if (outermost) g->chain = g->opts.large && below(g, 64) == 0;
    if (!g->chain && below(g, 20) == 0) return; // an empty value
    g->depth++;
    for (uint64_t n = g->opts.wild && below(g, 20) == 0 ? 2 : 1; n > 0; n--) {
        const struct otlp_field *f = &m->fields[below(g, m->n_fields)];
        if (g->chain && deep) f = otlp_field_by_number(m, 5 + (uint32_t)below(g, 2));
        if (f->type == OTLP_TYPE_MESSAGE && !deep) f = &m->fields[2];
        put_field(g, m, f, out);
    }
    g->depth--;
    if (outermost) g->chain = false;
}

void random_message(struct random_otlp *g, const struct otlp_message *m, struct buf *out) {
    uint64_t from = g->opts.wild ? below(g, m->n_fields) : 0;
    if (m == &otlp_any_value) {
        put_value(g, out);
        return;
    }
    for (uint32_t i = 0; i < m->n_fields; i++) {
        put_fields(g, m, &m->fields[(from + i) % m->n_fields], out);
        if (g->opts.wild && below(g, 30) == 0) put_unknown(g, out);
    }
    // A field of a wild message comes once more at the end: lists in pieces, scalars twice.
    if (g->opts.wild && below(g, 10) == 0) put_fields(g, m, &m->fields[from], out);
}

void random_request(struct random_otlp *g, struct buf *out) {
    const struct otlp_field *f = &otlp_export_request.fields[0];
    for (uint64_t n = 1 + below(g, 3); n > 0; n--) {
        size_t before = out->len;
        put_field(g, &otlp_export_request, f, out);
        size_t after = out->len;
        if (!percent(g, g->opts.duplicate_percent)) continue;
        buf_str(out, buf_view(&g->kept)); // what came earlier, in this request or another
        buf_reset(&g->kept);
        buf_str(&g->kept, str_sub(buf_view(out), before, after - before));
        if (g->kept.failed) buf_reset(&g->kept);
    }
}
