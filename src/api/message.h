// SPDX-License-Identifier: Apache-2.0
// Inside `api` only: a message of a table (otlp/schema.h) on its way out, field by field, as protobuf
// or as the JSON of that: what is told once is told in both. Fields come in any order, those of a
// list one after the other; what is zero or empty is left out, elements of lists and members of a
// oneof are not. JSON: 64-bit integers as strings, enums by name. Fields and nesting are those of the
// table: anything else is a bug of ours. thread: one at a time.
#pragma once

#include "base/json.h"
#include "base/json_plain.h"
#include "base/pb.h"
#include "otlp/schema.h"

enum { MESSAGE_DEPTH_MAX = 12 };
enum { MESSAGE_ENTRY_KEY = 1, MESSAGE_ENTRY_VALUE = 2 }; // of a map

struct message_level {
    const struct otlp_message *type;
    const struct otlp_field *list; // JSON: whose list or map is open; NULL: none
    size_t body;                   // where it begins
    size_t entry;                  // protobuf: where the entry of a map that it is the value of does; 0: none
};

struct message {
    struct buf buf; // may be emptied between the fields of the outermost message
    bool is_json;
    bool comma;               // JSON: the next name or element needs one in front
    enum err err;             // of a value; sticks. Want of memory is the buffer's
    struct buf scratch;       // for texts of values
    struct message_level *at; // the message at hand, of the levels
    size_t done, done_len;    // the message that message_end ended last
    struct message_level level[MESSAGE_DEPTH_MAX];
};

// The message stays where it is.
void message_init(struct message *m, const struct otlp_message *type, bool is_json);
void message_fini(struct message *m);
// The end of the outermost message.
void message_close(struct message *m);

static inline void message_text(struct message *m, uint32_t number, struct str s);
static inline void message_number(struct message *m, uint32_t number, uint64_t v); // integers, bool, enum
void message_double(struct message *m, uint32_t number, double v);
// A message; an element of a list of them; the value of a map's entry.
static inline void message_begin(struct message *m, uint32_t number);
static inline void message_entry(struct message *m, uint32_t number, struct str key);
static inline void message_end(struct message *m);
// The services of a trace (span/services.h, with SERVICES_PAD behind it), as entries whose values
// are nothing but their fields 1 and 2, UINT32: spans and errors. err is ERR_CORRUPT where it is no such
// text.
void message_services(struct message *m, uint32_t number, struct str services);
// A message that is nothing but a text, a member of its oneof: likewise.
void message_text_in(struct message *m, uint32_t number, uint32_t member, struct str s);
// The message that message_end ended last once more, in another field of the same type.
void message_again(struct message *m, uint32_t number);
// A message that is protobuf already.
void message_whole(struct message *m, uint32_t number, struct str pb);
// A list that is there also when it has no elements, in JSON.
void message_list(struct message *m, uint32_t number);

// --- JSON, in the open: a long answer is millions of these calls -------------------------------------------

#define MESSAGE_INLINE static inline __attribute__((always_inline))

const struct otlp_field *message_find_(const struct otlp_message *type, uint32_t number);
char *message_quote_slow_(struct message *m, char *at, struct str s, size_t more);
void message_number_slow_(struct message *m, const struct otlp_field *f, char *at, uint64_t v);
void message_entry_pb_(struct message *m, const struct otlp_field *f, struct str key);
void message_end_pb_(struct message *m);

MESSAGE_INLINE const struct otlp_field *message_field_(const struct message *m, uint32_t number) {
    const struct otlp_message *type = m->at->type;
    if (number > type->n_fields || type->fields[number - 1].number != number)
        return message_find_(type, number);
    return &type->fields[number - 1];
}

MESSAGE_INLINE bool message_leaves_out_zero_(const struct otlp_field *f) {
    return !f->repeated && !f->oneof;
}

// Up to `end` all is written.
MESSAGE_INLINE void message_upto_(struct message *m, const char *end, bool comma) {
    m->buf.len = (size_t)(end - m->buf.ptr);
    m->comma = comma;
}

MESSAGE_INLINE char *message_end_list_(struct message *m, char *p) {
    *p = m->at->list->map ? '}' : ']';
    m->at->list = NULL;
    m->comma = true;
    return p + 1;
}

