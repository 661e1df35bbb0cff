// SPDX-License-Identifier: Apache-2.0
// What the catalog knows of a block without opening it, and the columns of its files
// (docs/formats/block.md).
#pragma once

#include "base/str.h"
#include "block/ulid.h"

struct time_range { // of the starts of spans; min > max = none
    uint64_t min_ns, max_ns;
};
#define TIME_RANGE_NONE ((struct time_range){ UINT64_MAX, 0 })
static inline void time_range_add(struct time_range *r, uint64_t t) {
    if (t < r->min_ns) r->min_ns = t;
    if (t > r->max_ns) r->max_ns = t;
}
static inline void time_range_join(struct time_range *r, struct time_range more) {
    if (more.min_ns < r->min_ns) r->min_ns = more.min_ns;
    if (more.max_ns > r->max_ns) r->max_ns = more.max_ns;
}

enum {
    BLOCK_FORMAT = 2, // as written
    BLOCK_FORMAT_FIRST = 1,
    BLOCK_FORMAT_SUMS = 2, // from here on, every file has checksums of its footer and what that points to
};

struct block_meta {
    char id[ULID_LEN + 1];
    uint8_t level;  // 0 = cut from a head, +1 per merge
    uint8_t format; // BLOCK_FORMAT
    uint64_t n_spans, n_traces, bytes;
    struct time_range main, outliers, received;
};

// Indexes of the fixed columns of spans.parquet, in the file's order.
#define SPAN_COLUMN_TABLE(X) \
    X(TRACE_ID, "trace_id") \
    X(SPAN_ID, "span_id") \
    X(PARENT, "parent") \
    X(PARENT_ID, "parent_id") \
    X(START, "start") \
    X(DURATION, "duration") \
    X(NAME, "name") \
    X(KIND, "kind") \
    X(STATUS, "status") \
    X(STATUS_MESSAGE, "status_message") \
    X(TRACE_STATE, "trace_state") \
    X(FLAGS, "flags") \
    X(RESOURCE, "resource") \
    X(SCOPE, "scope") \
    X(DROPPED_ATTRIBUTES, "dropped_attributes") \
    X(DROPPED_EVENTS, "dropped_events") \
    X(DROPPED_LINKS, "dropped_links") \
    X(REST, "rest")
enum span_column {
#define X(id, name) SC_##id,
    SPAN_COLUMN_TABLE(X)
#undef X
        SC_COUNT
};

#define TRACE_COLUMN_TABLE(X) \
    X(TRACE_ID, "trace_id") \
    X(FIRST_ROW, "first_row") \
    X(ROWS, "rows") \
    X(START, "start") \
    X(DURATION, "duration") \
    X(LAST, "last_start") \
    X(ROOT_SERVICE, "root_service") \
    X(ROOT_NAME, "root_name") \
    X(ERRORS, "errors") \
    X(LONGEST, "longest") \
    X(SERVICES, "services")
enum trace_column {
#define X(id, name) TC_##id,
    TRACE_COLUMN_TABLE(X)
#undef X
        TC_COUNT
};

#define EVENT_COLUMN_TABLE(X) \
    X(ROW, "row") \
    X(OFFSET, "offset") \
    X(NAME, "name") \
    X(DROPPED, "dropped_attributes") \
    X(REST, "rest")
enum event_column {
#define X(id, name) EC_##id,
    EVENT_COLUMN_TABLE(X)
#undef X
        EC_COUNT
};

#define LINK_COLUMN_TABLE(X) \
    X(ROW, "row") \
    X(TRACE_ID, "trace_id") \
    X(SPAN_ID, "span_id") \
    X(TRACE_STATE, "trace_state") \
    X(FLAGS, "flags") \
    X(DROPPED, "dropped_attributes") \
    X(REST, "rest")
enum link_column {
#define X(id, name) LC_##id,
    LINK_COLUMN_TABLE(X)
#undef X
        LC_COUNT
};

// resources.parquet and scopes.parquet: the row number is the reference of the spans.
enum entity_column { NC_OTLP, NC_SCHEMA_URL, NC_NAME, NC_VERSION, NC_COUNT };
