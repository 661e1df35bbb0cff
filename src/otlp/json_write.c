// SPDX-License-Identifier: Apache-2.0
// Protobuf → JSON. JSON wants the elements of a list side by side and one value per field, where
// the wire may mix and repeat them; so each message is looked over once to see what is there, and
// each list once more to write it.
#include "base/base64.h"
#include "base/pb.h"
#include "otlp/json.h"

struct printer {
    struct json_writer *w;
    enum otlp_flavour flavour;
};

// Where a message holds one field of its schema.
struct found {
    uint32_t count;
    const uint8_t *first, *last;
};

static enum pb_wire wire_of(enum otlp_type type) {
    switch (type) {
    case OTLP_TYPE_STRING:
    case OTLP_TYPE_BYTES:
    case OTLP_TYPE_ID:
    case OTLP_TYPE_MESSAGE: return PB_BYTES;
    case OTLP_TYPE_FIXED32: return PB_FIXED32;
    case OTLP_TYPE_FIXED64:
    case OTLP_TYPE_DOUBLE: return PB_FIXED64;
    default: return PB_VARINT;
    }
}

// Index of the field's schema, or n_fields: unknown, or of another wire type, which is the same.
// Most messages hold their fields in order: the search begins at the one that came last.
static uint32_t schema_index(const struct otlp_message *m, const struct pb_field *f, uint32_t hint) {
    for (uint32_t n = 0, i = hint; n < m->n_fields; n++, i++) {
        if (i >= m->n_fields) i = 0;
        if (m->fields[i].number == f->number) return f->wire == wire_of(m->fields[i].type) ? i : m->n_fields;
    }
    return m->n_fields;
}

static bool look_over(const struct otlp_message *m, struct str pb, struct found *found) {
    struct reader r = reader_of(pb);
    struct pb_field f;
    uint32_t hint = 0, member = m->n_fields; // of the oneof, seen last: another one takes its place
    for (uint32_t i = 0; i < m->n_fields; i++) found[i].count = 0;
    for (const uint8_t *at = r.pos; pb_next(&r, &f); at = r.pos) {
        uint32_t i = schema_index(m, &f, hint);
        if (i == m->n_fields) continue;
        hint = i;
        if (m->fields[i].oneof) {
            if (member != i && member != m->n_fields) found[member].count = 0;
            member = i;
        }
        if (found[i].count++ == 0) found[i].first = at;
        found[i].last = at;
    }
    return !r.bad;
}

static void write_base64(struct buf *out, struct str s) {
    size_t n = base64_size(s.len);
    if (!buf_reserve(out, n)) return;
    base64_encode(s.ptr, s.len, out->ptr + out->len);
    out->len += n;
}

static void write_bytes(struct printer *p, struct str s, bool hex) {
    struct buf *out = p->w->out;
    jw_raw(p->w, STR("\""));
    if (!hex) {
        write_base64(out, s);
    } else if (buf_reserve(out, 2 * s.len)) {
        hex_encode(s.ptr, s.len, out->ptr + out->len);
        out->len += 2 * s.len;
    }
    buf_char(out, '"');
}

static void write_enum(struct printer *p, const struct otlp_enum *values, uint64_t v) {
    if (p->flavour == OTLP_FLAVOUR_TEMPO && v < values->n_names)
        jw_str(p->w, values->names[v]);
    else
        jw_i64(p->w, (int32_t)v);
}

static void write_scalar(struct printer *p, const struct otlp_field *field, const struct pb_field *f) {
    switch (field->type) {
    case OTLP_TYPE_STRING: jw_str(p->w, f->bytes); break;
    case OTLP_TYPE_BYTES: write_bytes(p, f->bytes, false); break;
    case OTLP_TYPE_ID: write_bytes(p, f->bytes, p->flavour == OTLP_FLAVOUR_OTLP); break;
    case OTLP_TYPE_BOOL: jw_bool(p->w, f->value != 0); break;
    case OTLP_TYPE_INT32: jw_i64(p->w, (int32_t)f->value); break;
    case OTLP_TYPE_INT64: jw_i64_str(p->w, pb_int64(f)); break;
    case OTLP_TYPE_UINT32:
    case OTLP_TYPE_FIXED32: jw_u64(p->w, (uint32_t)f->value); break;
    case OTLP_TYPE_UINT64:
    case OTLP_TYPE_FIXED64: jw_u64_str(p->w, f->value); break;
    case OTLP_TYPE_DOUBLE: jw_f64(p->w, pb_double(f)); break;
    default: write_enum(p, field->values, f->value);
    }
}

