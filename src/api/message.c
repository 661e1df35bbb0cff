// SPDX-License-Identifier: Apache-2.0
#include "api/message.h"

#include "otlp/json.h"

enum { SCRATCH_MAX = 256 };

const struct otlp_field *message_find_(const struct otlp_message *type, uint32_t number) {
    const struct otlp_field *f = otlp_field_by_number(type, number);
    ASSERT(f);
    return f;
}

// For what is written less often.
static struct json_writer writer_at(struct message *m, char *at) {
    m->buf.len = (size_t)(at - m->buf.ptr);
    m->comma = true; // behind it
    return (struct json_writer){ .out = &m->buf, .nonfinite_string = true };
}

void message_init(struct message *m, const struct otlp_message *type, bool is_json) {
    *m = (struct message){ .is_json = is_json, .at = m->level, .level = { { .type = type } } };
    buf_init(&m->buf, SIZE_MAX);
    buf_init(&m->scratch, SCRATCH_MAX);
    if (is_json) buf_char(&m->buf, '{');
}

void message_fini(struct message *m) {
    buf_fini(&m->buf);
    buf_fini(&m->scratch);
}

void message_close(struct message *m) {
    DASSERT(m->at == m->level);
    if (!m->is_json) return;
    if (m->at->list) buf_char(&m->buf, m->at->list->map ? '}' : ']');
    buf_char(&m->buf, '}');
}

// --- scalars ---------------------------------------------------------------------------------------------

char *message_quote_slow_(struct message *m, char *at, struct str s, size_t more) {
    m->buf.len = (size_t)(at - m->buf.ptr);
    json_quote(&m->buf, s);
    return buf_reserve(&m->buf, more) ? m->buf.ptr + m->buf.len : NULL;
}

void message_number_slow_(struct message *m, const struct otlp_field *f, char *at, uint64_t v) {
    struct json_writer w = writer_at(m, at);
    switch (f->type) {
    case OTLP_TYPE_BOOL: jw_bool(&w, v != 0); break;
    case OTLP_TYPE_INT32: jw_i64(&w, (int32_t)v); break;
    case OTLP_TYPE_INT64: jw_i64_str(&w, (int64_t)v); break;
    case OTLP_TYPE_ENUM:
        if (v < f->values->n_names)
            jw_str(&w, f->values->names[v]);
        else
            jw_u64(&w, v);
        break;
    default: ASSERT(!"a number");
    }
}

void message_double(struct message *m, uint32_t number, double v) {
    const struct otlp_field *f = message_field_(m, number);
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    if (bits == 0 && message_leaves_out_zero_(f)) return;
    if (!m->is_json) {
        pb_fixed64(&m->buf, number, bits);
        return;
    }
    char *at = message_place_(m, f, 0);
    if (!at) return;
    struct json_writer w = writer_at(m, at);
    jw_f64(&w, v);
}

// --- messages --------------------------------------------------------------------------------------------

void message_entry_pb_(struct message *m, const struct otlp_field *f, struct str key) {
    size_t entry = pb_begin(&m->buf, f->number);
    pb_bytes(&m->buf, MESSAGE_ENTRY_KEY, key);
    size_t value = pb_begin(&m->buf, MESSAGE_ENTRY_VALUE);
    message_enter_(m, message_find_(f->message, MESSAGE_ENTRY_VALUE)->message, value, entry);
}

void message_end_pb_(struct message *m) {
    const struct message_level *l = m->at;
    m->done_len = m->buf.len - l->body;
    pb_end(&m->buf, l->body);
    m->done = m->buf.len - m->done_len;
    if (l->entry) pb_end(&m->buf, l->entry);
}

void message_text_in(struct message *m, uint32_t number, uint32_t member, struct str s) {
    const struct otlp_field *f = message_field_(m, number), *text = &f->message->fields[member - 1];
    if (!m->is_json) {
        message_begin(m, number);
        message_text(m, member, s);
        message_end(m);
        return;
    }
    char *p = message_place_(m, f, JSON_NAME_MAX + s.len + 4);
    if (!p) return;
    *p++ = '{';
    memcpy(p, text->key, JSON_NAME_MAX);
    p = message_quote_(m, p + text->name.len + 3, s, 1);
    if (!p) return;
    *p = '}';
    message_upto_(m, p + 1, true);
}

void message_again(struct message *m, uint32_t number) {
    struct buf *b = &m->buf;
    if (m->is_json) {
        char *at = message_place_(m, message_field_(m, number), 0);
        if (at) message_upto_(m, at, true);
    } else {
        pb_tag(b, number, PB_BYTES);
        wr_varint(b, m->done_len);
    }
    if (!buf_reserve(b, m->done_len)) return; // may move what is copied
    memcpy(b->ptr + b->len, b->ptr + m->done, m->done_len);
    b->len += m->done_len;
}

void message_whole(struct message *m, uint32_t number, struct str pb) {
    const struct otlp_field *f = message_field_(m, number);
    if (!m->is_json) {
        pb_bytes(&m->buf, number, pb);
        return;
    }
    char *at = message_place_(m, f, 0);
    if (!at) return;
    struct json_writer w = writer_at(m, at);
    enum err e = otlp_json_write(f->message, pb, OTLP_FLAVOUR_TEMPO, &w);
    if (e != ERR_OK && e != ERR_NOMEM && m->err == ERR_OK) m->err = e;
}

void message_list(struct message *m, uint32_t number) {
    const struct otlp_field *f = message_field_(m, number);
    if (!m->is_json || m->at->list == f) return;
    char *at = message_place_(m, f, 0);
    if (at) message_upto_(m, at, false);
}
