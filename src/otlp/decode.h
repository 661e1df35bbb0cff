// SPDX-License-Identifier: Apache-2.0
// From the wire straight into columns: an ExportTraceServiceRequest that otlp_check accepted is
// appended to a span table, without an object per span. thread: the table's writer.
#pragma once

#include "span/table.h"

// Keeps what one request teaches for the next ones (scratch memory, known resources) of one table.
struct otlp_decoder;
NODISCARD enum err otlp_decoder_new(struct span_table *t, struct otlp_decoder **out);
void otlp_decoder_free(struct otlp_decoder *d);

// refused: ascending ordinals of the spans to leave out. Does not publish. *out_added counts the
// rows. ERR_NOMEM, ERR_LIMIT (the table is full: cut it), ERR_INVALID (never checked).
NODISCARD enum err otlp_decode(struct otlp_decoder *d, struct str body, const uint32_t *refused,
                               uint32_t n_refused, uint32_t *out_added);
