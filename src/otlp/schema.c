// SPDX-License-Identifier: Apache-2.0
#include "otlp/schema.h"

#define LIT OTLP_TEXT
#define FIELD OTLP_FIELD
#define MESSAGE OTLP_MESSAGE
#define ENUM OTLP_ENUM

ENUM(otlp_span_kinds, LIT("SPAN_KIND_UNSPECIFIED"), LIT("SPAN_KIND_INTERNAL"), LIT("SPAN_KIND_SERVER"),
     LIT("SPAN_KIND_CLIENT"), LIT("SPAN_KIND_PRODUCER"), LIT("SPAN_KIND_CONSUMER"));
ENUM(otlp_status_codes, LIT("STATUS_CODE_UNSET"), LIT("STATUS_CODE_OK"), LIT("STATUS_CODE_ERROR"));

MESSAGE(otlp_array_value, "ArrayValue",
        { FIELD(1, MESSAGE, "values", "values"), .repeated = true, .message = &otlp_any_value });
MESSAGE(otlp_key_value_list, "KeyValueList",
        { FIELD(1, MESSAGE, "values", "values"), .repeated = true, .message = &otlp_key_value });
MESSAGE(otlp_any_value, "AnyValue", { FIELD(1, STRING, "stringValue", "string_value"), .oneof = true },
        { FIELD(2, BOOL, "boolValue", "bool_value"), .oneof = true },
        { FIELD(3, INT64, "intValue", "int_value"), .oneof = true },
        { FIELD(4, DOUBLE, "doubleValue", "double_value"), .oneof = true },
        { FIELD(5, MESSAGE, "arrayValue", "array_value"), .oneof = true, .message = &otlp_array_value },
        { FIELD(6, MESSAGE, "kvlistValue", "kvlist_value"), .oneof = true, .message = &otlp_key_value_list },
        { FIELD(7, BYTES, "bytesValue", "bytes_value"), .oneof = true });
MESSAGE(otlp_key_value, "KeyValue", { FIELD(1, STRING, "key", "key") },
        { FIELD(2, MESSAGE, "value", "value"), .message = &otlp_any_value });

#define ATTRIBUTES(num) \
    { FIELD(num, MESSAGE, "attributes", "attributes"), .repeated = true, .message = &otlp_key_value }
#define DROPPED_ATTRIBUTES(num) \
    { FIELD(num, UINT32, "droppedAttributesCount", "dropped_attributes_count") }
#define SCHEMA_URL(num) \
    { FIELD(num, STRING, "schemaUrl", "schema_url") }

MESSAGE(otlp_entity_ref, "EntityRef", SCHEMA_URL(1), { FIELD(2, STRING, "type", "type") },
        { FIELD(3, STRING, "idKeys", "id_keys"), .repeated = true },
        { FIELD(4, STRING, "descriptionKeys", "description_keys"), .repeated = true });
MESSAGE(otlp_resource, "Resource", ATTRIBUTES(1), DROPPED_ATTRIBUTES(2),
        { FIELD(3, MESSAGE, "entityRefs", "entity_refs"), .repeated = true, .message = &otlp_entity_ref });
MESSAGE(otlp_scope, "InstrumentationScope", { FIELD(1, STRING, "name", "name") },
        { FIELD(2, STRING, "version", "version") }, ATTRIBUTES(3), DROPPED_ATTRIBUTES(4));
MESSAGE(otlp_span_status, "Status", { FIELD(2, STRING, "message", "message") },
        { FIELD(3, ENUM, "code", "code"), .values = &otlp_status_codes });
MESSAGE(otlp_event, "Event", { FIELD(1, FIXED64, "timeUnixNano", "time_unix_nano") },
        { FIELD(2, STRING, "name", "name") }, ATTRIBUTES(3), DROPPED_ATTRIBUTES(4));
MESSAGE(otlp_link, "Link", { FIELD(1, ID, "traceId", "trace_id") }, { FIELD(2, ID, "spanId", "span_id") },
        { FIELD(3, STRING, "traceState", "trace_state") }, ATTRIBUTES(4), DROPPED_ATTRIBUTES(5),
        { FIELD(6, FIXED32, "flags", "flags") });
MESSAGE(otlp_span, "Span", { FIELD(1, ID, "traceId", "trace_id") }, { FIELD(2, ID, "spanId", "span_id") },
        { FIELD(3, STRING, "traceState", "trace_state") }, { FIELD(4, ID, "parentSpanId", "parent_span_id") },
        { FIELD(16, FIXED32, "flags", "flags") }, { FIELD(5, STRING, "name", "name") },
        { FIELD(6, ENUM, "kind", "kind"), .values = &otlp_span_kinds },
        { FIELD(7, FIXED64, "startTimeUnixNano", "start_time_unix_nano") },
        { FIELD(8, FIXED64, "endTimeUnixNano", "end_time_unix_nano") }, ATTRIBUTES(9), DROPPED_ATTRIBUTES(10),
        { FIELD(11, MESSAGE, "events", "events"), .repeated = true, .message = &otlp_event },
        { FIELD(12, UINT32, "droppedEventsCount", "dropped_events_count") },
        { FIELD(13, MESSAGE, "links", "links"), .repeated = true, .message = &otlp_link },
        { FIELD(14, UINT32, "droppedLinksCount", "dropped_links_count") },
        { FIELD(15, MESSAGE, "status", "status"), .message = &otlp_span_status });
MESSAGE(otlp_scope_spans, "ScopeSpans", { FIELD(1, MESSAGE, "scope", "scope"), .message = &otlp_scope },
        { FIELD(2, MESSAGE, "spans", "spans"), .repeated = true, .message = &otlp_span }, SCHEMA_URL(3));
MESSAGE(otlp_resource_spans, "ResourceSpans",
        { FIELD(1, MESSAGE, "resource", "resource"), .message = &otlp_resource },
        { FIELD(2, MESSAGE, "scopeSpans", "scope_spans"), .repeated = true, .message = &otlp_scope_spans },
        SCHEMA_URL(3));

#define RESOURCE_SPANS(json, proto) \
    { FIELD(1, MESSAGE, json, proto), .repeated = true, .message = &otlp_resource_spans }
MESSAGE(otlp_traces_data, "TracesData", RESOURCE_SPANS("resourceSpans", "resource_spans"));
MESSAGE(otlp_batches, "Trace", RESOURCE_SPANS("batches", "batches"));
MESSAGE(otlp_export_request, "ExportTraceServiceRequest", RESOURCE_SPANS("resourceSpans", "resource_spans"));

MESSAGE(otlp_partial_success, "ExportTracePartialSuccess",
        { FIELD(1, INT64, "rejectedSpans", "rejected_spans") },
        { FIELD(2, STRING, "errorMessage", "error_message") });
MESSAGE(otlp_export_response, "ExportTraceServiceResponse",
        { FIELD(1, MESSAGE, "partialSuccess", "partial_success"), .message = &otlp_partial_success });
MESSAGE(otlp_rpc_status, "Status", { FIELD(1, INT32, "code", "code") },
        { FIELD(2, STRING, "message", "message") });

const struct otlp_field *otlp_field_by_number(const struct otlp_message *m, uint32_t number) {
    for (uint32_t i = 0; i < m->n_fields; i++)
        if (m->fields[i].number == number) return &m->fields[i];
    return NULL;
}
