// SPDX-License-Identifier: Apache-2.0
// Base64 (RFC 4648). Written with the standard alphabet and padding; read with either alphabet
// (+/ or -_), with or without padding, since senders of protobuf's JSON do all of that.
#pragma once

#include "base/str.h"

static inline size_t base64_size(size_t n) {
    return (n + 2) / 3 * 4;
}
// Writes base64_size(n) characters to out.
void base64_encode(const void *src, size_t n, char *out);
// Appends the bytes that s stands for. ERR_INVALID (and nothing appended) when it is not base64,
// ERR_NOMEM when the buffer cannot take it.
NODISCARD enum err base64_decode(struct str s, struct buf *out);
