// SPDX-License-Identifier: Apache-2.0
// What the sources of batches have in common: dictionaries of a few values, values that only some rows
// have, ids as text, sets of keys. All memory is the arena's. thread: one at a time.
#pragma once

#include "base/map.h"
#include "span/attrs.h"
#include "span/batch.h"

enum value_type value_type_of_attr(enum attr_type t);

// The type that all of the values have but for NIL ones; NIL: they differ, or (then *any = false)
// there is none.
enum value_type values_type(const struct value *v, uint32_t n, bool *any);

// The first of n ascending numbers that is >= x; n if none is.
uint32_t rows_find(const uint32_t *rows, uint32_t n, uint32_t x);

// Rows with a value each, ascending: the content of a part that is its own dictionary.
struct few {
    uint32_t *rows;
    struct value *values;
    uint32_t n, cap;
};
NODISCARD enum err few_add(struct few *f, struct arena *a, uint32_t row, struct value v);
// Those of the rows [from, to), as codes into the values.
NODISCARD enum err few_load(const struct few *f, struct arena *a, uint32_t from, uint32_t to,
                            struct vec *out);

// n ids of `size` bytes each as lower-case hex. NULL = no memory.
struct str *hex_texts(struct arena *a, const uint8_t *ids, uint32_t size, uint32_t n);

// Keys, each once, in the order of their coming. The bytes of the keys are borrowed.
struct key_set {
    struct arena *arena;
    struct map map;
    struct str *keys;
    uint32_t n, cap;
    enum err err; // of the adding; sticks
};
void key_set_init(struct key_set *s, struct arena *a);
void key_set_fini(struct key_set *s);
void key_set_add(void *set, struct str key);
