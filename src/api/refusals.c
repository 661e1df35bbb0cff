// SPDX-License-Identifier: Apache-2.0
#include "api/refusals.h"

#include <stdio.h>

void refusals_init(struct refusals *r) {
    memset(r, 0, sizeof *r);
    mutex_init(&r->lock);
}

void refusals_fini(struct refusals *r) {
    mutex_fini(&r->lock);
}

static bool same(const struct refusal *a, const struct refusal *b) {
    return a->kind == b->kind && strcmp(a->reason, b->reason) == 0 && strcmp(a->text, b->text) == 0;
}

void refusals_note(struct refusals *r, uint64_t now_ns, int kind, const char *reason, struct str text,
                   struct str peer) {
    struct refusal f = { .time_ns = now_ns, .count = 1, .kind = kind };
    (void)snprintf(f.reason, sizeof f.reason, "%s", reason);
    (void)snprintf(f.text, sizeof f.text, "%.*s",
                   (int)(text.len < REFUSAL_TEXT_MAX ? text.len : REFUSAL_TEXT_MAX - 1), text.ptr);
    (void)snprintf(f.peer, sizeof f.peer, "%.*s",
                   (int)(peer.len < sizeof f.peer ? peer.len : sizeof f.peer - 1), peer.ptr ? peer.ptr : "");
    mutex_lock(&r->lock);
    struct refusal *last = r->n ? &r->ring[(r->next + REFUSALS_MAX - 1) % REFUSALS_MAX] : NULL;
    if (last && same(last, &f)) {
        last->count++;
        last->time_ns = now_ns;
    } else {
        r->ring[r->next] = f;
        r->next = (r->next + 1) % REFUSALS_MAX;
        if (r->n < REFUSALS_MAX) r->n++;
    }
    mutex_unlock(&r->lock);
}

uint32_t refusals_list(struct refusals *r, struct refusal *out) {
    mutex_lock(&r->lock);
    uint32_t n = r->n;
    for (uint32_t i = 0; i < n; i++) out[i] = r->ring[(r->next + REFUSALS_MAX - 1 - i) % REFUSALS_MAX];
    mutex_unlock(&r->lock);
    return n;
}
