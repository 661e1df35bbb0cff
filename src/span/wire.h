// SPDX-License-Identifier: Apache-2.0
// The field numbers of OTLP's trace messages, shared by the check and the decoder.
// Source: opentelemetry-proto v1.
#pragma once

#include "base/pb.h"

enum { REQUEST_RESOURCE_SPANS = 1 };
enum { RS_RESOURCE = 1, RS_SCOPE_SPANS = 2, RS_SCHEMA_URL = 3 };
enum { SS_SCOPE = 1, SS_SPANS = 2, SS_SCHEMA_URL = 3 };
enum {
    SPAN_TRACE_ID = 1,
    SPAN_SPAN_ID = 2,
    SPAN_TRACE_STATE = 3,
    SPAN_PARENT_ID = 4,
    SPAN_NAME = 5,
    SPAN_KIND = 6,
    SPAN_START = 7,
    SPAN_END = 8,
    SPAN_ATTRIBUTE = 9,
    SPAN_DROPPED_ATTRIBUTES = 10,
    SPAN_EVENT = 11,
    SPAN_DROPPED_EVENTS = 12,
    SPAN_LINK = 13,
    SPAN_DROPPED_LINKS = 14,
    SPAN_STATUS = 15,
    SPAN_FLAGS = 16,
};
enum { EVENT_TIME = 1, EVENT_NAME = 2, EVENT_ATTRIBUTE = 3, EVENT_DROPPED = 4 };
enum {
    LINK_TRACE_ID = 1,
    LINK_SPAN_ID = 2,
    LINK_TRACE_STATE = 3,
    LINK_ATTRIBUTE = 4,
    LINK_DROPPED = 5,
    LINK_FLAGS = 6,
};
enum { STATUS_MESSAGE = 2, STATUS_CODE = 3 };
enum { KV_KEY = 1, KV_VALUE = 2 };
enum {
    ANY_STRING = 1,
    ANY_BOOL = 2,
    ANY_INT = 3,
    ANY_DOUBLE = 4,
    ANY_ARRAY = 5,
    ANY_KVLIST = 6,
    ANY_BYTES = 7,
};
enum { LIST_VALUES = 1 }; // of ArrayValue and KeyValueList
enum { RESOURCE_ATTRIBUTE = 1, RESOURCE_DROPPED = 2, RESOURCE_ENTITY = 3 };
enum { SCOPE_NAME = 1, SCOPE_VERSION = 2, SCOPE_ATTRIBUTE = 3, SCOPE_DROPPED = 4 };
