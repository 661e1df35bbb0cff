// SPDX-License-Identifier: Apache-2.0
// A client of HTTP/2 for the tests: nghttp2 over the client of the kit.
#pragma once

#include "net/kit_test.h"

struct h2_stream {
    int32_t id;
    struct buf text; // "name: value\n" of headers and trailers
    struct buf data;
    struct str upload;
    size_t sent;
    bool more; // the upload is not finished with these bytes
    bool closed;
    uint32_t error;
    uint64_t n_data; // DATA frames
};

enum { H2_STREAMS_MAX = 4096 };
struct h2_client {
    struct kit_client c;
    struct nghttp2_session *session;
    struct h2_stream *streams[H2_STREAMS_MAX];
    size_t n_streams;
    size_t n_goaway;
    int32_t goaway_last;
    uint32_t goaway_error;
    bool no_window; // do not take answers' bytes
};

void h2_open(struct kit *k, struct h2_client *c, uint32_t stream_window);
void h2_close(struct h2_client *c);
// headers: name, value, name, value, …, NULL. body.ptr = NULL: none.
struct h2_stream *h2_send(struct h2_client *c, const char *method, const char *path,
                          const char *const *headers, struct str body);
struct h2_stream *h2_grpc(struct h2_client *c, const char *path, struct str framed);
bool h2_pump(struct h2_client *c); // false: nothing happened for a while
#define H2_UNTIL(c, cond) \
    do { \
        for (int until_ = 0; until_ < 5000 && !(cond); until_++) (void)h2_pump(c); \
        CHECK(cond); \
    } while (0)
void h2_wait(struct h2_client *c, struct h2_stream *s); // until it is closed
void h2_pumps(struct h2_client *c, int n);
void h2_reset(struct h2_client *c, struct h2_stream *s, uint32_t code);
// The value of the header or trailer; ptr = NULL: none.
struct str h2_header(const struct h2_stream *s, const char *name);
