// SPDX-License-Identifier: Apache-2.0
// Pipelines that tell their runs as traces: which spans are a run, a job or a test of one, and the
// event that such a span becomes (source "otlp", read by hook_otlp.c). The names are those of
// OpenTelemetry's conventions for CI/CD and of what emitters really send. No I/O. thread: any.
#pragma once

#include <stdatomic.h>

#include "base/mem.h"
#include "base/str.h"

enum { PIPELINE_ATTRIBUTES_MAX = 256, PIPELINE_VALUE_MAX = 2048 };

// Of an attribute's key, on a span or a resource. A span can only be of a pipeline when it or its
// resource has a key that marks.
enum pipeline_key { PIPELINE_KEY_NONE, PIPELINE_KEY_KEPT, PIPELINE_KEY_MARKS };
enum pipeline_key pipeline_key(struct str key);

struct pipeline_attribute {
    struct str key, value; // numbers as their digits
};
struct pipeline_attributes {
    struct pipeline_attribute items[PIPELINE_ATTRIBUTES_MAX]; // those that are kept; the rest is left out
    unsigned n;
};
struct pipeline_span {
    uint8_t trace_id[16];
    uint64_t span_id, parent_id; // bytes as they are
    uint64_t start_ns, end_ns;
    struct str name;
    bool failed;
    const struct pipeline_attributes *own, *resource;
    const struct pipeline_attributes
        *root; // of the run's span, where the span does not name its run; or NULL
};

enum pipeline_what {
    PIPELINE_NOTHING, // a step, or a span of something else
    PIPELINE_RUN,
    PIPELINE_TASK,
    PIPELINE_TEST,
    PIPELINE_NEEDS_RUN, // a task that does not say of which run: to be told with the root of its trace
};
enum pipeline_what pipeline_what(const struct pipeline_span *s);

// Spans of pipelines that became no event, by reason: each is counted by whoever drops it.
enum untold {
    UNTOLD_CLOSED, // the facts are not open
    UNTOLD_UNREAD, // they do not make an event
    UNTOLD_COSTLY, // the run of their trace would cost too much to find
    UNTOLD_LOST,   // the facts refused the event for good
    UNTOLD_COUNT
};
struct untold_counts {
    _Atomic uint64_t of[UNTOLD_COUNT];
};
const char *untold_label(enum untold why);

void pipeline_add(struct pipeline_attributes *a, struct str key, struct str value);
// Appends the event of a run, a task or a test. The same span gives the same bytes.
void pipeline_write(const struct pipeline_span *s, enum pipeline_what what, struct buf *out);
