// SPDX-License-Identifier: Apache-2.0
#include "query/case_test.h"

#include <stdlib.h>

#include "span/wire.h"

_Noreturn static void refuse(struct str line, const char *why) {
    printf("# %s: %.*s\n", why, STR_ARG(line));
    test_fail(__FILE__, __LINE__, why);
}

struct str case_read(struct arena *a, const char *path) {
    FILE *f = fopen(path, "rb");
    struct buf b;
    char part[4096];
    if (!f) refuse(str_of(path), "no such file");
    buf_init(&b, SIZE_MAX);
    for (size_t n; (n = fread(part, 1, sizeof part, f)) > 0;) buf_add(&b, part, n);
    (void)fclose(f);
    struct str s = str_dup(a, buf_view(&b));
    buf_fini(&b);
    CHECK(!a->failed);
    return s;
}

// --- tokens --------------------------------------------------------------------------------------

bool case_token(struct str *rest, struct str *out) {
    size_t i = 0, depth = 0;
    bool quoted = false;
    while (rest->len > 0 && rest->ptr[0] == ' ') *rest = str_sub(*rest, 1, rest->len - 1);
    for (; i < rest->len; i++) {
        char c = rest->ptr[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '[' || c == '{' || c == '('))
            depth++;
        else if (!quoted && depth > 0 && (c == ']' || c == '}' || c == ')'))
            depth--;
        else if (!quoted && depth == 0 && c == ' ')
            break;
    }
    *out = str_sub(*rest, 0, i);
    *rest = str_sub(*rest, out->len, rest->len);
    return out->len > 0;
}

static double number_at_start(struct str s, size_t *out_len) {
    char z[64] = { 0 }, *end;
    memcpy(z, s.ptr, s.len < sizeof z - 1 ? s.len : sizeof z - 1);
    double v = strtod(z, &end);
    *out_len = (size_t)(end - z);
    return v;
}

bool case_time(struct str s, int64_t *out_ns) {
    static const struct {
        const char *unit;
        double ns;
    } units[] = { { "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 }, { "m", 60e9 }, { "h", 3600e9 } };
    size_t n;
    double v = number_at_start(s, &n);
    struct str unit = str_sub(s, n, s.len);
    *out_ns = 0;
    if (n == 0 || str_eq(s, STR("0"))) return n > 0;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (!str_eq(unit, str_of(units[i].unit))) continue;
        double ns = v * units[i].ns;
        *out_ns = (int64_t)(ns + (ns < 0 ? -0.5 : 0.5));
        return true;
    }
    return false;
}

// A word as it is, or a string in quotes with \" \\ \n and \xNN.
static struct str text_of(struct case_data *d, struct str token) {
    if (token.len == 0 || token.ptr[0] != '"') return str_dup(&d->arena, token);
    struct buf b;
    buf_init(&b, CASE_LINE_MAX);
    for (size_t i = 1; i + 1 < token.len; i++) {
        char c = token.ptr[i], byte;
        if (c != '\\') {
            buf_char(&b, c);
            continue;
        }
        c = token.ptr[++i];
        if (c == 'x') {
            CHECK(hex_decode(str_sub(token, i + 1, 2), &byte, 1));
            i += 2;
            buf_char(&b, byte);
        } else {
            buf_char(&b, c == 'n' ? '\n' : c);
        }
    }
    struct str s = str_dup(&d->arena, buf_view(&b));
    buf_fini(&b);
    return s;
}

// Splits at the `=` (a key may be quoted).
static bool key_and_value(struct str token, struct str *key, struct str *value) {
    bool quoted = false;
    for (size_t i = 0; i < token.len; i++) {
        if (token.ptr[i] == '"') quoted = !quoted;
        if (quoted || token.ptr[i] != '=') continue;
        *key = str_sub(token, 0, i);
        *value = str_sub(token, i + 1, token.len);
        return true;
    }
    return false;
}

// --- values --------------------------------------------------------------------------------------

static void put_attr(struct case_data *d, uint32_t number, struct str key, struct str value, struct buf *out);
static void put_value(struct case_data *d, struct str value, struct buf *out);

// The items between brackets, which are separated by commas.
static bool next_item(struct str *rest, struct str *out) {
    size_t i = 0, depth = 0;
    bool quoted = false;
    if (rest->len == 0) return false;
    for (; i < rest->len; i++) {
        char c = rest->ptr[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '[' || c == '{'))
            depth++;
        else if (!quoted && (c == ']' || c == '}'))
            depth--;
        else if (!quoted && depth == 0 && c == ',')
            break;
    }
    *out = str_trim(str_sub(*rest, 0, i));
    *rest = str_sub(*rest, i + 1, rest->len);
    return true;
}

