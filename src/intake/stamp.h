// SPDX-License-Identifier: Apache-2.0
// Times as tools write them, as nanoseconds since 1970 UTC. Strict: a day that is not in the calendar,
// a time without a zone or anything behind it is no time. thread: any.
#pragma once

#include "base/str.h"

#define STAMP_BEYOND INT64_MAX // a time that ns cannot tell: after 2261
#define STAMP_BEFORE INT64_MIN // before 1678

enum {
    STAMP_TEXT_SIZE = 36, // of a printed time, with its NUL
    STAMP_FRACTION_MAX = 18,
};

// 2021-04-28T21:50:00.123Z (RFC 3339: `t`, `z`, a space, any offset, also without its colon; a leap
// second is the first of the next minute), "2021-04-28 21:50:00 UTC", "2021-04-28 21:50:00 +0200",
// "2021-04-28" (its midnight in UTC). Digits behind the ninth of a fraction are dropped. Year 1 in
// UTC, which Go writes for no time, is 0.
NODISCARD bool stamp_read(struct str s, int64_t *out_ns);
// A count of units since 1970; unit_ns: 1000000000, 1000000, 1000 or 1.
int64_t stamp_of(int64_t count, int64_t unit_ns);
// The same when the unit is not known: seconds, ms, µs or ns, by the number of digits.
int64_t stamp_guess(int64_t count);
// The beginning of the calendar month in UTC that a time lies in.
int64_t stamp_month(int64_t ns);
// A length of time as Prometheus writes it, such as 5m, 1h30m, 90s or 500ms: whole numbers, each with its
// unit (w, d, h, m, s, ms). At most a year.
NODISCARD bool stamp_length(struct str s, int64_t *out_ns);
// RFC 3339 in UTC, with as many digits of a fraction (0, 3, 6, 9) as needed.
struct str stamp_print(int64_t ns, char out[STAMP_TEXT_SIZE]);
