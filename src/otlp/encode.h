// SPDX-License-Identifier: Apache-2.0
// From rows of a span table to OTLP. thread: any reader of the table.
#pragma once

#include "otlp/json.h"
#include "span/table.h"

// Called after each span with how many are written; an error ends the encoding. JSON: it may empty the
// buffer. after NULL: nothing.
struct otlp_steps {
    enum err (*after)(void *ctx, uint32_t done);
    void *ctx;
};

// Appends the fields of a TracesData message: ResourceSpans in the order in which their resource
// comes first among the rows, likewise the scopes, spans in the order of the rows. What `scratch` gets
// is a few bytes per row. ERR_NOMEM, errors of the steps.
NODISCARD enum err otlp_encode(const struct span_table *t, const uint32_t *rows, uint32_t n,
                               struct arena *scratch, struct otlp_steps steps, struct buf *out);
// The same as JSON, as a value on an open writer: what otlp_json_write makes of the message `m`
// (otlp_traces_data, otlp_batches) without the protobuf of all. Its errors too.
NODISCARD enum err otlp_encode_json(const struct span_table *t, const uint32_t *rows, uint32_t n,
                                    struct arena *scratch, struct otlp_steps steps,
                                    const struct otlp_message *m, enum otlp_flavour flavour,
                                    struct json_writer *w);
