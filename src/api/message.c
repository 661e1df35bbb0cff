// SPDX-License-Identifier: Apache-2.0
#include "api/message.h"

#include "base/pb.h"
#include "otlp/json.h"

enum { ENTRY_KEY = 1, ENTRY_VALUE = 2 };

static const struct otlp_field *field_of(const struct otlp_message *type, uint32_t number) {
    if (number <= type->n_fields && type->fields[number - 1].number == number)
        return &type->fields[number - 1];
    const struct otlp_field *f = otlp_field_by_number(type, number);
    ASSERT(f);
    return f;
}

static struct message_level *level_of(struct message *m) {
    return &m->level[m->depth];
}

static void level_begin(struct message *m, const struct otlp_message *type, size_t body, size_t entry) {
    ASSERT(m->depth + 1 < MESSAGE_DEPTH_MAX);
    m->level[++m->depth] = (struct message_level){ .type = type, .body = body, .entry = entry };
}

static void list_close(struct message *m, struct message_level *l) {
    if (!l->list) return;
    if (l->list->map)
        jw_object_end(&m->w);
    else
        jw_array_end(&m->w);
    l->list = NULL;
}

// JSON: all that stands before the value.
static void place(struct message *m, const struct otlp_field *f) {
    struct message_level *l = level_of(m);
    if (l->list == f) return;
    list_close(m, l);
    jw_name(&m->w, f->key, f->name.len + 3);
    if (!f->repeated) return;
    l->list = f;
    if (f->map)
        jw_object(&m->w);
    else
        jw_array(&m->w);
}

void message_init(struct message *m, const struct otlp_message *type, bool is_json) {
    *m = (struct message){ .is_json = is_json, .level = { { .type = type } } };
    buf_init(&m->buf, SIZE_MAX);
    m->w = json_writer_on(&m->buf);
    m->w.nonfinite_string = true;
    if (is_json) jw_object(&m->w);
}

void message_fini(struct message *m) {
    buf_fini(&m->buf);
}

void message_close(struct message *m) {
    DASSERT(m->depth == 0);
    if (!m->is_json) return;
    list_close(m, level_of(m));
    jw_object_end(&m->w);
}

// --- scalars ---------------------------------------------------------------------------------------------

static bool leaves_out_zero(const struct otlp_field *f) {
    return !f->repeated && !f->oneof;
}

void message_text(struct message *m, uint32_t number, struct str s) {
    const struct otlp_field *f = field_of(level_of(m)->type, number);
    if (s.len == 0 && leaves_out_zero(f)) return;
    if (!m->is_json) {
        pb_bytes(&m->buf, number, s);
        return;
    }
    place(m, f);
    jw_str(&m->w, s);
}

static void json_number(struct json_writer *w, const struct otlp_field *f, uint64_t v) {
    switch (f->type) {
    case OTLP_TYPE_BOOL: jw_bool(w, v != 0); break;
    case OTLP_TYPE_INT32: jw_i64(w, (int32_t)v); break;
    case OTLP_TYPE_UINT32: jw_u64(w, v); break;
    case OTLP_TYPE_INT64: jw_i64_str(w, (int64_t)v); break;
    case OTLP_TYPE_UINT64: jw_u64_str(w, v); break;
    case OTLP_TYPE_ENUM:
        if (v < f->values->n_names)
            jw_str(w, f->values->names[v]);
        else
            jw_u64(w, v);
        break;
    default: ASSERT(!"a number");
    }
}

void message_number(struct message *m, uint32_t number, uint64_t v) {
    const struct otlp_field *f = field_of(level_of(m)->type, number);
    if (v == 0 && leaves_out_zero(f)) return;
    if (!m->is_json) {
        pb_varint(&m->buf, number, v);
        return;
    }
    place(m, f);
    json_number(&m->w, f, v);
}

void message_double(struct message *m, uint32_t number, double v) {
    const struct otlp_field *f = field_of(level_of(m)->type, number);
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    if (bits == 0 && leaves_out_zero(f)) return;
    if (!m->is_json) {
        pb_fixed64(&m->buf, number, bits);
        return;
    }
    place(m, f);
    jw_f64(&m->w, v);
}

// --- messages --------------------------------------------------------------------------------------------

void message_begin(struct message *m, uint32_t number) {
    const struct otlp_field *f = field_of(level_of(m)->type, number);
    if (!m->is_json) {
        level_begin(m, f->message, pb_begin(&m->buf, number), 0);
        return;
    }
    place(m, f);
    jw_object(&m->w);
    level_begin(m, f->message, m->buf.len - 1, 0);
}

void message_entry(struct message *m, uint32_t number, struct str key) {
    const struct otlp_field *f = field_of(level_of(m)->type, number);
    const struct otlp_message *value = field_of(f->message, ENTRY_VALUE)->message;
    if (!m->is_json) {
        size_t entry = pb_begin(&m->buf, number);
        pb_bytes(&m->buf, ENTRY_KEY, key);
        level_begin(m, value, pb_begin(&m->buf, ENTRY_VALUE), entry);
        return;
    }
    place(m, f);
    jw_key(&m->w, key);
    jw_object(&m->w);
    level_begin(m, value, m->buf.len - 1, 0);
}

void message_end(struct message *m) {
    struct message_level *l = level_of(m);
    DASSERT(m->depth > 0);
    m->depth--;
    if (m->is_json) {
        list_close(m, l);
        jw_object_end(&m->w);
        m->done = l->body;
        m->done_len = m->buf.len - l->body;
        return;
    }
    size_t end = m->buf.len;
    m->done_len = end - l->body;
    pb_end(&m->buf, l->body);
    m->done = m->buf.len - m->done_len;
    if (l->entry) pb_end(&m->buf, l->entry);
}

void message_again(struct message *m, uint32_t number) {
    struct buf *b = &m->buf;
    if (m->is_json) {
        place(m, field_of(level_of(m)->type, number));
        jw_raw(&m->w, STR("")); // its comma
    } else {
        pb_tag(b, number, PB_BYTES);
        wr_varint(b, m->done_len);
    }
    if (!buf_reserve(b, m->done_len)) return; // may move what is copied
    memcpy(b->ptr + b->len, b->ptr + m->done, m->done_len);
    b->len += m->done_len;
}

void message_whole(struct message *m, uint32_t number, struct str pb) {
    const struct otlp_field *f = field_of(level_of(m)->type, number);
    if (!m->is_json) {
        pb_bytes(&m->buf, number, pb);
        return;
    }
    place(m, f);
    enum err e = otlp_json_write(f->message, pb, OTLP_FLAVOUR_TEMPO, &m->w);
    if (e != ERR_OK && e != ERR_NOMEM && m->err == ERR_OK) m->err = e;
}

void message_list(struct message *m, uint32_t number) {
    if (m->is_json) place(m, field_of(level_of(m)->type, number));
}
