// SPDX-License-Identifier: Apache-2.0
// What ingest writes into a record of the log: the request body as received (or packed), which of
// its spans are refused, and how to get the protobuf back. docs/formats/wal.md. thread: any.
#pragma once

#include "ingest/body.h"

enum { RECORD_TRACES = 1 }; // wal_record.kind

struct record {
    enum body_packing packing;
    enum body_format format;
    uint32_t unpacked_len;
    const uint32_t *refused; // ordinals of spans, ascending
    uint32_t n_refused;
    struct str body; // as stored
};

// Appends the head of the payload; the body follows as a piece of its own.
void record_head_write(const struct record *r, struct buf *out);
// refused is copied into the arena (it may lie unaligned). ERR_CORRUPT.
NODISCARD enum err record_read(struct str payload, struct arena *a, struct record *out);
