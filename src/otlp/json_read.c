// SPDX-License-Identifier: Apache-2.0
// JSON → protobuf in one pass over the tokens. Messages are written as they come, so that the order
// of the text is the order on the wire.
#include <math.h>

#include "base/base64.h"
#include "base/pb.h"
#include "otlp/json.h"

struct conversion {
    struct json j;
    struct buf *pb;
    struct buf scratch; // of names and numbers that hold escapes
    enum otlp_flavour flavour;
    uint64_t n_unknown;
};

enum { SCRATCH_MAX = 4096 }; // no name and no number is longer

// The text of the current token; one with escapes is resolved into the scratch buffer. One that is
// too long for it can be neither a name nor a number.
static struct str token_text(struct conversion *c) {
    if (!c->j.escaped) return c->j.text;
    if (c->j.text.len > SCRATCH_MAX) return STR("");
    buf_reset(&c->scratch);
    json_text(&c->j, &c->scratch);
    if (!c->scratch.failed) return buf_view(&c->scratch);
    c->pb->failed = true; // no memory: seen at the end
    return STR("");
}

// Senders keep to the order of the schema: the search begins behind the field that came last.
static const struct otlp_field *find(struct conversion *c, const struct otlp_message *m, uint32_t *next) {
    struct str name = token_text(c);
    for (uint32_t i = 0, at = *next; i < m->n_fields; i++, at++) {
        if (at >= m->n_fields) at = 0;
        if (!str_eq(m->fields[at].name, name)) continue;
        *next = at + 1;
        return &m->fields[at];
    }
    for (uint32_t i = 0; i < m->n_fields; i++)
        if (str_eq(m->fields[i].proto_name, name)) return &m->fields[i];
    return NULL;
}

static enum err mismatch(struct conversion *c, const struct otlp_field *f) {
    static const char *const wanted[OTLP_TYPE_COUNT] = {
        [OTLP_TYPE_STRING] = "a string",
        [OTLP_TYPE_BYTES] = "a string of base64",
        [OTLP_TYPE_ID] = "a string of hexadecimal digits",
        [OTLP_TYPE_BOOL] = "true or false",
        [OTLP_TYPE_INT32] = "a 32-bit integer",
        [OTLP_TYPE_INT64] = "a 64-bit integer",
        [OTLP_TYPE_UINT32] = "an integer from 0 to 4294967295",
        [OTLP_TYPE_FIXED32] = "an integer from 0 to 4294967295",
        [OTLP_TYPE_UINT64] = "an integer from 0 to 18446744073709551615",
        [OTLP_TYPE_FIXED64] = "an integer from 0 to 18446744073709551615",
        [OTLP_TYPE_DOUBLE] = "a number",
        [OTLP_TYPE_ENUM] = "a number or a name of the enum",
        [OTLP_TYPE_MESSAGE] = "an object",
    };
    const char *want = wanted[f->type];
    if (f->type == OTLP_TYPE_ID && c->flavour == OTLP_FLAVOUR_TEMPO) want = wanted[OTLP_TYPE_BYTES];
    return json_fail(&c->j, ERR_INVALID, "%s: expected %s, found %s", f->name.ptr, want,
                     json_kind_text(c->j.kind));
}

static enum err read_string(struct conversion *c, const struct otlp_field *f) {
    if (c->j.kind != JSON_STRING) return mismatch(c, f);
    if (!c->j.escaped) {
        pb_bytes(c->pb, f->number, c->j.text);
        return ERR_OK;
    }
    size_t mark = pb_begin(c->pb, f->number);
    json_text(&c->j, c->pb);
    pb_end(c->pb, mark);
    return ERR_OK;
}

