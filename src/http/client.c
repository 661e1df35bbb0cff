// SPDX-License-Identifier: Apache-2.0
#include "http/client.h"

#include <stdio.h>

#include "http/curl.h"

static size_t take(char *data, size_t size, size_t n, void *ctx) {
    struct buf *b = ctx;
    buf_add(b, data, size * n);
    return b->failed ? 0 : size * n;
}

static enum err meaning(const struct curl_calls *curl, CURLcode code, const struct buf *body, const char *url,
                        const char *why, struct err_ctx *ctx) {
    switch (code) {
    case CURLE_OK: return ERR_OK;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return err_set(ctx, ERR_INVALID, "\"%.100s\" is not an http address", url);
    case CURLE_OPERATION_TIMEDOUT: return err_set(ctx, ERR_TIMEOUT, "%.100s does not answer in time", url);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return err_set(ctx, ERR_CORRUPT, "%.100s: %s", url, why[0] ? why : curl->easy_strerror(code));
    case CURLE_WRITE_ERROR:
        if (body->failed) return err_set(ctx, ERR_LIMIT, "the answer of %.100s is too large", url);
        break;
    default: break;
    }
    return err_set(ctx, ERR_UNAVAILABLE, "%.100s: %s", url, why[0] ? why : curl->easy_strerror(code));
}

static void set_options(const struct curl_calls *curl, CURL *c, const char *url, uint32_t timeout_ms,
                        struct buf *body, char *why) {
    curl->easy_setopt(c, CURLOPT_URL, url);
    curl->easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl->easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl->easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl->easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl->easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
    curl->easy_setopt(c, CURLOPT_WRITEDATA, body);
    curl->easy_setopt(c, CURLOPT_ERRORBUFFER, why);
}

static struct curl_slist *add_header(const struct curl_calls *curl, struct curl_slist *list, const char *name,
                                     const char *value) {
    char line[4096];
    if (!value) return list;
    (void)snprintf(line, sizeof line, "%s: %s", name, value);
    return curl->slist_append(list, line);
}

enum err http_request(const char *url, const struct http_ask *ask, struct http_answer *out,
                      struct err_ctx *ctx) {
    char why[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers = NULL;
    const struct curl_calls *curl;
    TRY(curl_load(&curl, ctx));
    CURL *c = curl->easy_init();
    if (!c) return ERR_NOMEM;
    buf_init(&out->body, ask->max_bytes);
    set_options(curl, c, url, ask->timeout_ms, &out->body, why);
    headers = add_header(curl, headers, "Accept", ask->accept);
    headers = add_header(curl, headers, "Content-Type", ask->content_type);
    if (headers) curl->easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    if (ask->bearer) {
        curl->easy_setopt(c, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
        curl->easy_setopt(c, CURLOPT_XOAUTH2_BEARER, ask->bearer);
    }
    if (ask->post) {
        curl->easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)ask->post->len);
        curl->easy_setopt(c, CURLOPT_POSTFIELDS, ask->post->ptr);
    }
    if (ask->ca_file) curl->easy_setopt(c, CURLOPT_CAINFO, ask->ca_file);
    if (ask->method) curl->easy_setopt(c, CURLOPT_CUSTOMREQUEST, ask->method);
    CURLcode code = curl->easy_perform(c);
    curl->easy_getinfo(c, CURLINFO_RESPONSE_CODE, &out->status);
    curl->slist_free_all(headers);
    curl->easy_cleanup(c);
    enum err e = meaning(curl, code, &out->body, url, why, ctx);
    if (e != ERR_OK) buf_fini(&out->body);
    return e;
}
