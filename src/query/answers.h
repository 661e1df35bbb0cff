// SPDX-License-Identifier: Apache-2.0
// Inside `query`, and for who tells of it: what row groups of blocks answered, kept for the next time that
// the same is asked. A block never changes, so an answer holds as long as its key names everything it was
// made of. Past the limit the one that was not used for the longest time goes, and with the next question
// those of blocks that are no more, as far as they are among the least used. The bytes of keys and answers
// mean something only to who kept them. thread: any.
#pragma once

#include "base/str.h"

struct view;

enum {
    ANSWERS_BLOCK_MAX = 32, // bytes of the name of a block, with its end
    ANSWERS_SHARE = 8,      // one answer takes at most this part of the limit
    ANSWERS_KEY_MAX = 1 << 16,
};

// All of it takes at most so many bytes together; 0, as at first: nothing is kept. What is there goes.
void answers_limit(uint64_t bytes);
bool answers_are_kept(void);
uint64_t answers_size_max(void); // of one

// Begins a key: of a question to a row group. What else the answer depends on comes behind it.
void answers_key(struct buf *out, const char *block, uint32_t group, struct str question);
struct kept_answer;
// NULL: it is not there. Else it stays until answers_release.
const struct kept_answer *answers_find(struct str key);
struct str answers_bytes(const struct kept_answer *a);
void answers_release(const struct kept_answer *a);
// Copies both, or does nothing: where there is no memory, or it is too large, or there.
void answers_keep(const char *block, struct str key, struct str bytes);
// Drops those of blocks that the view does not have, of the few thousand that were not used for the longest
// time: others wait, and no question waits for long.
void answers_sweep(const struct view *v);

struct answers_stats {
    uint64_t bytes, limit, n;         // that are there
    uint64_t hits, misses, evictions; // so far; dropped with their blocks: no eviction
};
void answers_stats(struct answers_stats *out);
