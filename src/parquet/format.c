// SPDX-License-Identifier: Apache-2.0
#include "parquet/format.h"

const char *fmt_encoding_name(uint32_t encoding) {
    static const char *const names[] = {
        "PLAIN",          "GROUP_VAR_INT",       "PLAIN_DICTIONARY",        "RLE",
        "BIT_PACKED",     "DELTA_BINARY_PACKED", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY",
        "RLE_DICTIONARY", "BYTE_STREAM_SPLIT",
    };
    return encoding < sizeof names / sizeof *names ? names[encoding] : "an unknown encoding";
}

const char *fmt_codec_name(uint32_t codec) {
    static const char *const names[] = { "UNCOMPRESSED", "SNAPPY", "GZIP", "LZO",
                                         "BROTLI",       "LZ4",    "ZSTD", "LZ4_RAW" };
    return codec < sizeof names / sizeof *names ? names[codec] : "an unknown codec";
}
