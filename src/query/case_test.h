// SPDX-License-Identifier: Apache-2.0
// Traces in a compact notation, as the text cases of tests/cases/traceql have them. The notation is
// described in tests/cases/traceql/README.md.
#pragma once

#include "query/fixture_test.h"

enum { CASE_LINE_MAX = 4096 };

// Offsets of the notation count from here.
#define CASE_BASE_NS 1700000000000000000ull

struct case_span { // to give spans their names back
    uint8_t trace[16];
    uint8_t id[8];
    uint64_t start_ns;
    struct str name;
    size_t from, to; // of the body: a request with this span alone
};
struct case_data {
    struct arena arena;
    struct case_span *spans;
    uint32_t n, cap;
    struct buf body; // the request with all spans
};

// Lines are those of one data section. A line that cannot be read ends the test.
void case_data_init(struct case_data *d);
void case_data_fini(struct case_data *d);
void case_data_line(struct case_data *d, struct str line);
void case_data_end(struct case_data *d);
struct str case_span_name(const struct case_data *d, const uint8_t trace[16], uint64_t span_id,
                          uint64_t start_ns);

// "5ms", "-1.5s", "7ns", "0"; also inf and nan are refused.
bool case_time(struct str s, int64_t *out_ns);
// The next token of a line: up to a space outside of quotes and brackets. false: none is left.
bool case_token(struct str *rest, struct str *out);
// A whole file under tests/ or docs/; the program runs in the root of the repository.
struct str case_read(struct arena *a, const char *path);
