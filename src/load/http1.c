// SPDX-License-Identifier: Apache-2.0
// OTLP over HTTP/1.1 with protobuf bodies. Answers without a Content-Length are not understood:
// no receiver of OTLP sends them.
#include <stdio.h>

#include "load/client_internal.h"

struct head {
    unsigned status;
    uint64_t length, retry_after_s;
    bool close;
};

static bool parse_head(struct str text, struct head *out) {
    struct str line, rest, name, value;
    *out = (struct head){ 0 };
    str_cut(text, '\n', &line, &rest);
    uint64_t status;
    if (!str_starts(line, STR("HTTP/1.")) || !str_u64(str_sub(line, 9, 3), &status)) return false;
    out->status = (unsigned)status;
    while (rest.len) {
        str_cut(rest, '\n', &line, &rest);
        if (str_ends(line, STR("\r"))) line.len--;
        str_cut(line, ':', &name, &value);
        value = str_trim(value);
        if (str_eq_nocase(name, STR("content-length")) && !str_u64(value, &out->length)) return false;
        if (str_eq_nocase(name, STR("retry-after")) && !str_u64(value, &out->retry_after_s))
            out->retry_after_s = 1;
        if (str_eq_nocase(name, STR("connection"))) out->close = str_eq_nocase(value, STR("close"));
    }
    return out->length < CLIENT_ANSWER_MAX;
}

// Reads until the head and the body are in c->in.
static enum err read_answer(struct client *c, struct head *out, struct str *out_body) {
    for (;;) {
        const char *end = c->in.len ? memmem(c->in.ptr, c->in.len, "\r\n\r\n", 4) : NULL;
        if (end) {
            size_t head_len = (size_t)(end + 4 - c->in.ptr);
            if (!parse_head((struct str){ c->in.ptr, head_len - 4 }, out)) return ERR_INVALID;
            if (c->in.len - head_len >= out->length) {
                *out_body = (struct str){ c->in.ptr + head_len, out->length };
                return ERR_OK;
            }
        }
        TRY(client_read(c));
    }
}

void http1_post(struct client *c, const struct http1_post *post, struct client_answer *out) {
    char text[2048];
    int n = snprintf(text, sizeof text,
                     "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\n"
                     "User-Agent: takt-load\r\n%.*sContent-Length: %zu\r\n\r\n",
                     post->path, c->to.authority, post->type, STR_ARG(post->headers), post->body.len);
    ASSERT(n > 0 && (size_t)n < sizeof text);
    struct iovec iov[2] = { { text, (size_t)n }, { (void *)(uintptr_t)post->body.ptr, post->body.len } };
    struct head head;
    struct str answer;
    buf_reset(&c->in);
    // A receiver that refuses answers before it has read all: look at what it says in any case.
    enum err sent = client_write(c, iov, 2), got = read_answer(c, &head, &answer);
    if (got != ERR_OK) {
        client_text(out, "%s", err_text(got));
        return;
    }
    if (head.status / 100 == 2) {
        out->result = CLIENT_ACKED;
        if (post->is_otlp) client_read_response(answer, out);
    } else {
        bool patience = head.status == 429 || head.status == 502 || head.status == 503 || head.status == 504;
        out->result = patience ? CLIENT_RETRY : CLIENT_REFUSED;
        if (head.retry_after_s) out->retry_after_ms = (uint32_t)(head.retry_after_s % 1000000) * 1000;
        client_text(out, "HTTP %u", head.status);
    }
    if (head.close || sent != ERR_OK) client_disconnect(c);
}

void http1_send(struct client *c, struct str body, struct client_answer *out) {
    http1_post(c, &(struct http1_post){ "/v1/traces", "application/x-protobuf", STR(""), body, true }, out);
}
