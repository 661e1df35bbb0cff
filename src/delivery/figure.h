// SPDX-License-Identifier: Apache-2.0
// The id of a figure: which definition, of what, when, by which clock, as the facts stood after which
// event. It is text that a shell needs no quotes for, and whoever has it can ask for the number
// again and for the rows behind it:
//   lead_time@1,service=shop,environment=production,from=20260101T000000Z,to=20260401T000000Z,
//   as_of=4711,at=20260401T081500Z (without the break)
// Pure. thread: any.
#pragma once

#include "delivery/compat.h"
#include "delivery/scope.h"
#include "delivery/zone.h"

enum { FIGURE_ID_MAX = 4096, FIGURE_FLAG_DAYS_MAX = 3650 };

struct figure_id {
    enum measure measure;
    enum compat compat; // instead of the measure: as another tool has it; COMPAT_NONE: not
    struct scope scope;
    int64_t from, to; // whole seconds
    enum measure_clock clock;
    bool with_rollbacks, with_redeploys;
    unsigned failure_severity; // of measures of failed rollouts; 0: any, which the id does not say
    unsigned flag_days;        // of measures of flags; 0: MEASURE_FLAG_DAYS, which the id does not say
    int64_t as_of;             // the last event; 0: not told
    int64_t at;                // when it was computed, a whole second; 0: not told
    // Of a window that is periods of a calendar: which, and where. from and to are its edges.
    enum period period; // PERIOD_NONE: it rolls
    struct str zone;    // empty: UTC
};
void figure_print(const struct figure_id *f, struct buf *out);
// ERR_INVALID says what was expected and where; ERR_UNSUPPORTED: a version of the definition that is no more.
NODISCARD enum err figure_parse(struct arena *a, struct str text, struct figure_id *out, struct err_ctx *ctx);
bool figure_of_failures(enum measure m); // it goes by failure_severity
// What measure_run is to be asked.
struct measure_ask figure_ask(const struct figure_id *f, int64_t now);
