// SPDX-License-Identifier: Apache-2.0
// Services out of their text into a map of an answer. In JSON both are nearly the same, and long answers are
// mostly this: so it goes from text to text, and what is odd in any way is read and written as everything
// else.
#include "api/message.h"
#include "span/services.h"

enum { COUNT_ROOM = JSON_NAME_MAX + U64_DIGITS + 1, COUNTS_ROOM = 2 * COUNT_ROOM + 3 };
enum { ENTRY_MIN = sizeof "\"\":[0,0]," - 1 };

struct count_key { // of a field
    const char *text;
    size_t len;
};

// With a comma behind it.
static inline char *put_count(char *p, struct count_key key, uint32_t v) {
    memcpy(p, key.text, JSON_NAME_MAX);
    p += key.len;
    p += u64_print(v, p);
    *p = ',';
    return p + 1;
}

// Returns where the entries end, the last without a comma; NULL: something is odd.
static char *put_entries(char *to, struct str services, const struct otlp_field fields[static 2]) {
    const struct count_key spans = { fields[0].key, fields[0].name.len + 3 },
                           errors = { fields[1].key, fields[1].name.len + 3 };
    const char *p = services.ptr, *end = services.ptr + services.len;
    if (*p++ != '{') return NULL;
    for (;;) {
        if (*p++ != '"') return NULL;
        *to++ = '"';
        size_t n = json_copy_plain(to, p);
        to += n;
        struct services_rest r = services_counts(p + n, end);
        p = r.at;
        if (!p) return NULL;
        memcpy(to, "\":{", 3);
        to += 3;
        if (r.spans) to = put_count(to, spans, r.spans);
        if (r.errors) to = put_count(to, errors, r.errors);
        to -= (r.spans | r.errors) != 0; // the last comma: reading what was just written would wait for it
        *to++ = '}';
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
