// SPDX-License-Identifier: Apache-2.0
// Checksums of what steers reading and is no page: the footer, and the bloom filter and page index of
// each chunk. They stand in the footer as a text under a key of its own, so other readers pass them over:
// 8 hexadecimal digits of the footer itself, in which these 8 count as '0'; then, by row group and
// column, 8 each of the bloom filter, the ColumnIndex and the OffsetIndex, of those that are there.
// All are CRC-32 as pages have it (page.h).
#pragma once

#include "parquet/format.h"

#define SUMS_KEY "takt.crc"

// Appends the text for the chunks of a file: one call for the beginning, one for each chunk in order.
void sums_begin(struct buf *out);
void sums_add(struct buf *out, const struct pq_chunk_sums *s, bool bloom, bool bounds, bool places);
// Puts the checksum of a finished footer into its text, which begins at `at`.
void sums_seal(char *footer, size_t len, size_t at);

// Does the footer agree with the text in it? `text` is a slice of it.
bool sums_fit_footer(struct str footer, struct str text);
// Gives the chunks of n row groups theirs. false: the text has another length, or other digits.
bool sums_read(struct str text, struct pq_row_group *groups, size_t n_groups, size_t n_columns);
// Are these the bytes that the checksum was made of? true where the file has none.
bool sums_hold(const struct pq_reader *r, struct str bytes, uint32_t sum);
