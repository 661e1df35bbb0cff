// SPDX-License-Identifier: Apache-2.0
#include "delivery/held.h"

#include <stdlib.h>

enum err held_add(struct held_list *h, struct arena *a, int64_t from, int64_t to, uint32_t of) {
    struct held *items = arena_grow(a, h->items, h->n, &h->cap, sizeof *items);
    if (!items) return ERR_NOMEM;
    h->items = items;
    items[h->n++] = (struct held){ .from = from, .to = to, .of = of };
    return ERR_OK;
}

static int by_from(const void *pa, const void *pb) {
    const struct held *a = pa, *b = pb;
    if (a->from != b->from) return a->from < b->from ? -1 : 1;
    return (a->of > b->of) - (a->of < b->of);
}
static int by_number(const void *pa, const void *pb) {
    uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;
    return (a > b) - (a < b);
}

enum err held_ready(struct held_list *h, struct arena *a) {
    if (!h->n) return ERR_OK;
    qsort(h->items, h->n, sizeof *h->items, by_from);
    for (uint32_t i = 0; i < h->n; i++) {
        int64_t before = i ? h->items[i - 1].latest : INT64_MIN;
        h->items[i].latest = h->items[i].to > before ? h->items[i].to : before;
    }
    h->found = ARENA_ARRAY(a, h->n, uint32_t);
    return h->found ? ERR_OK : ERR_NOMEM;
}

// How many begin at the moment or before.
static uint32_t begun_by(const struct held_list *h, int64_t moment) {
    uint32_t low = 0, high = h->n;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (h->items[mid].from <= moment)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

uint32_t held_at(struct held_list *h, int64_t moment, const uint32_t **out) {
    uint32_t n = 0;
    for (uint32_t i = begun_by(h, moment); i-- > 0 && h->items[i].latest >= moment;)
        if (h->items[i].to >= moment) h->found[n++] = h->items[i].of;
    if (n > 1) qsort(h->found, n, sizeof *h->found, by_number);
    *out = h->found;
    return n;
}
