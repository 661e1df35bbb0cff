// SPDX-License-Identifier: Apache-2.0
// Inside `api` only: a search as it was asked for, by whichever way, and what it found as Tempo
// tells it. thread: that of the ask.
#pragma once

#include "api/ask.h"
#include "api/tempo.h"
#include "query/find.h"

struct search_tag { // of a search by tags, as clients older than TraceQL send it
    struct str key, value;
};

enum { SEARCH_TAGS_MAX = 100, SEARCH_SPSS_MAX = 100 };

struct search_ask {
    struct str q; // TraceQL; "": by tags and durations, and without those all traces
    struct search_tag *tags;
    uint32_t n_tags;
    uint64_t min_duration_ns, max_duration_ns; // of the trace, without q; max 0 = none
    uint64_t start_ns, end_ns;                 // 0, 0 = all time
    uint64_t limit, spss;                      // 0 = the default
    bool bare;                                 // traces are shown without their sets of spans
    bool count, errors, has_after;             // as struct find has them
    uint64_t after_start_ns;                   // the page after this trace
    uint8_t after_id[16];
    struct query_teller teller; // as struct find has them
    enum err (*found)(void *ctx, const struct find_trace *t);
};

// Reads k->params. Errors are ERR_INVALID with k->ctx.
NODISCARD enum err search_ask_read(struct ask *k, struct search_ask *s);
// What every search must keep to; sets defaults. Without a query, tags and durations become one: s->q,
// and the answer is bare.
NODISCARD enum err search_ask_check(struct ask *k, struct search_ask *s);
// Runs it; sets the notes of k. *out is the caller's when it went well.
NODISCARD enum err search_ask_find(struct ask *k, const struct search_ask *s, struct find_result *out);

// The whole of /api/search: items of a SearchResponse. Where pieces are sent, messages go out on the way:
// with what was looked at so far, and the traces that are sure to be in the answer. The answer at the
// end is whole.
NODISCARD enum err search_answer(struct ask *k, struct search_ask *s, struct tempo_pieces *out);

// TraceQL for tags and durations: one filter, written from a syntax tree, so that nothing in a tag
// can be anything but a name or a value.
NODISCARD enum err search_tags_text(struct ask *k, const struct search_ask *s, struct str *out);
// "k=v k2=\"v 2\"" (logfmt).
NODISCARD enum err search_tags_parse(struct ask *k, struct str text, struct search_ask *s);

// The place of a trace in the list, as text and back.
enum { SEARCH_CURSOR_MAX = 64 };
void search_cursor_write(const struct trace_summary *t, char out[static SEARCH_CURSOR_MAX]);
bool search_cursor_read(struct str text, uint64_t *start_ns, uint8_t id[16]);
