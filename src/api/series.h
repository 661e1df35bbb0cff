// SPDX-License-Identifier: Apache-2.0
// Inside `api`, and for the command line: metrics in TraceQL as they were asked for, by whichever way,
// and their answers as Tempo gives them. thread: that of the ask.
#pragma once

#include "api/ask.h"
#include "api/tempo.h"
#include "query/series.h"

enum { SERIES_EXEMPLARS = 100 }; // at most, and unless told otherwise

struct series_ask {
    struct str q;
    uint64_t start_ns, end_ns; // 0, 0: the last hour
    uint64_t step_ns;          // 0: from the range
    uint64_t exemplars;        // 0: SERIES_EXEMPLARS
    uint64_t max_series;       // 0: no limit of the client's
    struct query_teller teller;
};

// The step of a range for which nobody asked for one: some 240 intervals.
uint64_t series_default_step(uint64_t range_ns);

// Items of a QueryRangeResponse, of a QueryInstantResponse.
NODISCARD enum err series_answer_range(struct ask *k, struct series_ask *s, struct tempo_pieces *out);
NODISCARD enum err series_answer_instant(struct ask *k, struct series_ask *s, struct tempo_pieces *out);
// What /api/metrics/query_range (query) answers to k->params. One value has no step and no exemplars: what
// is sent of them is not looked at.
NODISCARD enum err series_range(struct ask *k, struct tempo_pieces *out);
NODISCARD enum err series_instant(struct ask *k, struct tempo_pieces *out);
