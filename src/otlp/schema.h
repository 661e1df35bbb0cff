// SPDX-License-Identifier: Apache-2.0
// The messages of OTLP traces as tables: fields with their numbers, types and JSON names. The
// conversions between protobuf and JSON, and the generator of test data, are driven by them.
// Source: opentelemetry-proto v1 (collector/trace, trace, common, resource), google/rpc/status.
// Constant data: thread: any.
#pragma once

#include "base/json.h"

enum otlp_type {
    OTLP_TYPE_STRING,
    OTLP_TYPE_BYTES,
    OTLP_TYPE_ID, // bytes on the wire; hexadecimal in OTLP/JSON, base64 in Tempo's
    OTLP_TYPE_BOOL,
    OTLP_TYPE_INT32,
    OTLP_TYPE_INT64,
    OTLP_TYPE_UINT32,
    OTLP_TYPE_UINT64,
    OTLP_TYPE_FIXED32,
    OTLP_TYPE_FIXED64,
    OTLP_TYPE_DOUBLE,
    OTLP_TYPE_ENUM,
    OTLP_TYPE_MESSAGE,
    OTLP_TYPE_COUNT
};

struct otlp_enum {
    const struct str *names; // of the values 0, 1, 2 …
    uint32_t n_names;
};

struct otlp_message;
struct otlp_field {
    uint32_t number;
    enum otlp_type type;
    bool repeated;
    bool map;        // repeated entries of key (a string) 1 and value 2: an object in JSON. Only written
    bool oneof;      // one of the members of the message's only oneof: its zero value is a value
    struct str name; // in JSON
    struct str proto_name;   // in the .proto file
    char key[JSON_NAME_MAX]; // the JSON name as a key: quotes and colon
    const struct otlp_message *message;
    const struct otlp_enum *values;
};

enum { OTLP_FIELDS_MAX = 16 }; // of one message here

struct otlp_message {
    const char *name;
    const struct otlp_field *fields; // in the order of the .proto file
    uint32_t n_fields;
};

// For tables of messages, here and elsewhere.
#define OTLP_TEXT(text) \
    { "" text, sizeof(text) - 1 }
#define OTLP_FIELD(num, kind, json, proto) \
    .number = (num), .type = OTLP_TYPE_##kind, .name = OTLP_TEXT(json), .proto_name = OTLP_TEXT(proto), \
    .key = "\"" json "\":"
#define OTLP_MESSAGE(id, text, ...) OTLP_MESSAGE_AS(, id, text, __VA_ARGS__)
#define OTLP_MESSAGE_AS(storage, id, text, ...) \
    static const struct otlp_field id##_fields[] = { __VA_ARGS__ }; \
    _Static_assert(sizeof id##_fields / sizeof *id##_fields <= OTLP_FIELDS_MAX, "OTLP_FIELDS_MAX"); \
    storage const struct otlp_message id = { text, id##_fields, sizeof id##_fields / sizeof *id##_fields }
#define OTLP_ENUM(id, ...) \
    static const struct str id##_names[] = { __VA_ARGS__ }; \
    const struct otlp_enum id = { id##_names, sizeof id##_names / sizeof *id##_names }

extern const struct otlp_message otlp_export_request; // ExportTraceServiceRequest
extern const struct otlp_message otlp_export_response;
extern const struct otlp_message otlp_partial_success;
extern const struct otlp_message otlp_traces_data;
extern const struct otlp_message otlp_batches; // TracesData whose key is "batches", as Tempo's v1 API has it
extern const struct otlp_message otlp_resource_spans;
extern const struct otlp_message otlp_resource;
extern const struct otlp_message otlp_entity_ref;
extern const struct otlp_message otlp_scope_spans;
extern const struct otlp_message otlp_scope; // InstrumentationScope
extern const struct otlp_message otlp_span;
extern const struct otlp_message otlp_event;
extern const struct otlp_message otlp_link;
extern const struct otlp_message otlp_span_status;
extern const struct otlp_message otlp_key_value;
extern const struct otlp_message otlp_any_value;
extern const struct otlp_message otlp_array_value;
extern const struct otlp_message otlp_key_value_list;
extern const struct otlp_message otlp_rpc_status; // google.rpc.Status without its details

extern const struct otlp_enum otlp_span_kinds;
extern const struct otlp_enum otlp_status_codes;

// The field with that number, or NULL.
const struct otlp_field *otlp_field_by_number(const struct otlp_message *m, uint32_t number);
