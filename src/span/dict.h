// SPDX-License-Identifier: Apache-2.0
// A dictionary of strings: equal strings get one id, as long as that pays. A dictionary that finds
// nearly every value new (request ids) stops looking and appends; then equal strings may have
// several ids, which is never wrong: an id names one string, a string may have many ids.
// thread: one writer; readers of ids that were published to them.
#pragma once

#include <stdatomic.h>

#include "base/map.h"
#include "span/segvec.h"

struct dict {
    struct arena *arena;
    struct map map;
    struct segvec strs; // struct str
    _Atomic uint32_t n;
    uint32_t n_lookups; // since the dictionary last judged itself
    uint32_t n_at_judge;
    bool appending; // stopped looking
    bool text_only; // takes UTF-8 only
};

void dict_init(struct dict *d, struct arena *a);
void dict_fini(struct dict *d);
// The id of s, whose bytes are copied when they are new. ERR_NOMEM, ERR_LIMIT; ERR_INVALID: not UTF-8
// where only that is taken (what is there already needs no second look).
NODISCARD enum err dict_put(struct dict *d, struct str s, uint32_t *out_id);
// The same in steps, for the look-ups of a row to wait for memory together: first ask for the slot, then
// for the entry that it names, then for the entry's bytes, then put. The writer only.
struct dict_seek {
    uint64_t hash;
    uint32_t likely; // MAP_NONE: none, or not looked for
};
static inline void dict_seek(const struct dict *d, struct str s, struct dict_seek *out) {
    *out = (struct dict_seek){ d->appending ? 0 : hash_str(s), MAP_NONE };
    if (!d->appending) map_prefetch(&d->map, out->hash);
}
static inline void dict_seek_entry(const struct dict *d, struct dict_seek *s) {
    if (d->appending) return;
    s->likely = map_likely(&d->map, s->hash);
    if (s->likely != MAP_NONE) mem_fetch(&SEG_AT(&d->strs, s->likely, struct str));
}
static inline void dict_seek_bytes(const struct dict *d, const struct dict_seek *s) {
    if (s->likely != MAP_NONE) mem_fetch(SEG_AT(&d->strs, s->likely, struct str).ptr);
}
NODISCARD enum err dict_put_sought(struct dict *d, struct str s, const struct dict_seek *seek,
                                   uint32_t *out_id);
// How many a reader may look at: all ids that were published to it are below.
static inline uint32_t dict_count(const struct dict *d) {
    return atomic_load_explicit(&d->n, memory_order_acquire);
}
static inline struct str dict_get(const struct dict *d, uint32_t id) {
    return SEG_AT(&d->strs, id, struct str);
}
