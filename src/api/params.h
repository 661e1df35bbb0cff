// SPDX-License-Identifier: Apache-2.0
// Parameters of a request, from the part of its address behind the '?'. The command line asks in the
// same form, so that a question means the same wherever it is put. Empty ones are as good as absent.
// Errors are ERR_INVALID with a text that names the parameter. thread: one at a time.
#pragma once

#include "base/str.h"

struct clock;

struct params {
    struct str query;    // as sent, percent-encoded
    struct arena *arena; // what is decoded
};

// The first value of a parameter, percent-decoded; ptr NULL = absent. Only q may hold a NUL.
struct str params_get(const struct params *p, struct str name);
// One after the other: *rest begins as p->query. Names and values decoded; broken ones are left out.
bool params_next(const struct params *p, struct str *rest, struct str *name, struct str *value);
// ERR_INVALID: a name or value is not well percent-encoded (as in "50%"), and would be left out.
NODISCARD enum err params_check(const struct params *p, struct err_ctx *ctx);
// Adds a parameter to a query that is being built.
void params_add(struct buf *query, struct str name, struct str value);

// *out stays as it is where the parameter is absent.
NODISCARD enum err params_number(const struct params *p, struct str name, uint64_t most, uint64_t *out,
                                 struct err_ctx *ctx);
NODISCARD enum err params_duration(const struct params *p, struct str name, uint64_t *out_ns,
                                   struct err_ctx *ctx);
NODISCARD enum err params_bool(const struct params *p, struct str name, bool *out, struct err_ctx *ctx);
NODISCARD enum err params_time(const struct params *p, struct str name, uint64_t *out_ns,
                               struct err_ctx *ctx);
// start and end together, or since, which wins and ends at INT64_MAX: what is newer than our clock
// counts too. None of them: both 0, all time.
NODISCARD enum err params_range(const struct params *p, struct clock *clock, uint64_t *start_ns,
                                uint64_t *end_ns, struct err_ctx *ctx);

// Digits with at most one dot, a digit at least: "05", ".5" and "5." too, as Go reads them.
NODISCARD bool parse_decimal(struct str s, double *out);
// A Go duration ("1h05m", "500ms", ".5s"), or one with the units of Prometheus ("1w2d"), in ns.
NODISCARD bool parse_duration(struct str s, uint64_t *out_ns);
bool date_exists(uint32_t year, uint32_t month, uint32_t day); // in the Gregorian calendar
// Seconds (up to 10 digits) or fractions of them, nanoseconds (18 digits or more), or RFC 3339; in ns.
// A number of digits between is no time: milliseconds, or nanoseconds of the first years after 1970.
NODISCARD bool parse_time(struct str s, uint64_t *out_ns);
