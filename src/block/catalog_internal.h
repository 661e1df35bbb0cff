// SPDX-License-Identifier: Apache-2.0
// Inside the catalog only: its names, its bytes, and which blocks go into which list.
#pragma once

#include "block/catalog.h"

enum { CATALOG_BYTES_MAX = 16 << 20 }; // of a snapshot
// Where the time of a snapshot stands, so that its age can be told from its first bytes.
enum { CATALOG_TIME_AT = 28, CATALOG_HEAD = 36 };

enum { CATALOG_KEY_MAX = 256 };
void catalog_prefix(char out[CATALOG_KEY_MAX], struct str tenant);
void catalog_key(char out[CATALOG_KEY_MAX], struct str tenant, uint64_t number);
bool catalog_number_of(struct str key, uint64_t *out);
void list_key(char out[CATALOG_KEY_MAX], struct str tenant, uint64_t number, uint64_t nonce);

// Chooses the lists of `next`, in a. Those to be written have its number, and neither nonce nor crc.
// ERR_LIMIT: more blocks than a catalog can name.
NODISCARD enum err catalog_plan_lists(const struct catalog *base, struct catalog *next, struct arena *a);

// A list that is named by `l`, but for its crc; `blocks` are l->n_blocks.
void list_encode(const struct catalog_list *l, const struct block_meta *blocks, struct buf *out);
// Fills l->n_blocks blocks. ERR_CORRUPT when the bytes are not those that l names.
NODISCARD enum err list_decode(struct str bytes, const struct catalog_list *l, struct block_meta *blocks);

uint32_t list_crc(struct str bytes);

// Does a snapshot that begins with these bytes name lists?
bool catalog_names_lists(const char head[CATALOG_HEAD]);
