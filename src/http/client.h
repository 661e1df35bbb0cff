// SPDX-License-Identifier: Apache-2.0
// A small HTTP client over libcurl: one request, a deadline, TLS checked. thread: any.
#pragma once

#include "base/str.h"

struct http_answer {
    long status;
    struct buf body; // freed by the caller with buf_fini
};

// GET (post = NULL) or POST. ERR_UNAVAILABLE: nobody answers, with text; ERR_TIMEOUT; ERR_INVALID: the
// url; ERR_LIMIT: more than max_bytes. accept may be NULL.
NODISCARD enum err http_request(const char *url, const char *accept, const struct str *post,
                                uint32_t timeout_ms, size_t max_bytes, struct http_answer *out,
                                struct err_ctx *ctx);