static void put_list(struct case_data *d, struct str value, struct buf *out) {
    bool is_array = value.ptr[0] == '[';
    struct str rest = str_sub(value, 1, value.len - 2), item, key, v;
    size_t list = pb_begin(out, is_array ? ANY_ARRAY : ANY_KVLIST);
    while (next_item(&rest, &item)) {
        if (!is_array) {
            if (!key_and_value(item, &key, &v)) refuse(value, "a pair without =");
            put_attr(d, LIST_VALUES, text_of(d, key), v, out);
            continue;
        }
        size_t any = pb_begin(out, LIST_VALUES);
        put_value(d, item, out);
        pb_end(out, any);
    }
    pb_end(out, list);
}

static void put_bytes(struct str hex, struct buf *out) {
    size_t bytes = pb_begin(out, ANY_BYTES);
    for (size_t i = 0; i + 1 < hex.len; i += 2) {
        char byte;
        CHECK(hex_decode(str_sub(hex, i, 2), &byte, 1));
        buf_char(out, byte);
    }
    pb_end(out, bytes);
}

static void put_number(struct str value, struct buf *out) {
    int64_t i;
    size_t n;
    if (str_i64(value, &i)) {
        pb_varint(out, ANY_INT, (uint64_t)i);
        return;
    }
    double f = number_at_start(value, &n);
    uint64_t bits;
    if (n != value.len) refuse(value, "not a value");
    memcpy(&bits, &f, sizeof bits);
    pb_fixed64(out, ANY_DOUBLE, bits);
}

// The fields of an AnyValue.
static void put_value(struct case_data *d, struct str value, struct buf *out) {
    if (value.len == 0) refuse(value, "no value");
    char c = value.ptr[0];
    if (str_eq(value, STR("()"))) return; // the empty value
    if (c == '"')
        pb_bytes(out, ANY_STRING, text_of(d, value));
    else if (c == '[' || c == '{')
        put_list(d, value, out);
    else if (str_starts(value, STR("x\"")))
        put_bytes(str_sub(value, 2, value.len - 3), out);
    else if (str_eq(value, STR("true")) || str_eq(value, STR("false")))
        pb_varint(out, ANY_BOOL, c == 't');
    else
        put_number(value, out);
}

static void put_attr(struct case_data *d, uint32_t number, struct str key, struct str value,
                     struct buf *out) {
    size_t kv = pb_begin(out, number);
    pb_bytes(out, KV_KEY, key);
    size_t any = pb_begin(out, KV_VALUE);
    put_value(d, value, out);
    pb_end(out, any);
    pb_end(out, kv);
}

// --- spans ---------------------------------------------------------------------------------------

enum { LEVELS_MAX = 64, WORD_NONE = 99 };

static struct state { // of the section at work: one at a time
    uint8_t trace[16];
    uint32_t n; // spans of the trace
    bool open;  // a span is being written
    int64_t start_ns;
    uint8_t levels[LEVELS_MAX][8]; // the last span of each indentation
    bool has_level[LEVELS_MAX];
    struct buf span, resource, scope;
} now;

void case_data_init(struct case_data *d) {
    *d = (struct case_data){ .n = 0 };
    arena_init(&d->arena, SIZE_MAX, NULL);
    buf_init(&d->body, SIZE_MAX);
    now = (struct state){ .n = 0 };
    buf_init(&now.span, SIZE_MAX);
    buf_init(&now.resource, SIZE_MAX);
    buf_init(&now.scope, SIZE_MAX);
}

void case_data_fini(struct case_data *d) {
    buf_fini(&d->body);
    arena_fini(&d->arena);
}

static void close_span(struct case_data *d) {
    if (!now.open) return;
    d->spans[d->n - 1].from = d->body.len;
    size_t rs = pb_begin(&d->body, REQUEST_RESOURCE_SPANS);
    pb_bytes(&d->body, RS_RESOURCE, buf_view(&now.resource));
    size_t ss = pb_begin(&d->body, RS_SCOPE_SPANS);
    pb_bytes(&d->body, SS_SCOPE, buf_view(&now.scope));
    pb_bytes(&d->body, SS_SPANS, buf_view(&now.span));
    pb_end(&d->body, ss);
    pb_end(&d->body, rs);
    d->spans[d->n - 1].to = d->body.len;
    buf_reset(&now.span);
    buf_reset(&now.resource);
    buf_reset(&now.scope);
    now.open = false;
}

void case_data_end(struct case_data *d) {
    close_span(d);
    buf_fini(&now.span);
    buf_fini(&now.resource);
    buf_fini(&now.scope);
    CHECK(!d->body.failed && !d->arena.failed);
}

