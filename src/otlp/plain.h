// SPDX-License-Identifier: Apache-2.0
// Test-only: nothing that ships may include this.
//
// A second decoder of ExportTraceServiceRequest, plain and slow, to hold the real one against: the
// protobuf as a tree of structs, and each span as one line of canonical text, so that two ways of
// getting at spans can be compared as sets of lines. It follows protobuf's rules to the letter:
// unknown fields and fields of a wrong wire type are ignored, of a scalar that comes twice the last
// counts, messages that come twice are merged, of a oneof the last member stays. thread: any.
#pragma once

#include "base/str.h"

enum { PLAIN_DEPTH_MAX = 128 }; // of arrays and key-value lists inside each other

enum plain_kind {
    PLAIN_EMPTY, // an AnyValue without a member
    PLAIN_STRING,
    PLAIN_BOOL,
    PLAIN_INT,
    PLAIN_DOUBLE,
    PLAIN_ARRAY,
    PLAIN_KVLIST,
    PLAIN_BYTES
};

struct plain_value {
    struct plain_value *next; // in an array
    enum plain_kind kind;
    struct str text; // STRING, BYTES
    int64_t integer; // INT, BOOL
    double real;
    struct plain_value *values, *last_value; // ARRAY
    struct plain_pair *pairs, *last_pair;    // KVLIST
};

struct plain_pair {
    struct plain_pair *next;
    struct str key;
    struct plain_value *value; // NULL: none came
};

struct plain_attrs {
    struct plain_pair *first, *last;
    uint32_t dropped;
};

struct plain_string {
    struct plain_string *next;
    struct str text;
};

struct plain_entity {
    struct plain_entity *next;
    struct str schema_url, type;
    struct plain_string *id_keys, *last_id_key, *description_keys, *last_description_key;
};

struct plain_event {
    struct plain_event *next;
    uint64_t time_ns;
    struct str name;
    struct plain_attrs attrs;
};

struct plain_link {
    struct plain_link *next;
    struct str trace_id, span_id, trace_state;
    struct plain_attrs attrs;
    uint32_t flags;
};

struct plain_span {
    struct plain_span *next;
    struct str trace_id, span_id, trace_state, parent_span_id, name;
    uint32_t flags;
    int32_t kind;
    uint64_t start_ns, end_ns;
    struct plain_attrs attrs;
    struct plain_event *events, *last_event;
    uint32_t dropped_events;
    struct plain_link *links, *last_link;
    uint32_t dropped_links;
    struct str status_message;
    int32_t status_code;
};

// Whether a resource, a scope or a status is there but empty, or not there, is not kept.
struct plain_scope_spans {
    struct plain_scope_spans *next;
    struct str name, version, schema_url;
    struct plain_attrs attrs;
    struct plain_span *spans, *last_span;
};

struct plain_resource_spans {
    struct plain_resource_spans *next;
    struct plain_attrs attrs;
    struct plain_entity *entities, *last_entity;
    struct str schema_url;
    struct plain_scope_spans *scopes, *last_scope;
};

struct plain_request {
    struct plain_resource_spans *resources, *last_resource;
    uint32_t n_spans;
};

// Strings of the tree point into pb, all else lies in the arena. ERR_INVALID (damaged), ERR_LIMIT
// (nested too deeply), ERR_NOMEM.
NODISCARD enum err plain_decode(struct str pb, struct arena *a, struct plain_request *out);

// One line with everything that belongs to a span: the attributes of span, scope, resource, events
// and links sorted by key, then value; lists, events and links in their order. Bytes that are not
// printable ASCII as \xNN. Of a NaN only that it is one.
NODISCARD enum err plain_span_text(const struct plain_resource_spans *r, const struct plain_scope_spans *s,
                                   const struct plain_span *span, struct arena *a, struct buf *out);
// The lines of all spans of a request, sorted.
NODISCARD enum err plain_canonical(const struct plain_request *r, struct arena *a, struct buf *out);
// Sorts the lines of a text (to join those of several requests); unique: equal ones only once.
NODISCARD enum err plain_sort(struct str lines, bool unique, struct arena *a, struct buf *out);
