// SPDX-License-Identifier: Apache-2.0
#include "delivery/canary.h"

#include "intake/fact.h"

struct reading {
    struct canary_steps *out;
    uint32_t told; // claims that say something of the weight
};

// How a state ends a canary; false: it goes on.
static bool end_of(struct str state, double *weight) {
    bool promoted = str_eq(state, STR("promoted"));
    *weight = promoted ? 100 : 0;
    return promoted || str_eq(state, STR("failed")) || str_eq(state, STR("superseded"));
}

static enum err read_step(void *ctx, int64_t time, const struct fact *said) {
    struct reading *x = ctx;
    const struct fact_value *told = fact_get(said, CANARY_WEIGHT);
    double weight = 0;
    if (!end_of(fact_get(said, CANARY_STATE)->s, &weight)) {
        if (!told->set) return ERR_OK;
        weight = told->f;
    }
    if (x->told++ < CANARY_STEPS_MAX) x->out->items[x->out->n++] = (struct canary_step){ time, weight };
    return ERR_OK;
}

enum err canary_steps_of(struct db *d, struct arena *a, uint64_t rollout, struct canary_steps *out) {
    struct db_row *r;
    bool row;
    struct reading x = { .out = out };
    *out = (struct canary_steps){ .items = ARENA_ARRAY(a, CANARY_STEPS_MAX, struct canary_step) };
    if (!out->items) return ERR_NOMEM;
    TRY(db_prepare(d, "SELECT c.key" CANARIES_OF_ROLLOUT " ORDER BY c.started_at DESC, c.key DESC LIMIT 1",
                   &r));
    db_bind_i64(r, 1, (int64_t)rollout);
    TRY(db_step(r, &row));
    if (!row) return ERR_OK;
    struct str key = str_dup(a, db_text(r, 0));
    db_reset(r);
    TRY(fact_history(d, a, FACT_CANARY, key, read_step, &x));
    if (x.told > CANARY_STEPS_MAX) out->n = 0;
    return a->failed ? ERR_NOMEM : ERR_OK;
}