struct str case_span_name(const struct case_data *d, const uint8_t trace[16], uint64_t span_id,
                          uint64_t start_ns) {
    for (uint32_t i = 0; i < d->n; i++)
        if (memcmp(d->spans[i].trace, trace, 16) == 0 && memcmp(d->spans[i].id, &span_id, 8) == 0 &&
            d->spans[i].start_ns == start_ns)
            return d->spans[i].name;
    return STR("?");
}

// Hex digits, right-aligned in n bytes.
static void read_id(struct str hex, uint8_t *out, size_t n) {
    char digits[33];
    if (hex.len > 2 * n) refuse(hex, "the id is too long");
    memset(digits, '0', sizeof digits);
    memcpy(digits + 2 * n - hex.len, hex.ptr, hex.len);
    if (!hex_decode((struct str){ digits, 2 * n }, out, n)) refuse(hex, "not hex");
}

static int word_of(struct str s, const char *const *words, int n) {
    for (int i = 0; i < n; i++)
        if (str_eq(s, str_of(words[i]))) return i;
    return WORD_NONE;
}

static const char *const statuses[] = { "unset", "ok", "error" };
static const char *const kinds[] = { "unspecified", "internal", "server", "client", "producer", "consumer" };

struct header { // of a span, collected over its tokens
    uint8_t id[8], parent[8];
    bool has_parent;
    uint64_t status, kind;
    struct str message;
};

static bool after(struct str s, struct str prefix, struct str *rest) {
    if (!str_starts(s, prefix)) return false;
    *rest = str_sub(s, prefix.len, s.len);
    return true;
}

static void take_scope(struct case_data *d, struct str s) {
    struct str name, version;
    bool has_version = str_cut(s, '@', &name, &version);
    pb_bytes(&now.scope, SCOPE_NAME, text_of(d, name));
    if (has_version) pb_bytes(&now.scope, SCOPE_VERSION, text_of(d, version));
}

static void take_pair(struct case_data *d, struct str token) {
    struct str key, value, rest;
    if (!key_and_value(token, &key, &value)) refuse(token, "neither a word nor key=value");
    if (after(key, STR("resource."), &rest))
        put_attr(d, RESOURCE_ATTRIBUTE, text_of(d, rest), value, &now.resource);
    else if (after(key, STR("scope."), &rest))
        put_attr(d, SCOPE_ATTRIBUTE, text_of(d, rest), value, &now.scope);
    else
        put_attr(d, SPAN_ATTRIBUTE, text_of(d, after(key, STR("span."), &rest) ? rest : key), value,
                 &now.span);
}

static void take_token(struct case_data *d, struct header *h, struct str token) {
    int status = word_of(token, statuses, 3), kind = word_of(token, kinds, 6);
    struct str rest;
    if (status != WORD_NONE)
        h->status = (uint64_t)status;
    else if (kind != WORD_NONE)
        h->kind = (uint64_t)kind;
    else if (token.ptr[0] == '"' && str_ends(token, STR("\"")) && !str_starts(token, STR("\"=")) &&
             str_find(token, '=') < 0)
        h->message = text_of(d, token);
    else if (after(token, STR("status:"), &rest))
        CHECK(str_u64(rest, &h->status));
    else if (after(token, STR("kind:"), &rest))
        CHECK(str_u64(rest, &h->kind));
    else if (after(token, STR("id:"), &rest))
        read_id(rest, h->id, 8);
    else if (str_eq(token, STR("parent:none")))
        h->has_parent = false;
    else if (after(token, STR("parent:"), &rest)) {
        read_id(rest, h->parent, 8);
        h->has_parent = true;
    } else if (after(token, STR("scope:"), &rest))
        take_scope(d, rest);
    else
        take_pair(d, token);
}

static void put_header(const struct header *h, struct str name, int64_t duration_ns) {
    struct buf *b = &now.span;
    pb_bytes(b, SPAN_TRACE_ID, (struct str){ (const char *)now.trace, 16 });
    pb_bytes(b, SPAN_SPAN_ID, (struct str){ (const char *)h->id, 8 });
    if (h->has_parent) pb_bytes(b, SPAN_PARENT_ID, (struct str){ (const char *)h->parent, 8 });
    pb_bytes(b, SPAN_NAME, name);
    pb_varint(b, SPAN_KIND, h->kind);
    pb_fixed64(b, SPAN_START, CASE_BASE_NS + (uint64_t)now.start_ns);
    pb_fixed64(b, SPAN_END, CASE_BASE_NS + (uint64_t)(now.start_ns + duration_ns));
    size_t status = pb_begin(b, SPAN_STATUS);
    if (h->message.len) pb_bytes(b, STATUS_MESSAGE, h->message);
    if (h->status) pb_varint(b, STATUS_CODE, h->status);
    pb_end(b, status);
}

