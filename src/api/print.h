// SPDX-License-Identifier: Apache-2.0
// A trace as text: for the command line, on a server and on a data directory alike. thread: any.
#pragma once

#include "otlp/encode.h"
#include "query/trace.h"

// OTLP/JSON (TracesData, ids in hex).
NODISCARD enum err print_trace_json(struct trace *t, struct otlp_steps steps, struct buf *out);
// A tree, a line per span: indentation, service, name, duration, status.
NODISCARD enum err print_trace_tree(struct trace *t, struct buf *out);
// Up to 32 hexadecimal digits, leading zeros optional.
NODISCARD bool print_parse_trace_id(struct str s, uint8_t out[16]);
