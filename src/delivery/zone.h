// SPDX-License-Identifier: Apache-2.0
// Time zones from the system's tzdata (TZif, RFC 8536), and the periods of a calendar in them: day, ISO
// week (from Monday), month, quarter. A day begins with its first moment, also where midnight does not
// exist or comes twice. Times are ns UTC. thread: any; a zone is constant once loaded.
#pragma once

#include "base/str.h"
#include "os/disk.h"

enum { ZONE_BYTES_MAX = 256 << 10, ZONE_NAME_MAX = 64, ZONE_TRANSITIONS_MAX = 4096 };

struct zone_rule { // of the footer: when clocks change in a year
    char kind;     // 'M' month.week.day, 'J' day 1 to 365 without leap days, '0' day 0 to 365
    int month, week, day;
    int32_t time; // seconds after midnight
};
struct zone {
    struct str name;
    uint32_t n;                 // transitions
    const int64_t *at;          // seconds UTC, ascending
    const int32_t *offset;      // n: from that transition on; east of UTC is positive
    int32_t first;              // before the first one
    bool has_rules, has_saving; // what the footer says of the time after the last one
    int32_t standard, saving;
    struct zone_rule begins, ends; // of saving
};

// "UTC" is there without tzdata. ERR_INVALID: no such zone, or its file is damaged; ERR_NOMEM.
NODISCARD enum err zone_load(struct disk *k, struct str name, struct arena *a, struct zone *out,
                             struct err_ctx *ctx);
// The same from the bytes of a file. ERR_CORRUPT.
NODISCARD enum err zone_parse(struct str bytes, struct arena *a, struct zone *out);
int32_t zone_offset(const struct zone *z, int64_t seconds); // at a moment

enum period { PERIOD_NONE, PERIOD_DAY, PERIOD_WEEK, PERIOD_MONTH, PERIOD_QUARTER, PERIOD_COUNT };
const char *period_text(enum period p);
bool period_of(struct str name, enum period *out);
// The start of the period that holds a moment, and of the one after it.
int64_t period_start(const struct zone *z, enum period p, int64_t ns);
int64_t period_next(const struct zone *z, enum period p, int64_t ns);
// The first moment of a date.
int64_t zone_day(const struct zone *z, int year, int month, int day);