static void remember(struct case_data *d, const uint8_t id[8], struct str name) {
    if (d->n == d->cap) {
        uint32_t cap = d->cap ? 2 * d->cap : 64;
        struct case_span *more = ARENA_ARRAY(&d->arena, cap, struct case_span);
        CHECK(more);
        if (d->n) memcpy(more, d->spans, d->n * sizeof *more);
        d->spans = more;
        d->cap = cap;
    }
    struct case_span *s = &d->spans[d->n++];
    memcpy(s->trace, now.trace, 16);
    memcpy(s->id, id, 8);
    s->name = name;
    s->start_ns = CASE_BASE_NS + (uint64_t)now.start_ns;
}

static void take_span(struct case_data *d, struct str line, size_t level) {
    struct str rest = line, name, service, start, duration, token;
    struct header h = { .message = STR("") };
    int64_t duration_ns;
    bool whole = case_token(&rest, &name) && case_token(&rest, &service) && case_token(&rest, &start) &&
                 case_token(&rest, &duration);
    if (!whole || !case_time(start, &now.start_ns) || !case_time(duration, &duration_ns))
        refuse(line, "not: name service start duration");
    if (level >= LEVELS_MAX) refuse(line, "too deep");
    h.id[7] = (uint8_t)++now.n;
    for (size_t i = level; i > 0 && !h.has_parent; i--) {
        h.has_parent = now.has_level[i - 1];
        memcpy(h.parent, now.levels[i - 1], 8);
    }
    if (!str_eq(service, STR("-"))) {
        struct attr_value v = { .type = ATTR_STRING, .text = text_of(d, service) };
        attr_kv_write(&now.resource, RESOURCE_ATTRIBUTE, STR("service.name"), &v);
    }
    while (case_token(&rest, &token)) take_token(d, &h, token);
    name = text_of(d, name);
    put_header(&h, name, duration_ns);
    remember(d, h.id, name);
    memcpy(now.levels[level], h.id, 8);
    now.has_level[level] = true;
    for (size_t i = level + 1; i < LEVELS_MAX; i++) now.has_level[i] = false;
    now.open = true;
}

static void put_pairs(struct case_data *d, struct str rest, uint32_t number) {
    struct str token, key, value;
    while (case_token(&rest, &token)) {
        if (!key_and_value(token, &key, &value)) refuse(token, "not key=value");
        put_attr(d, number, text_of(d, key), value, &now.span);
    }
}

static void take_event(struct case_data *d, struct str rest) {
    struct str name, at;
    int64_t at_ns;
    if (!now.open || !case_token(&rest, &name) || !case_token(&rest, &at) || !case_time(at, &at_ns))
        refuse(rest, "not: * name time");
    size_t event = pb_begin(&now.span, SPAN_EVENT);
    pb_fixed64(&now.span, EVENT_TIME, CASE_BASE_NS + (uint64_t)(now.start_ns + at_ns));
    pb_bytes(&now.span, EVENT_NAME, text_of(d, name));
    put_pairs(d, rest, EVENT_ATTRIBUTE);
    pb_end(&now.span, event);
}

static void take_link(struct case_data *d, struct str rest) {
    struct str trace, span;
    uint8_t trace_id[16], span_id[8];
    if (!now.open || !case_token(&rest, &trace) || !case_token(&rest, &span))
        refuse(rest, "not: > trace span");
    read_id(trace, trace_id, 16);
    read_id(span, span_id, 8);
    size_t link = pb_begin(&now.span, SPAN_LINK);
    pb_bytes(&now.span, LINK_TRACE_ID, (struct str){ (const char *)trace_id, 16 });
    pb_bytes(&now.span, LINK_SPAN_ID, (struct str){ (const char *)span_id, 8 });
    put_pairs(d, rest, LINK_ATTRIBUTE);
    pb_end(&now.span, link);
}

void case_data_line(struct case_data *d, struct str line) {
    size_t level = 0;
    struct str rest;
    while (str_starts(str_sub(line, 2 * level, 2), STR("  "))) level++;
    line = str_trim(line);
    if (str_starts(line, STR("#"))) return;
    if (after(line, STR("* "), &rest)) {
        take_event(d, rest);
        return;
    }
    if (after(line, STR("> "), &rest)) {
        take_link(d, rest);
        return;
    }
    close_span(d);
    if (!after(line, STR("trace "), &rest)) {
        take_span(d, line, level);
        return;
    }
    read_id(rest, now.trace, 16);
    now.n = 0;
    memset(now.has_level, 0, sizeof now.has_level);
}