// All that stands before a value: the end of another list, comma, name, the begin of its list. Returns
// where the value goes, with room for `more` bytes; NULL: no memory.
MESSAGE_INLINE char *message_place_(struct message *m, const struct otlp_field *f, size_t more) {
    if (!buf_reserve(&m->buf, JSON_NAME_MAX + 3 + more)) return NULL;
    char *p = m->buf.ptr + m->buf.len;
    struct message_level *l = m->at;
    if (l->list == f) {
        *p = ',';
        return p + m->comma;
    }
    if (l->list) p = message_end_list_(m, p);
    *p = ',';
    p += m->comma;
    memcpy(p, f->key, JSON_NAME_MAX);
    p += f->name.len + 3;
    if (!f->repeated) return p;
    l->list = f;
    *p = f->map ? '{' : '[';
    return p + 1;
}

// A text with its quotes, at a place with room for them; returns where it ends, with room for `more` bytes.
MESSAGE_INLINE char *message_quote_(struct message *m, char *at, struct str s, size_t more) {
    char *end = at ? json_quote_plain(at, s) : NULL;
    return end || !at ? end : message_quote_slow_(m, at, s, more);
}

MESSAGE_INLINE void message_enter_(struct message *m, const struct otlp_message *type, size_t body,
                                   size_t entry) {
    ASSERT(m->at < &m->level[MESSAGE_DEPTH_MAX - 1]);
    *++m->at = (struct message_level){ .type = type, .body = body, .entry = entry };
}

// The message that begins here, for which there is room.
MESSAGE_INLINE void message_open_(struct message *m, const struct otlp_message *type, char *at) {
    if (at) {
        *at = '{';
        message_upto_(m, at + 1, false);
    }
    message_enter_(m, type, m->buf.len - 1, 0);
}

MESSAGE_INLINE void message_text(struct message *m, uint32_t number, struct str s) {
    const struct otlp_field *f = message_field_(m, number);
    if (s.len == 0 && message_leaves_out_zero_(f)) return;
    if (!m->is_json) {
        pb_bytes(&m->buf, number, s);
        return;
    }
    char *end = message_quote_(m, message_place_(m, f, s.len + 2), s, 0);
    if (end) message_upto_(m, end, true);
}

MESSAGE_INLINE void message_number(struct message *m, uint32_t number, uint64_t v) {
    const struct otlp_field *f = message_field_(m, number);
    if (v == 0 && message_leaves_out_zero_(f)) return;
    if (!m->is_json) {
        pb_varint(&m->buf, number, v);
        return;
    }
    char *p = message_place_(m, f, U64_DIGITS + 2);
    bool quotes = f->type == OTLP_TYPE_UINT64;
    if (!p) return;
    if (!quotes && f->type != OTLP_TYPE_UINT32) {
        message_number_slow_(m, f, p, v);
        return;
    }
    *p = '"';
    p += quotes;
    p += u64_print(v, p);
    *p = '"';
    message_upto_(m, p + quotes, true);
}

MESSAGE_INLINE void message_begin(struct message *m, uint32_t number) {
    const struct otlp_field *f = message_field_(m, number);
    if (m->is_json)
        message_open_(m, f->message, message_place_(m, f, 1));
    else
        message_enter_(m, f->message, pb_begin(&m->buf, number), 0);
}

MESSAGE_INLINE void message_entry(struct message *m, uint32_t number, struct str key) {
    const struct otlp_field *f = message_field_(m, number);
    if (!m->is_json) {
        message_entry_pb_(m, f, key);
        return;
    }
    char *p = message_quote_(m, message_place_(m, f, key.len + 4), key, 2);
    if (p) *p++ = ':';
    message_open_(m, f->message->fields[MESSAGE_ENTRY_VALUE - 1].message, p);
}

MESSAGE_INLINE void message_end(struct message *m) {
    struct message_level *l = m->at;
    DASSERT(l > m->level);
    if (!m->is_json) {
        message_end_pb_(m);
    } else if (buf_reserve(&m->buf, 2)) {
        char *p = m->buf.ptr + m->buf.len;
        if (l->list) p = message_end_list_(m, p);
        *p = '}';
        message_upto_(m, p + 1, true);
        m->done = l->body;
        m->done_len = m->buf.len - l->body;
    }
    m->at = l - 1;
}