// Characters of base64 and of hexadecimal may be written as escapes (a slash often is), so the
// text is resolved first, at the place where the bytes will stand.
static enum err read_bytes(struct conversion *c, const struct otlp_field *f) {
    if (c->j.kind != JSON_STRING) return mismatch(c, f);
    struct buf resolved;
    buf_init(&resolved, c->j.text.len);
    if (c->j.escaped) json_text(&c->j, &resolved);
    struct str text = c->j.escaped ? buf_view(&resolved) : c->j.text;
    size_t mark = pb_begin(c->pb, f->number);
    enum err e = ERR_OK;
    if (resolved.failed) {
        c->pb->failed = true;
    } else if (f->type == OTLP_TYPE_ID && c->flavour == OTLP_FLAVOUR_OTLP) {
        bool room = buf_reserve(c->pb, text.len / 2);
        if (room && !hex_decode(text, c->pb->ptr + mark, text.len / 2)) e = ERR_INVALID;
        if (room && e == ERR_OK) c->pb->len += text.len / 2;
    } else {
        e = base64_decode(text, c->pb);
    }
    pb_end(c->pb, mark);
    buf_fini(&resolved);
    return e == ERR_INVALID ? mismatch(c, f) : ERR_OK; // a full buffer is seen at the end
}

static enum err read_signed(struct conversion *c, const struct otlp_field *f) {
    int64_t v;
    bool number = c->j.kind == JSON_NUMBER || c->j.kind == JSON_STRING;
    if (!number || !json_i64(token_text(c), &v)) return mismatch(c, f);
    if (f->type != OTLP_TYPE_INT64 && v != (int32_t)v) return mismatch(c, f);
    pb_varint(c->pb, f->number, (uint64_t)v);
    return ERR_OK;
}

static enum err read_unsigned(struct conversion *c, const struct otlp_field *f) {
    uint64_t v;
    bool number = c->j.kind == JSON_NUMBER || c->j.kind == JSON_STRING;
    if (!number || !json_u64(token_text(c), &v)) return mismatch(c, f);
    bool is_long = f->type == OTLP_TYPE_FIXED64 || f->type == OTLP_TYPE_UINT64;
    if (!is_long && v > UINT32_MAX) return mismatch(c, f);
    if (f->type == OTLP_TYPE_UINT32 || f->type == OTLP_TYPE_UINT64) pb_varint(c->pb, f->number, v);
    if (f->type == OTLP_TYPE_FIXED32) pb_fixed32(c->pb, f->number, (uint32_t)v);
    if (f->type == OTLP_TYPE_FIXED64) pb_fixed64(c->pb, f->number, v);
    return ERR_OK;
}

static enum err read_double(struct conversion *c, const struct otlp_field *f) {
    double v;
    if (c->j.kind != JSON_NUMBER && c->j.kind != JSON_STRING) return mismatch(c, f);
    struct str text = token_text(c);
    if (c->j.kind == JSON_STRING && str_eq(text, STR("NaN")))
        v = NAN;
    else if (c->j.kind == JSON_STRING && str_eq(text, STR("Infinity")))
        v = INFINITY;
    else if (c->j.kind == JSON_STRING && str_eq(text, STR("-Infinity")))
        v = -INFINITY;
    else if (!json_f64(text, &v))
        return mismatch(c, f);
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    pb_fixed64(c->pb, f->number, bits);
    return ERR_OK;
}

static enum err read_enum(struct conversion *c, const struct otlp_field *f) {
    if (c->j.kind == JSON_NUMBER) return read_signed(c, f);
    if (c->j.kind != JSON_STRING) return mismatch(c, f);
    struct str name = token_text(c);
    for (uint32_t i = 0; i < f->values->n_names; i++) {
        if (!str_eq(f->values->names[i], name)) continue;
        pb_varint(c->pb, f->number, i);
        return ERR_OK;
    }
    return mismatch(c, f);
}

static enum err read_bool(struct conversion *c, const struct otlp_field *f) {
    if (c->j.kind != JSON_TRUE && c->j.kind != JSON_FALSE) return mismatch(c, f);
    pb_varint(c->pb, f->number, c->j.kind == JSON_TRUE);
    return ERR_OK;
}

static enum err read_message(struct conversion *c, const struct otlp_message *m);

