// SPDX-License-Identifier: Apache-2.0
#include "block/schema.h"

#define C(name, type, logical, is_optional, fixed_len) \
    { { name, sizeof name - 1 }, type, fixed_len, logical, is_optional }

static const struct pq_column spans[SC_COUNT] = {
    [SC_TRACE_ID] = C("trace_id", PQ_FIXED, PQ_PLAIN_TYPE, false, 16),
    [SC_SPAN_ID] = C("span_id", PQ_FIXED, PQ_PLAIN_TYPE, false, 8),
    [SC_PARENT] = C("parent", PQ_INT32, PQ_PLAIN_TYPE, false, 0),
    [SC_PARENT_ID] = C("parent_id", PQ_FIXED, PQ_PLAIN_TYPE, true, 8),
    [SC_START] = C("start", PQ_INT64, PQ_NAIVE_NS, false, 0),
    [SC_DURATION] = C("duration", PQ_INT64, PQ_PLAIN_TYPE, false, 0),
    [SC_NAME] = C("name", PQ_BYTE_ARRAY, PQ_STRING, false, 0),
    [SC_KIND] = C("kind", PQ_INT32, PQ_PLAIN_TYPE, false, 0),
    [SC_STATUS] = C("status", PQ_INT32, PQ_PLAIN_TYPE, false, 0),
    [SC_STATUS_MESSAGE] = C("status_message", PQ_BYTE_ARRAY, PQ_STRING, true, 0),
    [SC_TRACE_STATE] = C("trace_state", PQ_BYTE_ARRAY, PQ_STRING, true, 0),
    [SC_FLAGS] = C("flags", PQ_INT32, PQ_UNSIGNED, false, 0),
    [SC_RESOURCE] = C("resource", PQ_INT32, PQ_PLAIN_TYPE, false, 0),
    [SC_SCOPE] = C("scope", PQ_INT32, PQ_PLAIN_TYPE, false, 0),
    [SC_DROPPED_ATTRIBUTES] = C("dropped_attributes", PQ_INT32, PQ_UNSIGNED, true, 0),
    [SC_DROPPED_EVENTS] = C("dropped_events", PQ_INT32, PQ_UNSIGNED, true, 0),
    [SC_DROPPED_LINKS] = C("dropped_links", PQ_INT32, PQ_UNSIGNED, true, 0),
    [SC_REST] = C("rest", PQ_BYTE_ARRAY, PQ_PLAIN_TYPE, true, 0),
};
static const struct pq_column traces[TC_COUNT] = {
    [TC_TRACE_ID] = C("trace_id", PQ_FIXED, PQ_PLAIN_TYPE, false, 16),
    [TC_FIRST_ROW] = C("first_row", PQ_INT32, PQ_PLAIN_TYPE, false, 0),
    [TC_ROWS] = C("rows", PQ_INT32, PQ_PLAIN_TYPE, false, 0),
    [TC_START] = C("start", PQ_INT64, PQ_NAIVE_NS, false, 0),
    [TC_DURATION] = C("duration", PQ_INT64, PQ_PLAIN_TYPE, false, 0),
    [TC_LAST] = C("last_start", PQ_INT64, PQ_PLAIN_TYPE, false, 0),
    [TC_ROOT_SERVICE] = C("root_service", PQ_BYTE_ARRAY, PQ_STRING, true, 0),
    [TC_ROOT_NAME] = C("root_name", PQ_BYTE_ARRAY, PQ_STRING, true, 0),
    [TC_ERRORS] = C("errors", PQ_INT32, PQ_PLAIN_TYPE, false, 0),
    [TC_LONGEST] = C("longest", PQ_INT64, PQ_PLAIN_TYPE, false, 0),
    [TC_SERVICES] = C("services", PQ_BYTE_ARRAY, PQ_STRING, false, 0),
};
static const struct pq_column events[EC_COUNT] = {
    [EC_ROW] = C("row", PQ_INT32, PQ_PLAIN_TYPE, false, 0),
    [EC_OFFSET] = C("offset", PQ_INT64, PQ_PLAIN_TYPE, false, 0),
    [EC_NAME] = C("name", PQ_BYTE_ARRAY, PQ_STRING, false, 0),
    [EC_DROPPED] = C("dropped_attributes", PQ_INT32, PQ_UNSIGNED, false, 0),
    [EC_REST] = C("rest", PQ_BYTE_ARRAY, PQ_PLAIN_TYPE, true, 0),
};
static const struct pq_column links[LC_COUNT] = {
    [LC_ROW] = C("row", PQ_INT32, PQ_PLAIN_TYPE, false, 0),
    [LC_TRACE_ID] = C("trace_id", PQ_FIXED, PQ_PLAIN_TYPE, false, 16),
    [LC_SPAN_ID] = C("span_id", PQ_FIXED, PQ_PLAIN_TYPE, false, 8),
    [LC_TRACE_STATE] = C("trace_state", PQ_BYTE_ARRAY, PQ_STRING, false, 0),
    [LC_FLAGS] = C("flags", PQ_INT32, PQ_UNSIGNED, false, 0),
    [LC_DROPPED] = C("dropped_attributes", PQ_INT32, PQ_UNSIGNED, false, 0),
    [LC_REST] = C("rest", PQ_BYTE_ARRAY, PQ_PLAIN_TYPE, true, 0),
};
static const struct pq_column entities[NC_COUNT] = {
    [NC_OTLP] = C("otlp", PQ_BYTE_ARRAY, PQ_PLAIN_TYPE, false, 0),
    [NC_SCHEMA_URL] = C("schema_url", PQ_BYTE_ARRAY, PQ_STRING, true, 0),
    [NC_NAME] = C("name", PQ_BYTE_ARRAY, PQ_STRING, true, 0),
    [NC_VERSION] = C("version", PQ_BYTE_ARRAY, PQ_STRING, true, 0),
};
static const struct pq_column large[] = { C("hash", PQ_FIXED, PQ_PLAIN_TYPE, false, 16),
                                          C("value", PQ_BYTE_ARRAY, PQ_PLAIN_TYPE, false, 0) };
static const struct pq_column split[] = { C("trace_id", PQ_FIXED, PQ_PLAIN_TYPE, false, 16) };

const struct schema block_schemas[FILE_COUNT] = {
    [FILE_SPANS] = { "spans", spans, SC_COUNT },
    [FILE_TRACES] = { "traces", traces, TC_COUNT },
    [FILE_EVENTS] = { "events", events, EC_COUNT },
    [FILE_LINKS] = { "links", links, LC_COUNT },
    [FILE_RESOURCES] = { "resources", entities, NC_COUNT },
    [FILE_SCOPES] = { "scopes", entities, NC_COUNT },
    [FILE_LARGE] = { "large", large, 2 },
    [FILE_SPLIT] = { "split", split, 1 },
};

bool schema_fits(enum block_file f, const struct pq_reader *r) {
    const struct schema *s = &block_schemas[f];
    if (r->n_columns < s->n) return false;
    for (size_t i = 0; i < s->n; i++) {
        const struct pq_column *a = &s->columns[i], *b = &r->columns[i];
        if (!str_eq(a->name, b->name) || a->type != b->type || a->fixed_len != b->fixed_len ||
            a->optional != b->optional)
            return false;
    }
    return true;
}
