// SPDX-License-Identifier: Apache-2.0
// A small HTTP client over libcurl: one request, a deadline, TLS checked. thread: any.
#pragma once

#include "base/str.h"

struct http_answer {
    long status;
    struct buf body; // freed by the caller with buf_fini
};

struct http_ask {
    const char *accept, *content_type; // NULL: not said
    const char *bearer;                // NULL: none; never logged, not sent on to another host
    const char *ca_file;               // authorities (PEM) that https is trusted by; NULL: the system's
    const char *method;                // NULL: POST with post, else GET
    const struct str *post;
    uint32_t timeout_ms;
    size_t max_bytes; // of the answer
};
// ERR_UNAVAILABLE: nobody answers, with text; ERR_CORRUPT: its certificate, or ca_file, is not to be trusted,
// with text; ERR_TIMEOUT; ERR_INVALID: the url; ERR_LIMIT: more than max_bytes; ERR_UNSUPPORTED: libcurl
// cannot be loaded.
NODISCARD enum err http_request(const char *url, const struct http_ask *ask, struct http_answer *out,
                                struct err_ctx *ctx);
