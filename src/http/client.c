// SPDX-License-Identifier: Apache-2.0
#include "http/client.h"

#include <curl/curl.h>
#include <stdio.h>

static size_t take(char *data, size_t size, size_t n, void *ctx) {
    struct buf *b = ctx;
    buf_add(b, data, size * n);
    return b->failed ? 0 : size * n;
}

static enum err meaning(CURLcode code, const struct buf *body, const char *url, const char *why,
                        struct err_ctx *ctx) {
    switch (code) {
    case CURLE_OK: return ERR_OK;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL: return err_set(ctx, ERR_INVALID, "\"%s\" is not an http address", url);
    case CURLE_OPERATION_TIMEDOUT: return err_set(ctx, ERR_TIMEOUT, "%s does not answer in time", url);
    case CURLE_WRITE_ERROR:
        if (body->failed) return err_set(ctx, ERR_LIMIT, "the answer of %s is too large", url);
        break;
    default: break;
    }
    return err_set(ctx, ERR_UNAVAILABLE, "%s: %s", url, why[0] ? why : curl_easy_strerror(code));
}

static void set_options(CURL *c, const char *url, uint32_t timeout_ms, struct buf *body, char *why) {
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, body);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, why);
}

enum err http_request(const char *url, const char *accept, const struct str *post, uint32_t timeout_ms,
                      size_t max_bytes, struct http_answer *out, struct err_ctx *ctx) {
    char why[CURL_ERROR_SIZE] = "", header[128];
    struct curl_slist *headers = NULL;
    CURL *c = curl_easy_init();
    if (!c) return ERR_NOMEM;
    buf_init(&out->body, max_bytes);
    set_options(c, url, timeout_ms, &out->body, why);
    if (accept) {
        (void)snprintf(header, sizeof header, "Accept: %s", accept);
        headers = curl_slist_append(headers, header);
        curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    }
    if (post) {
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)post->len);
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, post->ptr);
    }
    CURLcode code = curl_easy_perform(c);
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &out->status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(c);
    enum err e = meaning(code, &out->body, url, why, ctx);
    if (e != ERR_OK) buf_fini(&out->body);
    return e;
}
