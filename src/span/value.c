// SPDX-License-Identifier: Apache-2.0
#include "span/value.h"

#include <math.h>

#include "base/base64.h"
#include "base/hash.h"
#include "base/json.h"
#include "span/attrs.h"
#include "span/wire.h"

static int sign(bool less, bool more) {
    return less ? -1 : more ? 1 : 0;
}

// NaN last, whatever its bits; -0 before 0, since they are not the same.
static int order_floats(double a, double b) {
    if (isnan(a) || isnan(b)) return sign(!isnan(a), !isnan(b));
    if (a == b) return sign(signbit(a) && !signbit(b), signbit(b) && !signbit(a));
    return sign(a<b, a> b);
}

int value_order(const struct value *a, const struct value *b) {
    if (a->type != b->type) return sign(a->type < b->type, true);
    switch (a->type) {
    case VALUE_NIL: return 0;
    case VALUE_FLOAT: return order_floats(a->f, b->f);
    case VALUE_STRING:
    case VALUE_ANY: return str_cmp(a->s, b->s);
    default: return sign(a->i<b->i, a->i> b->i);
    }
}

uint64_t value_hash(const struct value *v) {
    struct value plain = *v;
    uint64_t salt = hash_u64((uint64_t)v->type + 1);
    if (v->type == VALUE_NIL) return salt;
    if (v->type == VALUE_STRING || v->type == VALUE_ANY) return salt ^ hash_str(v->s);
    if (v->type == VALUE_FLOAT && isnan(v->f)) plain.f = NAN;
    return salt ^ hash_bytes(&plain.i, sizeof plain.i);
}

// f is not NaN. No rounding: within the range of int64, a double's whole part is exact.
static int compare_int_float(int64_t i, double f) {
    if (f >= 0x1p63) return -1;
    if (f < -0x1p63) return 1;
    double whole = trunc(f);
    if (i != (int64_t)whole) return i < (int64_t)whole ? -1 : 1;
    return sign(f > whole, f < whole);
}

bool value_compare_numbers(const struct value *a, const struct value *b, int *out) {
    if (!value_is_number(a->type) || !value_is_number(b->type)) return false;
    bool af = a->type == VALUE_FLOAT, bf = b->type == VALUE_FLOAT;
    if ((af && isnan(a->f)) || (bf && isnan(b->f))) return false;
    if (af && bf)
        *out = sign(a->f<b->f, a->f> b->f);
    else if (af)
        *out = -compare_int_float(b->i, a->f);
    else if (bf)
        *out = compare_int_float(a->i, b->f);
    else
        *out = sign(a->i<b->i, a->i> b->i);
    return true;
}

// --- arrays --------------------------------------------------------------------------------------

static struct value value_of_attr(struct attr_value v) {
    switch (v.type) {
    case ATTR_STRING: return VALUE_OF_STR(v.text);
    case ATTR_INT: return VALUE_OF_INT((int64_t)v.bits);
    case ATTR_BOOL: return VALUE_OF_BOOL(v.bits);
    case ATTR_FLOAT: {
        struct value f = VALUE_OF_FLOAT(0);
        memcpy(&f.f, &v.bits, sizeof f.f);
        return f;
    }
    default: return (struct value){ .type = VALUE_ANY, .s = v.text };
    }
}

// Walks the elements; `each` may be NULL. false: damage, or elements of several kinds or of one that
// nothing compares with.
static bool array_walk(struct str list, enum value_type *kind,
                       void (*each)(void *ctx, const struct value *element), void *ctx) {
    struct reader r = reader_of(list);
    struct pb_field f;
    while (pb_next(&r, &f)) {
        if (f.number != LIST_VALUES || f.wire != PB_BYTES) continue;
        struct value v = value_of_attr(attr_value_of(f.bytes));
        if (v.type == VALUE_ANY || (*kind != VALUE_NIL && *kind != v.type)) return false;
        *kind = v.type;
        if (each) each(ctx, &v);
    }
    return !r.bad;
}

// An array may come in several pieces, which belong together; beside anything else it is no array.
static bool array_pieces(struct str any, void (*each)(void *ctx, const struct value *element), void *ctx) {
    struct reader r = reader_of(any);
    struct pb_field f;
    enum value_type kind = VALUE_NIL;
    bool found = false;
    while (pb_next(&r, &f)) {
        if (f.number < ANY_STRING || f.number > ANY_BYTES) continue;
        if (f.number != ANY_ARRAY || f.wire != PB_BYTES) return false;
        if (!array_walk(f.bytes, &kind, each, ctx)) return false;
        found = true;
    }
    return found && !r.bad;
}

bool value_array(struct str any, void (*each)(void *ctx, const struct value *element), void *ctx) {
    return array_pieces(any, NULL, NULL) && array_pieces(any, each, ctx);
}

// --- text ----------------------------------------------------------------------------------------

// whole.fraction with `digits` decimal digits of fraction, without trailing zeros.
static void put_fraction(struct buf *out, uint64_t v, uint64_t unit, int digits) {
    buf_u64(out, v / unit);
    v %= unit;
    if (v == 0) return;
    for (; v % 10 == 0; digits--) v /= 10;
    buf_fmt(out, ".%0*llu", digits, (unsigned long long)v);
}

