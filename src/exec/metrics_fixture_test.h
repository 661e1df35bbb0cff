// SPDX-License-Identifier: Apache-2.0
// A batch made of arrays, and metrics queries made by hand, for tests.
#pragma once

#include "base/test.h"
#include "exec/metrics.h"

#define SECOND 1000000000ull

struct fake_span {
    uint32_t trace;
    uint64_t start_ns, duration_ns;
    const char *service, *name;
    struct value size;  // span.size
    struct value route; // span.route
};

// How the same spans may lie in a batch.
struct fake_shape {
    bool shuffled;    // rows in another order than the traces' spans
    bool no_bounds;   // starts are known only by reading them
    uint32_t stretch; // rows of a stretch; 0: one
    bool texts;       // strings without dictionaries
    bool repeats;     // dictionaries that hold every value twice
};

struct fake_batch {
    struct batch batch; // first
    struct arena arena;
    struct fake_shape shape;
    const struct fake_span **rows;
    uint64_t *bits;       // all rows
    uint64_t starts_read; // rows whose start was asked for
    uint32_t number;      // METRIC_BATCH_ONCE unless set
};
// Spans come trace by trace, each trace's by start.
enum err fake_batch_open(struct fake_batch *f, const struct fake_span *spans, uint32_t n,
                         struct fake_shape shape);
void fake_batch_close(struct fake_batch *f);

// Initializers.
#define KEY(x) \
    { x, sizeof(x) - 1 }
#define FIELD_OF_NAME \
    { .scope = FIELD_SPAN, .intrinsic = INTRINSIC_NAME }
#define FIELD_OF_DURATION \
    { .scope = FIELD_SPAN, .intrinsic = INTRINSIC_DURATION }
#define FIELD_OF_SERVICE \
    { .scope = FIELD_RESOURCE, .key = KEY("service.name") }
#define FIELD_OF_SIZE \
    { .scope = FIELD_SPAN, .key = KEY("size") }
#define FIELD_OF_ROUTE \
    { .scope = FIELD_SPAN, .key = KEY("route") }
#define FIELD_OF_ANY_SIZE \
    { .scope = FIELD_UNSCOPED, .key = KEY("size") }

// Adds the batch to the accumulator: every span; selected are those that take at least this long.
enum err fake_add(struct metric_acc *m, const struct metric_plan *p, struct fake_batch *f,
                  uint64_t selected_ns);

// The answer as text, a line for each series: {key=value, …} samples, and exemplars behind.
void answer_print(const struct metric_series *s, uint32_t n, uint32_t steps, struct buf *out);

// All of it: the spans in parts (NULL: one), each its own accumulator, merged in a random order.
struct fake_run {
    const struct metric_range *range;
    const struct fake_span *spans;
    uint32_t n;
    struct fake_shape shape;
    uint64_t selected_ns;
    uint32_t parts; // 0 = 1; whole traces are dealt at random
    bool again;     // batches can be opened again
    bool packed;    // `again`: parts go through bytes, of a wider range on the same grid, too
    uint32_t max_series;
    uint32_t stop_at; // the look of the caller's check that ends it with ERR_CANCELED; 0: none
    uint32_t *looks;  // NULL: nobody counts them
};
void metric_run_text(const struct ql_metric *m, const struct fake_run *r, struct buf *out);
enum err metric_run_try(const struct ql_metric *m, const struct fake_run *r, struct buf *out);
#define CHECK_RUN(m, r, want) metric_run_check((m), (r), (want), __FILE__, __LINE__)
void metric_run_check(const struct ql_metric *m, const struct fake_run *r, const char *want, const char *file,
                      int line);
