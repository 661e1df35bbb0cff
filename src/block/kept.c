// SPDX-License-Identifier: Apache-2.0
#include "block/kept.h"

#include "block/open.h"

static const struct in_file *file_of(const struct block *b, enum block_file file) {
    switch (file) {
    case FILE_SPANS: return &b->spans;
    case FILE_EVENTS: return &b->events;
    case FILE_LINKS: return &b->links;
    case FILE_RESOURCES: return &b->resources;
    case FILE_SCOPES: return &b->scopes;
    default: ASSERT(false); return NULL;
    }
}

static bool has_twin(const struct str *names, uint32_t n, struct str name) {
    for (uint32_t i = 0; i < n; i++)
        if (str_eq_nocase(names[i], name)) return true;
    return false;
}

enum err kept_columns(struct block *const *blocks, uint32_t n, enum block_file file, struct arena *a,
                      struct column_names *out) {
    struct str *names = ARENA_ARRAY(a, BLOCK_COLUMNS_MAX, struct str);
    uint32_t found = 0;
    if (!names) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) {
        const struct pq_reader *pq = blocks[i] ? file_of(blocks[i], file)->pq : NULL;
        for (size_t c = block_schemas[file].n; pq && c < pq->n_columns && found < BLOCK_COLUMNS_MAX; c++)
            if (!has_twin(names, found, pq->columns[c].name)) names[found++] = pq->columns[c].name;
    }
    *out = (struct column_names){ found, names };
    return ERR_OK;
}
