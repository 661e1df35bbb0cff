// SPDX-License-Identifier: Apache-2.0
#include "net/h1.h"

enum { C_TOKEN = 1, C_VALUE = 2, C_TARGET = 4, C_HOST = 8 };

// RFC 9110: token (5.6.2) and field value (5.5). Targets may hold raw UTF-8, as some clients send.
static uint8_t char_class(unsigned char c) {
    bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    uint8_t k = 0;
    if (alnum || (c && strchr("!#$%&'*+-.^_`|~", c))) k |= C_TOKEN;
    if (c == '\t' || (c >= 0x20 && c != 0x7f)) k |= C_VALUE;
    if (c > 0x20 && c != 0x7f && c != '#') k |= C_TARGET;
    if (alnum || (c && strchr("-._~!$&'()*+,;=:[]%", c))) k |= C_HOST;
    return k;
}

static uint8_t classes[256];
__attribute__((constructor)) static void classes_fill(void) {
    for (int c = 0; c < 256; c++) classes[c] = char_class((unsigned char)c);
}

static bool all_of(struct str s, uint8_t class) {
    for (size_t i = 0; i < s.len; i++)
        if (!(classes[(unsigned char)s.ptr[i]] & class)) return false;
    return true;
}

static bool fail(struct h1_error *e, int status, const char *text) {
    *e = (struct h1_error){ status, text };
    return false;
}

// Limits are judged before anything else of a line, so that they strike at the same byte whether
// the line has ended already or not.
static bool line_fits(const struct h1_scan *s, size_t end, struct h1_error *e) {
    if (s->n_lines == 0 && end - s->start > H1_LINE_MAX) return fail(e, 414, "the request line is too long");
    if (end - s->start > H1_HEAD_MAX) return fail(e, 431, "the head is too large");
    if (s->n_lines > H1_FIELDS_MAX + 1) return fail(e, 431, "too many header fields");
    return true;
}

static bool first_byte_fits(struct h1_scan *s, struct str data, struct h1_error *e) {
    unsigned char c = (unsigned char)data.ptr[s->start];
    if (classes[c] & C_TOKEN || (c == '\r' && s->start == 0)) return true;
    return fail(e, 400, "this is not HTTP");
}

// One line, from s->line to the LF at `lf`. A second empty line before the request cannot come here:
// its CR is no first byte.
static enum h1_result scan_line(struct h1_scan *s, struct str data, size_t lf, struct h1_error *e) {
    if (lf == s->line || data.ptr[lf - 1] != '\r') {
        fail(e, 400, "a line ends without CR");
        return H1_BAD;
    }
    bool empty = lf - 1 == s->line;
    s->line = s->pos = lf + 1;
    if (!empty) {
        s->n_lines++;
        return H1_MORE;
    }
    if (s->n_lines) return H1_DONE;
    s->start = s->line;
    return H1_MORE;
}

enum h1_result h1_scan(struct h1_scan *s, struct str data, struct h1_error *out) {
    enum h1_result r = H1_MORE;
    while (r == H1_MORE) {
        if (s->start < data.len && !first_byte_fits(s, data, out)) return H1_BAD;
        const char *lf = s->pos < data.len ? memchr(data.ptr + s->pos, '\n', data.len - s->pos) : NULL;
        size_t end = lf ? (size_t)(lf - data.ptr) : data.len;
        if (!line_fits(s, end, out)) return H1_BAD;
        if (!lf) {
            s->pos = data.len;
            return H1_MORE;
        }
        r = scan_line(s, data, end, out);
    }
    return r;
}

static bool parse_version(struct str v, struct h1_head *h, struct h1_error *e) {
    if (str_eq(v, STR("HTTP/1.1"))) return true;
    if (str_eq(v, STR("HTTP/1.0"))) {
        h->http10 = true;
        return true;
    }
    bool form = v.len == 8 && str_starts(v, STR("HTTP/")) && v.ptr[6] == '.';
    return form ? fail(e, 505, "this version of HTTP is not served") : fail(e, 400, "malformed request line");
}