static void put_duration(struct buf *out, int64_t ns) {
    uint64_t v = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    if (ns < 0) buf_char(out, '-');
    if (v == 0) {
        buf_str(out, STR("0s"));
    } else if (v < 1000) {
        buf_fmt(out, "%lluns", (unsigned long long)v);
    } else if (v < 1000000) {
        put_fraction(out, v, 1000, 3);
        buf_str(out, STR("\xc2\xb5s"));
    } else if (v < 1000000000) {
        put_fraction(out, v, 1000000, 6);
        buf_str(out, STR("ms"));
    } else {
        uint64_t minutes = v / 60000000000u;
        if (minutes >= 60) buf_fmt(out, "%lluh", (unsigned long long)(minutes / 60));
        if (minutes > 0) buf_fmt(out, "%llum", (unsigned long long)(minutes % 60));
        put_fraction(out, v % 60000000000u, 1000000000, 9);
        buf_char(out, 's');
    }
}

static void put_int(struct buf *out, int64_t v) {
    buf_fmt(out, "%lld", (long long)v);
}

static void put_word(struct buf *out, int64_t v, const char *const *words, int64_t n) {
    if (v >= 0 && v < n)
        buf_str(out, str_of(words[v]));
    else
        put_int(out, v);
}

static void put_float(struct buf *out, double v) {
    struct json_writer w = json_writer_on(out);
    if (isfinite(v))
        jw_f64(&w, v);
    else
        buf_str(out, isnan(v) ? STR("NaN") : v < 0 ? STR("-Infinity") : STR("Infinity"));
}

enum { ANY_DEPTH_MAX = 200 }; // deeper values print as null

static void put_any(struct json_writer *w, struct str any, int depth);

static void put_base64(struct json_writer *w, struct str s) {
    jw_raw(w, STR("\"")); // the value begins, with the comma that belongs before it
    if (!buf_reserve(w->out, base64_size(s.len))) return;
    base64_encode(s.ptr, s.len, w->out->ptr + w->out->len);
    w->out->len += base64_size(s.len);
    buf_char(w->out, '"');
}

static void put_pair(struct json_writer *w, struct str kv, int depth) {
    struct reader r = reader_of(kv);
    struct pb_field f;
    struct str key = STR(""), value = { 0 };
    while (pb_next(&r, &f)) {
        if (f.wire != PB_BYTES) continue;
        if (f.number == KV_KEY) key = f.bytes;
        if (f.number == KV_VALUE) value = f.bytes;
    }
    jw_object(w);
    jw_key(w, STR("key"));
    jw_str(w, key);
    if (value.ptr) {
        jw_key(w, STR("value"));
        put_any(w, value, depth);
    }
    jw_object_end(w);
}

static void put_list(struct json_writer *w, struct str list, bool pairs, int depth) {
    struct reader r = reader_of(list);
    struct pb_field f;
    jw_object(w);
    jw_key(w, STR("values"));
    jw_array(w);
    while (pb_next(&r, &f)) {
        if (f.number != LIST_VALUES || f.wire != PB_BYTES) continue;
        if (pairs)
            put_pair(w, f.bytes, depth + 1);
        else
            put_any(w, f.bytes, depth + 1);
    }
    jw_array_end(w);
    jw_object_end(w);
}

static void put_member(struct json_writer *w, const struct pb_field *f, int depth) {
    switch (f->number) {
    case ANY_ARRAY:
        jw_key(w, STR("arrayValue"));
        put_list(w, f->bytes, false, depth);
        break;
    case ANY_KVLIST:
        jw_key(w, STR("kvlistValue"));
        put_list(w, f->bytes, true, depth);
        break;
    default: jw_key(w, STR("bytesValue")); put_base64(w, f->bytes);
    }
}

static void put_scalar(struct json_writer *w, struct value v) {
    w->nonfinite_string = true;
    switch (v.type) {
    case VALUE_STRING:
        jw_key(w, STR("stringValue"));
        jw_str(w, v.s);
        break;
    case VALUE_INT:
        jw_key(w, STR("intValue"));
        jw_i64_str(w, v.i);
        break;
    case VALUE_FLOAT:
        jw_key(w, STR("doubleValue"));
        jw_f64(w, v.f);
        break;
    default: jw_key(w, STR("boolValue")); jw_bool(w, v.i != 0);
    }
}

// An AnyValue as OTLP/JSON writes it; of a oneof the last member counts.
static void put_any(struct json_writer *w, struct str any, int depth) {
    struct value v = value_of_attr(attr_value_of(any));
    struct reader r = reader_of(any);
    struct pb_field f, last = { 0 };
    if (depth > ANY_DEPTH_MAX) {
        jw_null(w);
        return;
    }
    while (pb_next(&r, &f))
        if (f.wire == PB_BYTES && f.number >= ANY_ARRAY && f.number <= ANY_BYTES) last = f;
    jw_object(w);
    if (v.type != VALUE_ANY)
        put_scalar(w, v);
    else if (last.number)
        put_member(w, &last, depth);
    jw_object_end(w);
}

void value_text(const struct value *v, struct buf *out) {
    static const char *const statuses[] = { "unset", "ok", "error" };
    static const char *const kinds[] = {
        "unspecified", "internal", "server", "client", "producer", "consumer"
    };
    struct json_writer w = json_writer_on(out);
    switch (v->type) {
    case VALUE_BOOL: buf_str(out, v->i ? STR("true") : STR("false")); break;
    case VALUE_INT: put_int(out, v->i); break;
    case VALUE_FLOAT: put_float(out, v->f); break;
    case VALUE_DURATION: put_duration(out, v->i); break;
    case VALUE_STATUS: put_word(out, v->i, statuses, 3); break;
    case VALUE_KIND: put_word(out, v->i, kinds, 6); break;
    case VALUE_STRING: buf_str(out, v->s); break;
    case VALUE_ANY: put_any(&w, v->s, 0); break;
    case VALUE_NIL:
    default: buf_str(out, STR("nil"));
    }
}