static bool is_zero(const struct otlp_field *field, const struct pb_field *f) {
    switch (field->type) {
    case OTLP_TYPE_STRING:
    case OTLP_TYPE_BYTES:
    case OTLP_TYPE_ID: return f->bytes.len == 0;
    case OTLP_TYPE_INT32:
    case OTLP_TYPE_UINT32:
    case OTLP_TYPE_ENUM: return (uint32_t)f->value == 0;
    default: return f->value == 0;
    }
}

static enum err write_message(struct printer *p, const struct otlp_message *m, struct str pb, uint32_t depth);

// A map's entries, whose type has the fields key and value.
static enum err write_map(struct printer *p, const struct otlp_field *field, struct str rest,
                          uint32_t depth) {
    const struct otlp_field *value = &field->message->fields[1];
    struct reader r = reader_of(rest);
    jw_object(p->w);
    for (struct pb_field f; pb_next(&r, &f);) {
        if (f.number != field->number || f.wire != PB_BYTES) continue;
        struct reader entry = reader_of(f.bytes);
        struct str key = STR(""), message = STR("");
        for (struct pb_field e; pb_next(&entry, &e);) {
            if (e.wire != PB_BYTES) continue;
            if (e.number == 1) key = e.bytes;
            if (e.number == 2) message = e.bytes;
        }
        jw_key(p->w, key);
        TRY(write_message(p, value->message, message, depth));
    }
    jw_object_end(p->w);
    return ERR_OK;
}

static enum err write_list(struct printer *p, const struct otlp_field *field, struct str rest,
                           uint32_t depth) {
    struct reader r = reader_of(rest);
    jw_array(p->w);
    for (struct pb_field f; pb_next(&r, &f);) {
        if (f.number != field->number || f.wire != PB_BYTES) continue;
        if (field->type == OTLP_TYPE_MESSAGE)
            TRY(write_message(p, field->message, f.bytes, depth));
        else
            write_scalar(p, field, &f);
    }
    jw_array_end(p->w);
    return ERR_OK;
}

// Merging messages is what reading their bytes one after the other does.
static enum err write_merged(struct printer *p, const struct otlp_field *field, struct str rest,
                             uint32_t depth) {
    struct buf whole;
    buf_init(&whole, rest.len);
    struct reader r = reader_of(rest);
    for (struct pb_field f; pb_next(&r, &f);)
        if (f.number == field->number && f.wire == PB_BYTES) buf_str(&whole, f.bytes);
    enum err e = whole.failed ? ERR_NOMEM : write_message(p, field->message, buf_view(&whole), depth);
    buf_fini(&whole);
    return e;
}

static enum err write_field(struct printer *p, const struct otlp_field *field, const struct found *at,
                            const uint8_t *end, uint32_t depth) {
    struct str rest = { (const char *)at->first, (size_t)(end - at->first) };
    struct reader r = { at->last, end, false };
    struct pb_field f;
    bool message = field->type == OTLP_TYPE_MESSAGE;
    if (!pb_next(&r, &f)) return ERR_INVALID; // it could be read before
    if (!field->repeated && !message && !field->oneof && is_zero(field, &f)) return ERR_OK;
    jw_key(p->w, field->name);
    if (field->map) return write_map(p, field, rest, depth);
    if (field->repeated) return write_list(p, field, rest, depth);
    if (message && at->count > 1) return write_merged(p, field, rest, depth);
    if (message) return write_message(p, field->message, f.bytes, depth);
    write_scalar(p, field, &f);
    return ERR_OK;
}

static enum err write_message(struct printer *p, const struct otlp_message *m, struct str pb,
                              uint32_t depth) {
    struct found found[OTLP_FIELDS_MAX];
    const uint8_t *end = reader_of(pb).end;
    if (depth == OTLP_PB_DEPTH_MAX) return ERR_LIMIT;
    if (!look_over(m, pb, found)) return ERR_INVALID;
    jw_object(p->w);
    for (uint32_t i = 0; i < m->n_fields; i++)
        if (found[i].count) TRY(write_field(p, &m->fields[i], &found[i], end, depth + 1));
    jw_object_end(p->w);
    return ERR_OK;
}

enum err otlp_json_write(const struct otlp_message *m, struct str pb, enum otlp_flavour flavour,
                         struct json_writer *w) {
    bool before = w->nonfinite_string;
    w->nonfinite_string = true;
    struct printer p = { w, flavour };
    enum err e = write_message(&p, m, pb, 0);
    w->nonfinite_string = before;
    return e == ERR_OK && w->out->failed ? ERR_NOMEM : e;
}

enum err otlp_pb_to_json(const struct otlp_message *m, struct str pb, enum otlp_flavour flavour,
                         struct buf *json) {
    struct json_writer w = json_writer_on(json);
    return otlp_json_write(m, pb, flavour, &w);
}
