// SPDX-License-Identifier: Apache-2.0
// gRPC over HTTP/2 as far as it is not HTTP/2: the prefix of messages, timeouts, and the texts in
// trailers. Source: grpc.io, "gRPC over HTTP2". Takes bytes, returns bytes. thread: any.
#pragma once

#include "base/str.h"

enum { GRPC_PREFIX = 5 };

// application/grpc, also with "+proto" and parameters; not application/grpc-web.
bool grpc_is_content_type(struct str value);
// "100m" and the like, in ns; saturates. false: not well-formed.
NODISCARD bool grpc_timeout(struct str value, uint64_t *out_ns);
void grpc_prefix_encode(bool compressed, uint32_t len, uint8_t out[static GRPC_PREFIX]);
// For grpc-message: bytes outside of printable ASCII, and '%', as %XX.
void grpc_message_encode(struct buf *b, struct str text);
// A google.rpc.Status with code, message and a google.rpc.RetryInfo of that delay.
void grpc_retry_status(struct buf *b, unsigned code, struct str message, uint32_t retry_after_ms);
