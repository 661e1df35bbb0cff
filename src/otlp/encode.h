// SPDX-License-Identifier: Apache-2.0
// From rows of a span table to OTLP. thread: any reader of the table.
#pragma once

#include "span/table.h"

// Appends the fields of a TracesData message: ResourceSpans in the order in which their resource
// comes first among the rows, likewise the scopes, spans in the order of the rows.
NODISCARD enum err otlp_encode(const struct span_table *t, const uint32_t *rows, uint32_t n,
                               struct arena *scratch, struct buf *out);
