// SPDX-License-Identifier: Apache-2.0
// Services out of their text into a map of an answer. In JSON both are nearly the same, and long answers are
// mostly this: so it goes from text to text, and what is odd in any way is read and written as everything
// else.
#include "api/message.h"
#include "span/services.h"

enum { COUNT_ROOM = JSON_NAME_MAX + U64_DIGITS + 1, COUNTS_ROOM = 2 * COUNT_ROOM + 3 };
enum { ENTRY_MIN = sizeof "\"\":[0,0]," - 1 };

static inline char *put_count(char *to, const struct otlp_field *f, uint32_t n) {
    memcpy(to, f->key, JSON_NAME_MAX);
    to += f->name.len + 3;
    return to + u64_print(n, to);
}

static char *put_counts(char *to, const struct otlp_field fields[static 2], const struct services_rest *r) {
    memcpy(to, "\":{", 3);
    to += 3;
    if (r->spans) to = put_count(to, &fields[0], r->spans);
    *to = ',';
    to += r->spans && r->errors;
    if (r->errors) to = put_count(to, &fields[1], r->errors);
    *to = '}';
    return to + 1;
}

// Most entries have 1 to 9 spans, none in error: what follows their name is nearly the same each time.
enum { FEW_ROOM = 16 }; // up to the digit
struct few {
    char text[3 + JSON_NAME_MAX];
    size_t len; // FEW_ROOM at most; 0: it is too long
};

static inline void few_init(struct few *w, const struct otlp_field *spans) {
    memcpy(w->text, "\":{", 3);
    memcpy(w->text + 3, spans->key, JSON_NAME_MAX);
    w->len = 3 + spans->name.len + 3;
    if (w->len > FEW_ROOM) w->len = 0;
}

// Is it such an entry, with another one behind it? Then both go on behind the quote of that.
static inline bool put_few(const struct few *w, char **to, const char **p) {
    const uint64_t pattern = 0x2c5d302c005b3a22u, digit = 0xff000000u; // ":[0,0], with any digit
    uint64_t seen;
    memcpy(&seen, *p, sizeof seen);
    uint32_t n = (uint32_t)(seen >> 24 & 0xff), tail = 0x222c7d00u | n; // 0},"
    if ((seen & ~digit) != pattern || n - '1' > '9' - '1' || (*p)[8] != '"' || !w->len) return false;
    memcpy(*to, w->text, FEW_ROOM);
    memcpy(*to + w->len, &tail, sizeof tail);
    *to += w->len + sizeof tail;
    *p += 9;
    return true;
}

// Returns where the entries end, the last without a comma; NULL: something is odd.
static char *put_entries(char *to, struct str services, const struct otlp_field fields[static 2]) {
    const char *p = services.ptr, *end = services.ptr + services.len;
    struct few few;
    few_init(&few, &fields[0]);
    if (p[0] != '{' || p[1] != '"') return NULL;
    p += 2;
    *to++ = '"';
    for (;;) {
        size_t n = json_copy_plain(to, p);
        to += n;
        p += n;
        if (put_few(&few, &to, &p)) continue;
        struct services_rest r = services_counts(p, end);
        p = r.at;
        if (!p) return NULL;
        to = put_counts(to, fields, &r);
        if (*p == '}') return p + 1 == end ? to : NULL;
        if (p[0] != ',' || p[1] != '"') return NULL;
        p += 2;
        memcpy(to, ",\"", 2);
        to += 2;
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
