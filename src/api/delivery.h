// SPDX-License-Identifier: Apache-2.0
// Questions about delivery, from the parameters of a request: the server's API and the command line
// ask in the same form. thread: one at a time.
//   service, environment, change    the scope; without an environment all that are production
//   team, product, tier             of services in the catalogue
//   from, to | window               RFC 3339, a date, or seconds; a duration that ends now (90d)
//   calendar                        day, week, month, quarter: whole ones instead
//   zone                            of dates and the calendar: Europe/Berlin; UTC without it
//   set                             of measures: takt (the default), fourkeys, devlake-2021, devlake-2023
//   measure, step                   of a trend, of any set: day, week (the default), month, or a duration
//   clock                           author (the default), committer
//   rollbacks, redeploys            true: count these too
//   levels                          the year of the DORA report that names levels: 2019, 2021, 2023, 2024
//   flag_age                        of flags that are past their time: 90d, or as the server has it
//   severity                        rollouts failed by incidents of this and worse; 0: of any; or as the
//                                   server has it
//   limit                           rows
//   repository, after               of ASK_HISTORY: whose commits; those behind that sha
//   rollout                         of ASK_DEPLOY and ASK_CHANGED: the id of a rollout, or the key of its
//   first attempt
#pragma once

#include "api/params.h"
#include "delivery/answer.h"

enum delivery_question {
    ASK_MEASURES,
    ASK_DEPLOYS,
    ASK_DEPLOY,
    ASK_CHANGED,
    ASK_WHY,
    ASK_SERVICES,
    ASK_INTAKE,
    ASK_CATALOGUE,
    ASK_TREND,
    ASK_PROFILE,
    ASK_REPORT,
    ASK_HISTORY,
    ASK_INCIDENTS,
    ASK_ALERTS,
    ASK_CALENDAR
};

// The end of the second that has begun, ns: ids of figures tell whole seconds, and what is asked again by one
// of them must be of the same time.
int64_t delivery_now(struct clock *clock);

// world: for ASK_PROFILE, else NULL will do. ERR_INVALID: ctx names the parameter.
struct world;
NODISCARD enum err delivery_ask(struct delivery *d, struct clock *clock, enum delivery_question what,
                                const struct params *p, const struct world *world, struct json_writer *w,
                                struct err_ctx *ctx);
