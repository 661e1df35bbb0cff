// SPDX-License-Identifier: Apache-2.0
// Holds what queries answer against the plain model of what the store was given.
#pragma once

#include "base/test.h"
#include "ingest/trial.h"
#include "query/find.h"
#include "query/search.h"
#include "query/trace.h"

// Every trace of the model comes back by its id with exactly its spans, each once and in order.
// Possible spans that are there become sure: what was seen once stays.
void check_traces(struct trial *t);
void check_traces_of(struct view *v, struct model *m);
void check_some_traces(struct trial *t, uint32_t n); // any n of them
// n random searches, each page by page, answer what the model says. All spans must be sure.
void check_searches(struct trial *t, uint32_t n);
// The answer to one search over (start, end], over all pages of `limit`.
struct listing {
    struct search how;
    uint64_t start_ns, end_ns;
    uint32_t limit;
    bool stops; // where nothing older can change the page; it counts all otherwise
};
// Page by page against the model, once counted and once not.
void check_search(struct view *v, struct model *m, struct listing l);
// One page of it, the first for after NULL.
void list_traces(struct view *v, const struct listing *l, const struct trace_summary *after,
                 struct find_result *out);

// Shared set-up: opened, with test_rand.
void trial_start(struct trial *t, struct trial_opts o);
void submit_random(struct trial *t, uint32_t n); // all must be acknowledged

// A span as a test wants it; the rest is empty.
struct spec {
    uint64_t trace, id, parent; // 0 = no parent
    uint64_t start_ns, end_ns;
    const char *service, *name; // NULL = none
    bool error;
};
void spec_body(const struct spec *s, size_t n, struct buf *out); // a request
enum err submit_specs(struct trial *t, const struct spec *s, size_t n);
void spec_trace_id(uint64_t trace, uint8_t out[16]);
// Spans of a trace that a view shows.
uint32_t spans_of(struct view *v, uint64_t trace);
uint32_t spans_now(struct trial *t, uint64_t trace);
