// SPDX-License-Identifier: Apache-2.0
// Inside `block` only: columns of row groups as questions decoded them, whole, kept for the next ones. Blocks
// never change, so nothing kept is ever wrong; it goes when its block goes, or when room is wanted for
// another that was asked for later. All of it together stays within block_cache_limit.
// thread: any; what a scan was given is pinned until that scan is reset.
#pragma once

#include "block/open.h"
#include "span/batch.h"

// Reads rows [from, to) of a chunk that scan_chunk opened: from the cache, or from the file. What covers
// much of the column is read whole, where it may be kept. *out is read-only.
NODISCARD enum err cache_read(struct block_scan *s, struct pq_chunk *c, uint32_t from, uint32_t to,
                              struct pq_vector *out);
// The whole column, if it is kept, or can be now since `rows` of it are wanted; else NULL. Pinned.
NODISCARD enum err cache_whole(struct block_scan *s, struct pq_chunk *c, uint32_t rows,
                               const struct pq_vector **out);
// Only if it is kept already.
const struct pq_vector *cache_find(struct block_scan *s, const struct pq_chunk *c);
// Is the column kept in a form that a part can show as it is?
bool cache_is_ready(struct block_scan *s, const struct pq_chunk *c);
// Of a column of codes that is kept: the rows with an entry of its dictionary. false: not known, or not worth
// it. Where each entry occurs is noted when it is asked for again and there is room. Pinned.
bool cache_rows_with(struct block_scan *s, const struct pq_chunk *c, uint32_t code, struct batch_rows *out);
// Lets go of what the scan was given.
void cache_release(struct block_scan *s);
// Of a file that is closed: nobody will ask for its columns again.
void cache_drop(struct in_file *f);
