// SPDX-License-Identifier: Apache-2.0
// Measures over figures: each a pure function of the packed series, the incidents, a scope and a
// window, with numerator, denominator, interval, what was left out and why. Every row that it looks
// at can be watched, so that a figure opens to what it was made of.
//
// Windows are half open, [from, to), in ns UTC; an event belongs to the window that holds its end.
// Values pool the rows of a scope; nothing is an average of averages. thread: any.
#pragma once

#include "delivery/flow.h"
#include "delivery/series.h"
#include "stats/interval.h"

enum measure {
#define MEASURE(ID, ...) MEASURE_##ID,
#include "delivery/measure.def"
    MEASURE_COUNT
};
enum measure_kind { MEASURE_FREQUENCY, MEASURE_RATE, MEASURE_TIME, MEASURE_SIZE, MEASURE_KIND_COUNT };
struct measure_info {
    const char *name; // "lead_time"
    unsigned version;
    enum measure_kind kind;
    const char *title;
    double target; // negative: at least its absolute value; 0: none
    const char *definition;
};
const struct measure_info *measure_info(enum measure m);
bool measure_of(struct str name, enum measure *out);

enum measure_clock { CLOCK_AUTHOR, CLOCK_COMMITTER };

#define MEASURE_IMMATURE_NS (24 * 3600 * 1000000000ll) // a rollout may yet be found to have failed
#define MEASURE_CLAMP_NS (5 * 60 * 1000000000ll)       // a negative time of at most this is 0

enum { MEASURE_SMALL = 5, MEASURE_REASONS_MAX = 16, MEASURE_FLAG_DAYS = 90 };

struct measure_ask {
    enum measure measure;
    int64_t from, to, now;
    enum measure_clock clock;
    bool with_rollbacks, with_redeploys; // count these too
    unsigned failure_severity;           // a rollout failed by incidents of this and worse; 0: of any
    unsigned flag_days;                  // a flag unchanged for longer is past its time; 0: MEASURE_FLAG_DAYS
};

struct measure_incident {
    struct str key, service, environment;
    int64_t began, detected, acknowledged, recovered; // 0: not known; recovered 0: open
    // How it is known when its impact began: told, traces, alert, rollout; empty: it is not. And a sentence.
    struct str began_by, began_says;
    int64_t paused;             // between an end and a reopening, in all
    bool production, duplicate; // production: or of the environment that is asked for
};
enum canary_state { CANARY_OPEN, CANARY_GOOD, CANARY_BAD, CANARY_OVERTAKEN };
struct measure_canary {
    struct str key, service, environment, version, reason;
    enum canary_state state; // OVERTAKEN: by a newer version
    bool production;
    double weight; // the most of the traffic that it got, in %; 0: not told
    int64_t started, ended;
};
struct measure_flag_change {
    struct str key, service, environment, action, actor;
    int64_t changed;
};
struct measure_flag { // all changes of one flag in the scope, by time
    struct str project, name;
    const struct measure_flag_change *changes;
    uint32_t n;
};
// What else a measure is given: one of these.
struct measure_input {
    const struct flow *flow;
    const struct measure_canary *canary;
    const struct measure_flag *flag;
};
struct measure_reason {
    const char *text;
    uint64_t n;
};
struct measure_result {
    // Per day, a share, seconds (p50) or a number (p50), with its 95 % interval.
    struct estimate value;
    struct estimate p75, p90, p95, mean, most; // of TIME and SIZE
    uint64_t numerator, denominator;           // of a RATE
    uint64_t n;                                // rows that the value is made of
    bool small;                                // n < MEASURE_SMALL: a value, no verdict
    uint64_t immature;                         // rows that may yet change
    uint64_t clamped;                          // slightly negative times, counted as 0
    struct measure_reason left_out[MEASURE_REASONS_MAX];
    unsigned n_left_out;
};

// A value against a target, as everything that is said of it goes by: not to be known where there is no
// value, where it is of too few rows, or where its interval holds the target.
enum measure_verdict { MEASURE_UNKNOWN, MEASURE_MET, MEASURE_MISSED };
// target: negative is at least its absolute value.
enum measure_verdict measure_judge(const struct estimate *v, bool small, double target);

// A row that was looked at: a rollout, a commit of it, an incident, or what an input holds.
struct measure_row {
    const struct series *series;
    uint32_t rollout, commit; // indices; ROLLOUT_NONE
    const struct measure_incident *incident;
    const struct flow *flow; // of the three that follow
    const struct flow_change *change;
    const struct flow_run *run;
    const struct flow_group *group;
    const struct measure_canary *canary;
    const struct measure_flag *flag;
    uint32_t flag_change; // index
    bool counted;         // in the denominator, or one of the values
    bool hit;             // RATE: in the numerator
    double value;         // seconds or number, where there is one
    const char *why;      // not counted: the reason
};
typedef void measure_watch(void *ctx, const struct measure_row *row);

// A measure on its way: it is given the series and incidents of its scope one after the other, and
// keeps nothing of them. What grows with them lies in the arena.
struct measuring {
    struct arena *arena;
    struct measure_ask ask;
    struct measure_result result;
    measure_watch *watch;
    void *ctx;
    double *values; // of TIME and SIZE
    size_t n, cap;
    uint32_t n_series, n_flags;
    double failed_ns;
    enum err err;
};
void measure_begin(struct measuring *m, struct arena *a, const struct measure_ask *ask, measure_watch *watch,
                   void *ctx);
bool measure_needs_commits(enum measure m); // else series without their commits will do
enum {
    MEASURE_WANTS_CHANGES = 1,
    MEASURE_WANTS_RUNS = 2,
    MEASURE_WANTS_CANARIES = 4,
    MEASURE_WANTS_FLAGS = 8,
    MEASURE_WANTS_ALL = 15,
};
unsigned measure_wants(enum measure m); // bits: its inputs; 0: series and incidents
void measure_input(struct measuring *m, const struct measure_input *in);
void measure_series(struct measuring *m, const struct series *s);
void measure_incident(struct measuring *m, const struct measure_incident *i);
// ERR_NOMEM.
NODISCARD enum err measure_end(struct measuring *m, struct measure_result *out);