static bool parse_request_line(struct str line, struct h1_head *h, struct h1_error *e) {
    struct str rest, version;
    if (!str_cut(line, ' ', &h->method, &rest) || !str_cut(rest, ' ', &h->target, &version))
        return fail(e, 400, "malformed request line");
    if (h->method.len == 0 || !all_of(h->method, C_TOKEN)) return fail(e, 400, "malformed method");
    if (h->method.len > H1_METHOD_MAX) return fail(e, 501, "unknown method");
    if (h->target.len == 0 || !all_of(h->target, C_TARGET)) return fail(e, 400, "malformed target");
    return parse_version(version, h, e);
}

static void lower(char *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (p[i] >= 'A' && p[i] <= 'Z') p[i] = (char)(p[i] + 32);
}

static bool parse_field(char *line, size_t len, struct net_header *out, struct h1_error *e) {
    struct str s = { line, len };
    if (*line == ' ' || *line == '\t') return fail(e, 400, "folded header field");
    if (!str_cut(s, ':', &out->name, &out->value)) return fail(e, 400, "a header field without a colon");
    if (out->name.len == 0 || !all_of(out->name, C_TOKEN))
        return fail(e, 400, "malformed name of a header field");
    lower(line, out->name.len);
    out->value = str_trim(out->value);
    return all_of(out->value, C_VALUE) || fail(e, 400, "malformed value of a header field");
}

static bool take_length(struct h1_head *h, struct str value, struct h1_error *e) {
    uint64_t n;
    if (!str_u64(value, &n)) return fail(e, 400, "malformed Content-Length");
    if (h->has_length && h->length != n) return fail(e, 400, "two different Content-Length");
    h->has_length = true;
    h->length = n;
    return true;
}

static bool take_coding(struct h1_head *h, struct str value, struct h1_error *e) {
    if (h->chunked) return fail(e, 400, "two Transfer-Encoding");
    if (h->http10) return fail(e, 400, "Transfer-Encoding in HTTP/1.0");
    if (!str_eq_nocase(value, STR("chunked"))) return fail(e, 501, "unknown Transfer-Encoding");
    h->chunked = true;
    return true;
}

static bool take_host(struct h1_head *h, struct str value, struct h1_error *e) {
    if (h->host.ptr) return fail(e, 400, "two Host");
    if (!all_of(value, C_HOST)) return fail(e, 400, "malformed Host");
    h->host = value;
    return true;
}

static bool take_connection(struct h1_head *h, struct str value, bool *saw_close) {
    struct str item;
    do {
        (void)str_cut(value, ',', &item, &value);
        item = str_trim(item);
        if (str_eq_nocase(item, STR("close"))) *saw_close = true;
        if (str_eq_nocase(item, STR("keep-alive"))) h->keep_alive = true;
    } while (value.len);
    return true;
}

static bool take_expect(struct h1_head *h, struct str value, struct h1_error *e) {
    if (!str_eq_nocase(value, STR("100-continue"))) return fail(e, 417, "unknown expectation");
    h->expect_continue = !h->http10;
    return true;
}

static bool take_field(struct h1_head *h, const struct net_header *f, bool *saw_close, struct h1_error *e) {
    switch (f->name.len) {
    case 4: return !str_eq(f->name, STR("host")) || take_host(h, f->value, e);
    case 6: return !str_eq(f->name, STR("expect")) || take_expect(h, f->value, e);
    case 10: return !str_eq(f->name, STR("connection")) || take_connection(h, f->value, saw_close);
    case 14: return !str_eq(f->name, STR("content-length")) || take_length(h, f->value, e);
    case 17: return !str_eq(f->name, STR("transfer-encoding")) || take_coding(h, f->value, e);
    default: return true;
    }
}

static bool parse_fields(char *p, char *end, struct h1_head *h, struct h1_error *e) {
    bool saw_close = false;
    while (p < end) {
        char *cr = memchr(p, '\n', (size_t)(end - p)); // every line has its CR LF: h1_scan saw to it
        struct net_header *f = &h->headers[h->n_headers++];
        if (!parse_field(p, (size_t)(cr - 1 - p), f, e) || !take_field(h, f, &saw_close, e)) return false;
        p = cr + 1;
    }
    if (!h->http10) h->keep_alive = true;
    if (saw_close) h->keep_alive = false;
    if (h->chunked && h->has_length) return fail(e, 400, "both Transfer-Encoding and Content-Length");
    if (!h->http10 && !h->host.ptr) return fail(e, 400, "no Host");
    return true;
}

