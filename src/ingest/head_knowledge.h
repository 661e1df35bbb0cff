// SPDX-License-Identifier: Apache-2.0
// Inside `ingest` only: what a head knows of itself for queries (head_index.h).
#pragma once

#include <pthread.h>

#include "block/ulid.h"

struct head;
struct head_index;

struct head_knowledge {
    pthread_mutex_t lock; // of all below
    struct head_index *index;
    uint64_t *shared; // bit per trace of the table
    uint32_t cap;     // bits
    struct head_checked {
        char block[ULID_LEN + 1]; // "" = a head
        const struct head *head;
        uint32_t upto; // traces below it are known
    } * checked;
    uint32_t n_checked, cap_checked;
};
void head_knowledge_init(struct head_knowledge *k);
void head_knowledge_fini(struct head_knowledge *k);