// Writes the value at the current token as the field f.
static enum err read_value(struct conversion *c, const struct otlp_field *f) {
    switch (f->type) {
    case OTLP_TYPE_STRING: return read_string(c, f);
    case OTLP_TYPE_BYTES:
    case OTLP_TYPE_ID: return read_bytes(c, f);
    case OTLP_TYPE_BOOL: return read_bool(c, f);
    case OTLP_TYPE_INT32:
    case OTLP_TYPE_INT64: return read_signed(c, f);
    case OTLP_TYPE_UINT32:
    case OTLP_TYPE_UINT64:
    case OTLP_TYPE_FIXED32:
    case OTLP_TYPE_FIXED64: return read_unsigned(c, f);
    case OTLP_TYPE_DOUBLE: return read_double(c, f);
    case OTLP_TYPE_ENUM: return read_enum(c, f);
    default: break;
    }
    if (c->j.kind != JSON_OBJECT) return mismatch(c, f);
    size_t mark = pb_begin(c->pb, f->number);
    TRY(read_message(c, f->message));
    pb_end(c->pb, mark);
    return ERR_OK;
}

static enum err read_field(struct conversion *c, const struct otlp_field *f) {
    enum json_kind kind = json_next(&c->j);
    if (kind == JSON_NULL) return ERR_OK;
    if (kind == JSON_ERROR) return c->j.err;
    if (!f->repeated) return read_value(c, f);
    if (kind != JSON_ARRAY)
        return json_fail(&c->j, ERR_INVALID, "%s: expected an array, found %s", f->name.ptr,
                         json_kind_text(kind));
    while ((kind = json_next(&c->j)) != JSON_ARRAY_END) {
        if (kind == JSON_ERROR) return c->j.err;
        TRY(read_value(c, f));
    }
    return ERR_OK;
}

// The fields of an object whose opening brace is the current token.
static enum err read_message(struct conversion *c, const struct otlp_message *m) {
    uint32_t next = 0;
    while (json_next(&c->j) == JSON_KEY) {
        const struct otlp_field *f = find(c, m, &next);
        if (f) {
            TRY(read_field(c, f));
        } else {
            c->n_unknown++;
            json_skip(&c->j);
        }
    }
    return c->j.err;
}

static enum err convert(struct conversion *c, const struct otlp_message *m) {
    enum json_kind kind = json_next(&c->j);
    if (kind == JSON_ERROR) return c->j.err;
    if (kind != JSON_OBJECT)
        return json_fail(&c->j, ERR_INVALID, "expected an object (%s), found %s", m->name,
                         json_kind_text(kind));
    TRY(read_message(c, m));
    (void)json_next(&c->j);
    return c->j.err;
}

static enum err from_json(struct conversion *c, const struct otlp_message *m) {
    size_t before = c->pb->len;
    buf_init(&c->scratch, SCRATCH_MAX);
    enum err e = convert(c, m);
    if (e == ERR_OK && c->pb->failed) e = ERR_NOMEM;
    if (e != ERR_OK) c->pb->len = before;
    buf_fini(&c->scratch);
    return e;
}

enum err otlp_json_to_pb(struct str json, struct buf *pb, uint64_t *out_unknown, struct err_ctx *ctx) {
    struct conversion c = { .pb = pb, .flavour = OTLP_FLAVOUR_OTLP };
    json_init(&c.j, json, OTLP_JSON_DEPTH_MAX, ctx);
    TRY(from_json(&c, &otlp_export_request));
    if (out_unknown) *out_unknown = c.n_unknown;
    return ERR_OK;
}

enum err otlp_message_from_json(const struct otlp_message *m, enum otlp_flavour flavour, struct str json,
                                struct buf *pb, struct err_ctx *ctx) {
    struct conversion c = { .pb = pb, .flavour = flavour };
    json_init(&c.j, json, OTLP_JSON_DEPTH_MAX, ctx);
    return from_json(&c, m);
}
