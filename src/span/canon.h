// SPDX-License-Identifier: Apache-2.0
// Canonical bytes: two resources, scopes or spans are the same exactly if their canonical bytes
// are. They are OTLP messages with known fields only, in the order of their numbers, attributes
// sorted by key (equal keys keep their order, which is part of what they say).
#pragma once

#include "span/table.h"

// Of a resource or scope: message Entity { bytes message = 1; string schema_url = 2; }.
enum { ENTITY_MESSAGE = 1, ENTITY_SCHEMA_URL = 2 };

// raw: the Resource (or InstrumentationScope) message as received. Appends to out; service gets the
// string value of the attribute service.name (a slice of raw), "" without one or if it is not UTF-8.
NODISCARD enum err canon_resource(struct str raw, struct str schema_url, struct arena *scratch,
                                  struct buf *out, struct str *service);
NODISCARD enum err canon_scope(struct str raw, struct str schema_url, struct arena *scratch, struct buf *out);
// The two parts of canonical entity bytes; "" where absent.
void canon_entity_split(struct str entity, struct str *message, struct str *schema_url);

// Appends the Span message of a row: what goes out by OTLP, and what duplicates are compared by.
NODISCARD enum err canon_span(const struct span_table *t, uint32_t row, struct arena *scratch,
                              struct buf *out);
