// SPDX-License-Identifier: Apache-2.0
// Holds what queries answer against the plain model of what the store was given.
#pragma once

#include "base/test.h"
#include "ingest/trial.h"
#include "query/search.h"

// Every trace of the model comes back by its id with exactly its spans, each once and in order.
// Possible spans that are there become sure: what was seen once stays.
void check_traces(struct trial *t);
void check_traces_of(struct view *v, struct model *m);
void check_some_traces(struct trial *t, uint32_t n); // any n of them
// n random searches, each page by page, answer what the model says. All spans must be sure.
void check_searches(struct trial *t, uint32_t n);
// The answer to one search, over all pages of `s->limit`.
void check_search(struct view *v, struct model *m, struct search s);

// Shared set-up: opened, with test_rand.
void trial_start(struct trial *t, struct trial_opts o);
void submit_random(struct trial *t, uint32_t n); // all must be acknowledged
