// SPDX-License-Identifier: Apache-2.0
// The parser of HTTP/1.1 requests (RFC 9112), strict: what two parsers could read in two ways is
// refused. Takes bytes, returns results; no I/O. The result never depends on how the input was cut
// in pieces. thread: any, one at a time.
#pragma once

#include "net/net.h"

enum {
    H1_LINE_MAX = 400 << 10, // the request line: a query of 128 KiB, each byte of it as %XX, and more
    H1_HEAD_MAX = 448 << 10, // request line and fields
    H1_FIELDS_MAX = 100,
    H1_METHOD_MAX = 32,
    H1_CHUNK_LINE_MAX = 4 << 10, // size and extensions of a chunk
    H1_TRAILER_MAX = 16 << 10,
};

enum h1_result { H1_MORE, H1_DATA, H1_DONE, H1_BAD };

struct h1_error {
    int status; // of the answer
    const char *text;
};

// Finds the end of a head. Starts zeroed.
struct h1_scan {
    size_t start; // of the request line: 2 when an empty line comes first
    size_t line;  // start of the line being looked at
    size_t pos;   // bytes looked at; when done, the length of the head
    uint32_t n_lines;
};
// `data` = all bytes received of the head so far, longer with each call. DONE: pos is its end.
enum h1_result h1_scan(struct h1_scan *s, struct str data, struct h1_error *out);

struct h1_head {
    struct str method, target, host;
    struct net_header *headers; // names in lower case
    size_t n_headers;
    bool http10, keep_alive, chunked, has_length, expect_continue;
    uint64_t length;
};
// Parses a head that h1_scan found complete. The result points into `head`, whose names of fields
// are made lower case in place. false: *err is set (503: the arena is full).
NODISCARD bool h1_parse(const struct h1_scan *s, char *head, struct arena *a, struct h1_head *out,
                        struct h1_error *err);

// Undoes the chunked coding. Starts zeroed.
struct h1_chunked {
    uint8_t state;
    uint8_t n_digits;
    uint32_t line_len;
    uint64_t left; // of the chunk
};
// Takes bytes from the front of *in. DATA: *out = a piece of the body, a slice of the input.
// MORE: all was taken. DONE: the body is complete; what follows it is left in *in.
enum h1_result h1_chunk(struct h1_chunked *c, struct str *in, struct str *out);
