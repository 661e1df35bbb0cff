// SPDX-License-Identifier: Apache-2.0
// The web app: its files from inside the binary; every other path is a page of it.
#include "api/api_internal.h"
#include "api/assets.h"

#define CSP \
    "default-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"

static void reply_asset(struct net_request *rq, const struct asset *f) {
    struct str known = net_request_header(rq, STR("if-none-match"));
    struct str accept = net_request_header(rq, STR("accept-encoding"));
    struct net_header h[] = {
        { STR("etag"), f->etag },
        { STR("cache-control"), f->immutable ? STR("public, max-age=31536000, immutable") : STR("no-cache") },
        { STR("content-type"), f->mime },
        { STR("x-content-type-options"), STR("nosniff") },
        { STR("referrer-policy"), STR("same-origin") },
        { STR("content-security-policy"), STR(CSP) },
        { STR("vary"), STR("accept-encoding") },
        { STR("content-encoding"), STR("gzip") },
    };
    size_t n = sizeof h / sizeof *h;
    if (known.ptr && memmem(known.ptr, known.len, f->etag.ptr, f->etag.len)) {
        net_reply(rq, &(struct net_reply){ .status = 304, .headers = h, .n_headers = n - 1 });
        return;
    }
    if (accept.ptr && memmem(accept.ptr, accept.len, "gzip", 4)) {
        net_reply(rq, &(struct net_reply){
                          .status = 200, .headers = h, .n_headers = n, .body = net_bytes_static(f->gz) });
        return;
    }
    struct buf plain;
    struct err_ctx ctx = { 0 };
    buf_init(&plain, 64 << 20);
    if (body_unpack(BODY_GZIP, f->gz, f->size, &plain, &ctx) != ERR_OK) {
        buf_fini(&plain);
        reply_error(rq, 500, "the file cannot be unpacked");
        return;
    }
    size_t len;
    char *bytes = buf_take(&plain, &len);
    net_reply(rq, &(struct net_reply){
                      .status = 200, .headers = h, .n_headers = n - 1, .body = net_bytes_owned(bytes, len) });
}

void app_handle(struct api *a, struct net_request *rq) {
    const struct asset *f = asset_find(rq->path);
    (void)a;
    if (!str_eq(rq->method, STR("GET")) && !str_eq(rq->method, STR("HEAD"))) {
        reply_method(rq, "GET, HEAD");
        return;
    }
    bool is_file = str_starts(rq->path, STR("/assets/")) || str_starts(rq->path, STR("/api/")) ||
                   str_starts(rq->path, STR("/v1/")) || str_eq(rq->path, STR("/api"));
    if (!f && !is_file) f = asset_page(rq->path);
    if (f)
        reply_asset(rq, f);
    else
        reply_error(rq, 404, "no such path");
}
