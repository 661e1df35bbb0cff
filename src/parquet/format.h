// SPDX-License-Identifier: Apache-2.0
// The numbers of the format (apache/parquet-format, parquet.thrift) that more than one file needs.
#pragma once

#include "parquet/parquet.h"

#define PQ_MAGIC "PAR1"
enum { PQ_MAGIC_LEN = 4 };

enum fmt_encoding {
    FMT_PLAIN = 0,
    FMT_PLAIN_DICT = 2, // what old writers call FMT_RLE_DICT
    FMT_RLE = 3,
    FMT_BIT_PACKED = 4,
    FMT_DELTA = 5,
    FMT_DELTA_LENGTH = 6,
    FMT_DELTA_BYTES = 7,
    FMT_RLE_DICT = 8,
    FMT_SPLIT = 9, // BYTE_STREAM_SPLIT
};

enum fmt_codec { FMT_UNCOMPRESSED = 0, FMT_ZSTD = 6 };

enum { PQ_ZSTD_LEVEL = 1 };

// Bytes of a value in PLAIN encoding; 0 for BOOLEAN and BYTE_ARRAY.
static inline uint32_t pq_width(const struct pq_column *c) {
    switch (c->type) {
    case PQ_INT32: return 4;
    case PQ_INT64:
    case PQ_DOUBLE: return 8;
    case PQ_FIXED: return c->fixed_len;
    case PQ_BOOLEAN:
    case PQ_BYTE_ARRAY:
    default: return 0;
    }
}

const char *fmt_encoding_name(uint32_t encoding); // for texts; never NULL
const char *fmt_codec_name(uint32_t codec);
