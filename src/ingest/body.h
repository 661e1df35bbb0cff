// SPDX-License-Identifier: Apache-2.0
// A request body in its wrappings: packed (gzip, zstd, lz4) and as protobuf or JSON. thread: any.
#pragma once

#include "base/str.h"

enum body_packing { BODY_RAW, BODY_GZIP, BODY_ZSTD, BODY_LZ4, BODY_PACKING_COUNT };
enum body_format { BODY_PROTOBUF, BODY_JSON, BODY_FORMAT_COUNT };

// Unpacks a body to exactly what it holds, at most max bytes: ERR_LIMIT past that (a bomb ends
// there), ERR_INVALID when it is damaged, with text. out is appended to.
NODISCARD enum err body_unpack(enum body_packing packing, struct str body, size_t max, struct buf *out,
                               struct err_ctx *ctx);
// What a body claims to unpack to, or a guess where it claims nothing: for reserving memory. At
// most max; it may be wrong.
size_t body_unpacked_guess(enum body_packing packing, struct str body, size_t max);
// lz4 of a body; ERR_LIMIT when it does not get smaller.
NODISCARD enum err body_pack_lz4(struct str body, struct buf *out);
// The protobuf of an unpacked body: itself, or what its JSON says.
NODISCARD enum err body_to_protobuf(enum body_format format, struct str body, struct buf *scratch,
                                    struct str *out, struct err_ctx *ctx);
