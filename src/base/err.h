// SPDX-License-Identifier: Apache-2.0
// One set of error codes for the whole program. A new value needs a different reaction of the
// caller, not a different text: text for people travels in a struct err_ctx.
#pragma once

#include <stdint.h>

#define ERR_TABLE(X) \
    X(OK, "ok") \
    X(NOMEM, "out of memory") \
    X(IO, "input or output failed") \
    X(CORRUPT, "data is damaged") \
    X(NOT_FOUND, "not found") \
    X(EXISTS, "exists already") \
    X(INVALID, "invalid input") \
    X(UNSUPPORTED, "not supported") \
    X(LIMIT, "over a limit") \
    X(AGAIN, "try again later") \
    X(TIMEOUT, "deadline passed") \
    X(CANCELED, "canceled") \
    X(UNAVAILABLE, "not available")

enum err {
#define X(name, text) ERR_##name,
    ERR_TABLE(X)
#undef X
        ERR_COUNT
};

#define NODISCARD __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

// Returns the error of the call to the caller of the current function, if there is one.
#define TRY(call) \
    do { \
        enum err try_err_ = (call); \
        if (__builtin_expect(try_err_ != ERR_OK, 0)) return try_err_; \
    } while (0)

// The fixed English text of a code; never NULL.
const char *err_text(enum err e);

// What went wrong, for a person: where in the input, what was found, what was expected.
// Passed (never NULL) to parsers, configuration and checks of requests.
struct err_ctx {
    char text[256]; // NUL-terminated; "" while nothing is set
    uint32_t line;  // 1-based position in the source, 0 = does not apply
    uint32_t column;
};

// Sets the text unless one is set already (the innermost cause wins) and returns e.
enum err err_set(struct err_ctx *ctx, enum err e, const char *fmt, ...) PRINTF_LIKE(3, 4);

// A broken invariant of our own code: prints the place and aborts. The WAL makes a restart safe.
// Never for input, disk content or what a peer sent.
#define ASSERT(cond) \
    do { \
        if (__builtin_expect(!(cond), 0)) assert_fail(#cond, __FILE__, __LINE__); \
    } while (0)
#ifdef TAKT_DEBUG
#define DASSERT(cond) ASSERT(cond)
#else
#define DASSERT(cond) \
    do { \
    } while (0)
#endif
_Noreturn void assert_fail(const char *cond, const char *file, int line);
