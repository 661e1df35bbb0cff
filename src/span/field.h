// SPDX-License-Identifier: Apache-2.0
// What a question reads of a span: an attribute of some scope, or an intrinsic.
#pragma once

#include "base/str.h"
#include "span/value.h"

enum field_scope {
    FIELD_UNSCOPED, // span, then resource, event, link, instrumentation: the first that has the key
    FIELD_SPAN,
    FIELD_RESOURCE,
    FIELD_EVENT,
    FIELD_LINK,
    FIELD_INSTRUMENTATION,
    FIELD_SCOPE_COUNT
};

// id, scoped name, the type of its values, the table that it is read from. NONE: an attribute.
// Unscoped names (`name`, `rootName` …) are spellings of the same intrinsics (traceql).
#define INTRINSIC_TABLE(X) \
    X(NONE, "", VALUE_NIL, FIELD_SPAN) \
    X(DURATION, "span:duration", VALUE_DURATION, FIELD_SPAN) \
    X(NAME, "span:name", VALUE_STRING, FIELD_SPAN) \
    X(STATUS, "span:status", VALUE_STATUS, FIELD_SPAN) \
    X(STATUS_MESSAGE, "span:statusMessage", VALUE_STRING, FIELD_SPAN) \
    X(TRACE_STATE, "span:traceState", VALUE_STRING, FIELD_SPAN) \
    X(KIND, "span:kind", VALUE_KIND, FIELD_SPAN) \
    X(SPAN_ID, "span:id", VALUE_STRING, FIELD_SPAN) \
    X(PARENT_ID, "span:parentID", VALUE_STRING, FIELD_SPAN) \
    X(CHILD_COUNT, "span:childCount", VALUE_INT, FIELD_SPAN) \
    X(TRACE_ID, "trace:id", VALUE_STRING, FIELD_SPAN) \
    X(TRACE_DURATION, "trace:duration", VALUE_DURATION, FIELD_SPAN) \
    X(ROOT_NAME, "trace:rootName", VALUE_STRING, FIELD_SPAN) \
    X(ROOT_SERVICE, "trace:rootService", VALUE_STRING, FIELD_SPAN) \
    X(EVENT_NAME, "event:name", VALUE_STRING, FIELD_EVENT) \
    X(EVENT_TIME, "event:timeSinceStart", VALUE_DURATION, FIELD_EVENT) \
    X(LINK_TRACE_ID, "link:traceID", VALUE_STRING, FIELD_LINK) \
    X(LINK_SPAN_ID, "link:spanID", VALUE_STRING, FIELD_LINK) \
    X(SCOPE_NAME, "instrumentation:name", VALUE_STRING, FIELD_INSTRUMENTATION) \
    X(SCOPE_VERSION, "instrumentation:version", VALUE_STRING, FIELD_INSTRUMENTATION) \
    X(NESTED_LEFT, "nestedSetLeft", VALUE_INT, FIELD_SPAN) \
    X(NESTED_RIGHT, "nestedSetRight", VALUE_INT, FIELD_SPAN) \
    X(NESTED_PARENT, "nestedSetParent", VALUE_INT, FIELD_SPAN) \
    X(PARENT, "parent", VALUE_NIL, FIELD_SPAN) /* bare: is the parent there? */
enum intrinsic {
#define X(id, name, type, scope) INTRINSIC_##id,
    INTRINSIC_TABLE(X)
#undef X
        INTRINSIC_COUNT
};

struct field {
    bool of_parent; // parent.x: the same of the span's parent
    enum field_scope scope;
    enum intrinsic intrinsic; // NONE: attribute `key`
    struct str key;
};

bool field_eq(const struct field *a, const struct field *b);
uint64_t field_hash(const struct field *f);
enum value_type field_type(const struct field *f); // NIL: known only when it is read
struct str intrinsic_name(enum intrinsic i);       // scoped, as in the table
struct str field_scope_name(enum field_scope s);   // "", "span", "resource" …
