// SPDX-License-Identifier: Apache-2.0
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const char *err_text(enum err e) {
    static const char *const texts[ERR_COUNT] = {
#define X(name, text) [ERR_##name] = text,
        ERR_TABLE(X)
#undef X
    };
    return (unsigned)e < ERR_COUNT ? texts[e] : "unknown error";
}

enum err err_set(struct err_ctx *ctx, enum err e, const char *fmt, ...) {
    if (ctx->text[0] != '\0') return e;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(ctx->text, sizeof ctx->text, fmt, args);
    va_end(args);
    return e;
}

void assert_fail(const char *cond, const char *file, int line) {
    (void)fprintf(stderr, "takt: assertion failed: %s (%s:%d)\n", cond, file, line);
    abort();
}
