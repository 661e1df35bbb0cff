// SPDX-License-Identifier: Apache-2.0
// What the answers about delivery have in common: members of JSON, a figure. Inside the answers only.
#pragma once

#include "delivery/answer.h"

void put_text(struct json_writer *w, const char *key, struct str v);
void put_u64(struct json_writer *w, const char *key, uint64_t v);
void put_f64(struct json_writer *w, const char *key, double v);
void put_bool(struct json_writer *w, const char *key, bool v);
void put_time(struct json_writer *w, const char *key, int64_t t);
void put_id(struct json_writer *w, const char *key, uint64_t id);
void put_lines(struct json_writer *w, const char *key, struct str lines); // an array; nothing of none
// The rank of a rule of failure by its name.
void put_rank(struct json_writer *w, struct str rule);
void put_figure(struct json_writer *w, const char *key, const struct figure_id *f); // its id
void put_scope(struct json_writer *w, const struct scope *s);
// from, to, partial: it is not over yet; of a calendar's window which and where.
void put_window(struct json_writer *w, const struct figure_id *f, int64_t now);

struct measure_target {
    double value;     // as measure_info.target
    struct str whose; // "team web"; empty: of Takt
};
// What the service, else the team, has set for itself; else the measure's own target.
NODISCARD enum err answer_target(struct db *db, struct arena *a, const struct scope *s, enum measure m,
                                 struct measure_target *out);
struct figure_id answer_figure(const struct answer_ask *ask, enum measure m, int64_t as_of);
// A figure with its id, value, target and level, as members of an open object. year 0: no level.
void put_result(struct json_writer *w, const struct figure_id *f, const struct measure_result *r,
                const struct measure_target *target, unsigned year);
// The rows behind a figure that is computed as another tool does it, and the figure; see answer_why.
NODISCARD enum err answer_compat_why(struct db *db, struct arena *a, const struct figure_id *f,
                                     uint64_t limit, struct json_writer *w);
// All measures of the scope and window, from one reading; the number of series that were read.
NODISCARD enum err answer_results(struct db *db, struct arena *a, const struct answer_ask *ask,
                                  struct measure_result out[static MEASURE_COUNT], uint32_t *out_series);
// The error of a reading, with a text.
NODISCARD enum err failed_read(struct db *db, enum err e, struct err_ctx *ctx);
// Runs what answers, with a settled reader and memory of its own; its error comes with a text.
typedef enum err answer_run(struct db *db, struct arena *a, const void *ask, struct json_writer *w);
NODISCARD enum err answer_read(struct delivery *d, answer_run *run, const void *ask, struct json_writer *w,
                               struct err_ctx *ctx);
// The same of a rollout (answer_rows.h), in at most so much memory; `run` gets a struct rollout_ask.
struct rollout_ask {
    struct str name;
    struct err_ctx *ctx;
};
NODISCARD enum err answer_of_rollout(struct delivery *d, uint64_t memory, answer_run *run, struct str name,
                                     struct json_writer *w, struct err_ctx *ctx);
