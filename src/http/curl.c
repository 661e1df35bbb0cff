// SPDX-License-Identifier: Apache-2.0
#include "http/curl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static struct {
    pthread_once_t once;
    struct curl_calls calls;
    char why[256]; // empty: it is there
} library = { .once = PTHREAD_ONCE_INIT };

static bool find(void *library_handle, const char *name, void *out) {
    void *call = dlsym(library_handle, name);
    memcpy(out, &call, sizeof call); // ISO C has no cast from an object to a function
    if (!call) (void)snprintf(library.why, sizeof library.why, "it has no %s", name);
    return call != NULL;
}

static void load(void) {
    struct curl_calls *c = &library.calls;
    void *h = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL); // for the life of the process
    if (!h) {
        (void)snprintf(library.why, sizeof library.why, "%s", dlerror());
        return;
    }
    if (find(h, "curl_global_init", &c->global_init) && find(h, "curl_easy_init", &c->easy_init) &&
        find(h, "curl_easy_setopt", &c->easy_setopt) && find(h, "curl_easy_perform", &c->easy_perform) &&
        find(h, "curl_easy_getinfo", &c->easy_getinfo) && find(h, "curl_easy_strerror", &c->easy_strerror) &&
        find(h, "curl_easy_cleanup", &c->easy_cleanup) && find(h, "curl_slist_append", &c->slist_append) &&
        find(h, "curl_slist_free_all", &c->slist_free_all) && c->global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        (void)snprintf(library.why, sizeof library.why, "it does not begin");
}

enum err curl_load(const struct curl_calls **out, struct err_ctx *ctx) {
    (void)pthread_once(&library.once, load);
    *out = &library.calls;
    if (!library.why[0]) return ERR_OK;
    return err_set(ctx, ERR_UNSUPPORTED, "libcurl (Debian's package libcurl4) cannot be used: %s",
                   library.why);
}
