// SPDX-License-Identifier: Apache-2.0
// Inside `http` only: libcurl, loaded when it is first asked for. With the thirty libraries that it needs
// it takes longer to load than all else that Takt needs to start. thread: any.
#pragma once

#include <curl/curl.h>

#include "base/err.h"

struct curl_calls { // as libcurl names them, behind "curl_"
    CURLcode (*global_init)(long flags);
    CURL *(*easy_init)(void);
    CURLcode (*easy_setopt)(CURL *c, CURLoption option, ...);
    CURLcode (*easy_perform)(CURL *c);
    CURLcode (*easy_getinfo)(CURL *c, CURLINFO info, ...);
    const char *(*easy_strerror)(CURLcode code);
    void (*easy_cleanup)(CURL *c);
    struct curl_slist *(*slist_append)(struct curl_slist *list, const char *line);
    void (*slist_free_all)(struct curl_slist *list);
};
// ERR_UNSUPPORTED: it is not there, or is not what we know.
NODISCARD enum err curl_load(const struct curl_calls **out, struct err_ctx *ctx);