bool h1_parse(const struct h1_scan *s, char *head, struct arena *a, struct h1_head *out,
              struct h1_error *err) {
    struct h1_head h = { .headers = ARENA_ARRAY(a, s->n_lines, struct net_header) };
    if (!h.headers) return fail(err, 503, "out of memory");
    char *line = head + s->start, *end = head + s->pos - 2;
    char *lf = memchr(line, '\n', s->pos - s->start);
    if (!parse_request_line((struct str){ line, (size_t)(lf - 1 - line) }, &h, err)) return false;
    if (!parse_fields(lf + 1, end, &h, err)) return false;
    *out = h;
    return true;
}

enum {
    CH_SIZE,
    CH_EXT,
    CH_SIZE_LF,
    CH_DATA,
    CH_DATA_CR,
    CH_DATA_LF,
    CH_TRAILER,
    CH_FIELD,
    CH_FIELD_LF,
    CH_END_LF,
    CH_DONE
};

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// "1A;name=value" CR: at most 15 digits, so that the size cannot overflow.
static bool chunk_size(struct h1_chunked *c, char b) {
    int digit = hex_digit(b);
    if (digit >= 0) {
        c->left = c->left << 4 | (uint64_t)digit;
        return ++c->n_digits <= 15;
    }
    if (c->n_digits == 0) return false;
    c->state = b == '\r' ? CH_SIZE_LF : CH_EXT;
    return b == '\r' || b == ';';
}

static bool chunk_line_end(struct h1_chunked *c, char b) {
    c->state = c->left ? CH_DATA : CH_TRAILER;
    c->n_digits = 0;
    c->line_len = 0;
    return b == '\n';
}

static bool expect_byte(struct h1_chunked *c, char b, char want, uint8_t next) {
    c->state = next;
    return b == want;
}

// One byte of framing; false when it does not fit.
static bool chunk_byte(struct h1_chunked *c, char b) {
    bool value = classes[(unsigned char)b] & C_VALUE;
    switch (c->state) {
    case CH_SIZE: return chunk_size(c, b);
    case CH_EXT:
        if (b == '\r') c->state = CH_SIZE_LF;
        return (value || b == '\r') && ++c->line_len <= H1_CHUNK_LINE_MAX;
    case CH_SIZE_LF: return chunk_line_end(c, b);
    case CH_DATA_CR: return expect_byte(c, b, '\r', CH_DATA_LF);
    case CH_DATA_LF: return expect_byte(c, b, '\n', CH_SIZE);
    case CH_TRAILER:
        c->state = b == '\r' ? CH_END_LF : CH_FIELD;
        return b == '\r' || classes[(unsigned char)b] & C_TOKEN;
    case CH_FIELD:
        if (b == '\r') c->state = CH_FIELD_LF;
        return (value || b == '\r') && ++c->line_len <= H1_TRAILER_MAX;
    case CH_FIELD_LF: return expect_byte(c, b, '\n', CH_TRAILER);
    case CH_END_LF: return expect_byte(c, b, '\n', CH_DONE);
    default: return false;
    }
}

enum h1_result h1_chunk(struct h1_chunked *c, struct str *in, struct str *out) {
    while (in->len) {
        if (c->state == CH_DATA) {
            size_t n = in->len < c->left ? in->len : (size_t)c->left;
            *out = str_sub(*in, 0, n);
            *in = str_sub(*in, n, in->len);
            c->left -= n;
            if (c->left == 0) c->state = CH_DATA_CR;
            return H1_DATA;
        }
        char b = *in->ptr;
        *in = str_sub(*in, 1, in->len);
        if (!chunk_byte(c, b)) return H1_BAD;
        if (c->state == CH_DONE) return H1_DONE;
    }
    return H1_MORE;
}
