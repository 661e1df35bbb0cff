// SPDX-License-Identifier: Apache-2.0
// JSON (RFC 8259): a strict pull tokenizer over bytes in memory, and a writer onto a struct buf.
// The tokenizer allocates nothing; its slices point into the input. It refuses what the RFC leaves
// out (comments, trailing commas, NaN, a byte order mark) and text that is not UTF-8, which a lone
// surrogate can never be. Duplicate keys are the caller's affair. thread: one at a time.
#pragma once

#include "base/str.h"

enum {
    JSON_DEPTH_MAX = 512,   // of open arrays and objects; a tokenizer may be given less
    JSON_NUMBER_MAX = 1024, // characters of one number
};

enum json_kind {
    JSON_ERROR, // sticks; struct json.err says which, the err_ctx where and why
    JSON_END,
    JSON_OBJECT,
    JSON_OBJECT_END,
    JSON_ARRAY,
    JSON_ARRAY_END,
    JSON_KEY, // the colon behind it is consumed
    JSON_STRING,
    JSON_NUMBER,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL,
    JSON_KIND_COUNT
};

struct json {
    enum json_kind kind; // of the token read last
    bool escaped;        // text holds escapes: see json_text
    uint8_t want;        // what may come next (private)
    uint32_t depth, max_depth;
    struct str text;                       // KEY, STRING: what is between the quotes; NUMBER: its characters
    const char *pos, *end;                 // the rest of the input
    const char *start, *token;             // the input; where the last token begins
    enum err err;                          // ERR_OK, ERR_INVALID or ERR_LIMIT
    struct err_ctx *ctx;                   // line, column (in bytes, from 1) and text are set on an error
    uint64_t objects[JSON_DEPTH_MAX / 64]; // a bit for each open level: is it an object? (private)
};

// The input must outlive the tokenizer. max_depth is at most JSON_DEPTH_MAX.
void json_init(struct json *j, struct str input, uint32_t max_depth, struct err_ctx *ctx);
// The next token. At the end of the text JSON_END, for ever; after an error JSON_ERROR, for ever.
enum json_kind json_next(struct json *j);
// Reads the rest of the value that the current token begins; of a KEY, its value.
void json_skip(struct json *j);
// Reports an error of meaning at the current token (the first error stays) and returns its code.
enum err json_fail(struct json *j, enum err e, const char *fmt, ...) PRINTF_LIKE(3, 4);
// "a string", "the end of the text": for messages.
const char *json_kind_text(enum json_kind kind);
// Appends the text of the current KEY or STRING with its escapes resolved.
void json_text(const struct json *j, struct buf *out);

// Length of the JSON number at the start of s, 0 when there is none.
size_t json_number_len(struct str s);
// The value of a number's whole text. Integers exactly: 1.0 and 1e3 are integers, 1.5 is not.
// false: not a number, not an integer, or out of range (a double that would be infinite).
NODISCARD bool json_u64(struct str text, uint64_t *out);
NODISCARD bool json_i64(struct str text, int64_t *out);
NODISCARD bool json_f64(struct str text, double *out);

// The writer puts commas where they belong; the caller opens and closes in the right order.
// Errors are those of the buffer.
struct json_writer {
    struct buf *out;
    bool comma;            // the next key or element needs one in front
    bool nonfinite_string; // NaN and the infinities as "NaN", "Infinity", "-Infinity"; else null
};

static inline struct json_writer json_writer_on(struct buf *out) {
    return (struct json_writer){ .out = out };
}
static inline void jw_separate_(struct json_writer *w) {
    if (w->comma) buf_char(w->out, ',');
    w->comma = true;
}
static inline void jw_open_(struct json_writer *w, char c) {
    jw_separate_(w);
    buf_char(w->out, c);
    w->comma = false;
}
static inline void jw_close_(struct json_writer *w, char c) {
    buf_char(w->out, c);
    w->comma = true;
}
static inline void jw_object(struct json_writer *w) {
    jw_open_(w, '{');
}
static inline void jw_object_end(struct json_writer *w) {
    jw_close_(w, '}');
}
static inline void jw_array(struct json_writer *w) {
    jw_open_(w, '[');
}
static inline void jw_array_end(struct json_writer *w) {
    jw_close_(w, ']');
}
void jw_key(struct json_writer *w, struct str key);
void jw_str(struct json_writer *w, struct str s); // what is not UTF-8 becomes U+FFFD
void jw_u64(struct json_writer *w, uint64_t v);
void jw_i64(struct json_writer *w, int64_t v);
void jw_f64(struct json_writer *w, double v); // the shortest digits that read back the same
void jw_bool(struct json_writer *w, bool v);
void jw_null(struct json_writer *w);
void jw_raw(struct json_writer *w, struct str json); // a value that is JSON already
// 64-bit integers as strings, as protobuf's JSON has them.
void jw_u64_str(struct json_writer *w, uint64_t v);
void jw_i64_str(struct json_writer *w, int64_t v);

// A text with its quotes, onto a buffer.
void json_quote(struct buf *out, struct str s);
enum {
    JSON_NAME_MAX = 32
}; // room of a key of ours with quotes and colon: a copy of fixed size is the fastest
