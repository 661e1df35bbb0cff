// SPDX-License-Identifier: Apache-2.0
// Answers about delivery, in JSON: what the API sends and what the command line prints from. Each
// opens a reader of its own. Written into w as one value. thread: any.
#pragma once

#include "base/json.h"
#include "delivery/delivery.h"
#include "delivery/figure.h"

enum { ANSWER_ROWS_MAX = 10000 };
#define ANSWER_MEMORY_MAX (1ull << 30)

struct answer_ask {
    struct scope scope;
    int64_t from, to, now; // [from, to)
    enum measure_clock clock;
    bool with_rollbacks, with_redeploys;
    unsigned failure_severity; // of incidents by which rollouts failed: this and worse; 0: any
    unsigned flag_days;        // 0: MEASURE_FLAG_DAYS
    unsigned year;             // of the levels; 0: none
    uint64_t limit;            // of rows; 0: ANSWER_ROWS_MAX
    enum period period;        // from and to are edges of periods of a calendar; PERIOD_NONE: of none
    struct zone zone;          // of dates and periods
};

// All measures of a scope and window, each with the id that opens it.
NODISCARD enum err answer_measures(struct delivery *d, const struct answer_ask *ask, struct json_writer *w,
                                   struct err_ctx *ctx);
// The measures of another tool's set.
NODISCARD enum err answer_compat(struct delivery *d, const struct answer_ask *ask, enum compat_set set,
                                 struct json_writer *w, struct err_ctx *ctx);
// One measure, a figure for each period; partial ones, which are not over yet, are marked.
struct answer_period {
    int64_t from, to;
};
enum { ANSWER_PERIODS_MAX = 400 };
NODISCARD enum err answer_trend(struct delivery *d, const struct answer_ask *ask, enum measure m,
                                const struct answer_period *periods, uint32_t n, struct json_writer *w,
                                struct err_ctx *ctx);
NODISCARD enum err answer_compat_trend(struct delivery *d, const struct answer_ask *ask, enum compat c,
                                       const struct answer_period *periods, uint32_t n, struct json_writer *w,
                                       struct err_ctx *ctx);
// Rollouts whose end (or start, while they are open) lies in the window, the newest first, and how many there
// are.
NODISCARD enum err answer_deploys(struct delivery *d, const struct answer_ask *ask, struct json_writer *w,
                                  struct err_ctx *ctx);
// How many of them ended in each hour of each day on the clock of the zone; hours without one are left out.
NODISCARD enum err answer_calendar(struct delivery *d, const struct answer_ask *ask, struct json_writer *w,
                                   struct err_ctx *ctx);
// Incidents that were not over before the window, and began before its end: the open ones first, the worst
// of them on top, then the newest; each with the rollout or flag that is held to be its cause.
NODISCARD enum err answer_incidents(struct delivery *d, const struct answer_ask *ask, struct json_writer *w,
                                    struct err_ctx *ctx);
// Alerts by team in each of the weeks that end with the window, the last first. Of every environment
// unless one is asked for.
NODISCARD enum err answer_alerts(struct delivery *d, const struct answer_ask *ask, struct json_writer *w,
                                 struct err_ctx *ctx);
// A figure, its definition and every row that it looked at: counted or left out, and why. It is today's,
// with the number of events since it was computed, or as it was then: ERR_INVALID when the id does not
// say when; others as those of delivery_then.
struct answer_why_ask {
    const struct figure_id *figure;
    int64_t now;
    uint64_t limit; // rows; 0: ANSWER_ROWS_MAX
    bool then;
};
NODISCARD enum err answer_why(struct delivery *d, const struct answer_why_ask *ask, struct json_writer *w,
                              struct err_ctx *ctx);
// The catalogue of services, and those that are seen but not in it.
NODISCARD enum err answer_catalogue(struct delivery *d, struct json_writer *w, struct err_ctx *ctx);
// The shas of a repository's imported commits, ascending, from behind `after` (hex; empty: all); "next" is
// there when there are more. Of a repository that is not known there are none.
NODISCARD enum err answer_history(struct delivery *d, struct str repository, struct str after,
                                  struct json_writer *w, struct err_ctx *ctx);
// Services and their environments, of which rollouts are known.
NODISCARD enum err answer_services(struct delivery *d, struct json_writer *w, struct err_ctx *ctx);
// What came in: events by source, those that say nothing to us, those set aside, those refused.
NODISCARD enum err answer_intake(struct delivery *d, struct json_writer *w, struct err_ctx *ctx);
