// SPDX-License-Identifier: Apache-2.0
// OTLP as JSON ↔ OTLP as protobuf, driven by the tables of otlp/schema.h. Pure functions.
// Sources: the OTLP specification, "JSON Protobuf Encoding"; protobuf.dev, "ProtoJSON Format".
//
// Both directions lose nothing, except: fields that the schema does not know, the payload bits of a
// NaN, and bytes in strings that are not UTF-8 (they become U+FFFD in JSON). A member of AnyValue
// with a zero value stays a value, an empty AnyValue stays apart from none; other fields that are
// zero are the same as absent ones. thread: any.
#pragma once

#include "base/json.h"
#include "otlp/schema.h"

enum otlp_flavour {
    OTLP_FLAVOUR_OTLP,  // ids in hexadecimal, enums as numbers
    OTLP_FLAVOUR_TEMPO, // ids in base64, enums by name (as Go's jsonpb writes for Tempo's API)
};

enum {
    OTLP_JSON_DEPTH_MAX = 160, // of arrays and objects; 32 nested values take fewer than 150
    OTLP_PB_DEPTH_MAX = 128,   // of messages inside each other; whatever came from JSON has fewer
};

// Appends the protobuf of an ExportTraceServiceRequest. Accepts what senders write: lowerCamelCase
// or the names of the .proto file, enums as numbers or names, integers as numbers or strings, bytes
// in any base64; null is absent, also as a member of AnyValue (but not as an element of an array).
// A key that comes twice is written twice, so that protobuf's own rule holds: of scalars the last
// one, messages merged, lists joined. Unknown fields are left out; out_unknown (may be NULL) counts
// them. On an error nothing is appended: ERR_INVALID or ERR_LIMIT with line and column, ERR_NOMEM
// when the buffer cannot take it (a limit of twice the text is always enough).
NODISCARD enum err otlp_json_to_pb(struct str json, struct buf *pb, uint64_t *out_unknown,
                                   struct err_ctx *ctx);
// The same for any message and either flavour.
NODISCARD enum err otlp_message_from_json(const struct otlp_message *m, enum otlp_flavour flavour,
                                          struct str json, struct buf *pb, struct err_ctx *ctx);

// Appends a message as JSON: 64-bit integers as strings, bytes in base64, NaN and the infinities as
// strings, what is zero or empty left out. Fields that are repeated against the schema follow
// protobuf's rules (the last one, or merged). ERR_INVALID when the protobuf is damaged, ERR_LIMIT
// when it is nested too deeply, ERR_NOMEM; what was appended by then stays.
NODISCARD enum err otlp_pb_to_json(const struct otlp_message *m, struct str pb, enum otlp_flavour flavour,
                                   struct buf *json);
// The same as a value on an open writer, for answers that wrap it.
NODISCARD enum err otlp_json_write(const struct otlp_message *m, struct str pb, enum otlp_flavour flavour,
                                   struct json_writer *w);
