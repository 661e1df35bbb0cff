// SPDX-License-Identifier: Apache-2.0
// Services out of their text into a map of an answer. In JSON both are nearly the same, and long answers are
// mostly this: so it goes from text to text, and what is odd in any way is read and written as everything
// else.
#include "api/message.h"
#include "span/services.h"

enum { COUNT_ROOM = JSON_NAME_MAX + U64_DIGITS + 1, COUNTS_ROOM = 2 * COUNT_ROOM + 3 };
enum { ENTRY_MIN = sizeof "\"\":[0,0]," - 1 };

// With a comma behind it.
static inline char *put_count(char *p, const struct otlp_field *f, uint32_t v) {
    if (v == 0) return p;
    memcpy(p, f->key, JSON_NAME_MAX);
    p += f->name.len + 3;
    p += u64_print(v, p);
    *p = ',';
    return p + 1;
}

// What follows a key.
static inline char *put_counts(char *p, const struct otlp_field fields[static 2],
                               const struct service_count *c) {
    *p++ = ':';
    *p++ = '{';
    p = put_count(p, &fields[0], c->spans);
    p = put_count(p, &fields[1], c->errors);
    p -= p[-1] == ',';
    *p++ = '}';
    return p;
}

// Returns where the entries end, the last without a comma; NULL: something is odd.
static char *put_entries(char *to, struct str services, const struct otlp_field fields[static 2]) {
    const char *p = services.ptr, *end = services.ptr + services.len;
    if (*p++ != '{') return NULL;
    for (;;) {
        struct service_count c;
        if (*p++ != '"') return NULL;
        *to++ = '"';
        size_t n = json_copy_plain(to, p);
        p += n;
        to += n;
        if (!services_counts(&p, end, &c)) return NULL;
        *to++ = '"';
        to = put_counts(to, fields, &c);
        if (*p == '}') return p + 1 == end ? to : NULL;
        if (*p++ != ',') return NULL;
        *to++ = ',';
    }
}

static bool all_plain(struct message *m, const struct otlp_field *f, struct str services) {
    const struct otlp_field *list = m->at->list;
    bool comma = m->comma;
    char *at = message_place_(m, f, services.len + (services.len / ENTRY_MIN + 1) * COUNTS_ROOM);
    char *end =
        at ? put_entries(at, services, f->message->fields[MESSAGE_ENTRY_VALUE - 1].message->fields) : at;
    if (end) {
        message_upto_(m, end, true);
    } else { // nothing of it is written
        m->comma = comma;
        m->at->list = list;
    }
    return end;
}

void message_services(struct message *m, uint32_t number, struct str text) {
    struct services s;
    struct service_count c;
    if (m->is_json && text.len > 2 && all_plain(m, message_field_(m, number), text)) return;
    services_begin(&s, text);
    while (services_next(&s, &c)) {
        message_entry(m, number, c.name);
        message_number(m, 1, c.spans);
        message_number(m, 2, c.errors);
        message_end(m);
    }
    enum err e = services_end(&s);
    if (m->err == ERR_OK) m->err = e;
}
