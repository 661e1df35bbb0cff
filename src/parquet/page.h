// SPDX-License-Identifier: Apache-2.0
// The header in front of every page.
#pragma once

#include "parquet/format.h"

enum page_kind { PAGE_DATA = 0, PAGE_INDEX = 1, PAGE_DICT = 2, PAGE_DATA_V2 = 3 };

enum { PAGE_HEAD_MAX = 1 << 20 }; // foreign writers put statistics into it

struct page_head {
    enum page_kind kind;
    uint32_t bytes_plain;  // of the body, unpacked; of V2 with the levels
    uint32_t bytes_stored; // of the body in the file
    uint32_t n_values;     // with nulls; of a dictionary: its entries
    uint32_t n_nulls;      // V2 only
    uint32_t encoding;     // of the values
    uint32_t levels_bytes; // V2 only: definition levels, in front and never compressed
    bool compressed;       // V2 only: whether the codec was used at all
    bool has_crc;          // mostly: foreign writers may leave it out
    uint32_t crc;          // of the body in the file
    uint32_t head_bytes;   // of this header; set by reading
};

// CRC-32 (of gzip) of a piece of a body, continuing from crc (0 to begin).
uint32_t page_crc(uint32_t crc, const void *p, size_t n);

void page_head_write(struct buf *out, const struct page_head *h);
// The header at the start of data. ERR_CORRUPT where it is damaged, cut or past a limit; a column
// that repeats is ERR_UNSUPPORTED.
NODISCARD enum err page_head_read(struct str data, struct page_head *out);
