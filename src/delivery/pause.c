// SPDX-License-Identifier: Apache-2.0
#include "delivery/pause.h"

#define CLAIMS_MEMORY_MAX (64ull << 20) // of one incident

struct pause {
    int64_t closed; // 0: open
    int64_t ns;
};

static enum err take_claim(void *ctx, int64_t time, const struct fact *said) {
    struct pause *p = ctx;
    struct str state = fact_get(said, INCIDENT_STATE)->s;
    int64_t reopened = fact_get(said, INCIDENT_REOPENED)->i,
            mitigated = fact_get(said, INCIDENT_MITIGATED)->i,
            resolved = fact_get(said, INCIDENT_RESOLVED)->i;
    bool opens = reopened || str_eq(state, STR("triggered")),
         closes = str_eq(state, STR("resolved")) || str_eq(state, STR("mitigated")) ||
                  (!state.len && (mitigated || resolved));
    int64_t opened = reopened ? reopened : time;
    if (opens && p->closed && opened > p->closed) {
        p->ns += opened - p->closed;
        p->closed = 0;
    } else if (closes && !p->closed) {
        p->closed = mitigated ? mitigated : resolved ? resolved : time;
    }
    return ERR_OK;
}

static enum err put_pause(struct db *d, struct str incident, int64_t ns) {
    struct db_row *r;
    TRY(db_prepare(d,
                   ns ? "INSERT OR REPLACE INTO incident_pause VALUES(?1, ?2)"
                      : "DELETE FROM incident_pause WHERE key = ?1 AND ?2 = 0",
                   &r));
    db_bind_text(r, 1, incident);
    db_bind_i64(r, 2, ns);
    return db_done(r);
}

enum err pause_note(struct db *d, struct str incident) {
    struct arena a;
    struct pause p = { 0 };
    arena_init(&a, CLAIMS_MEMORY_MAX, NULL);
    enum err e = fact_history(d, &a, FACT_INCIDENT, incident, take_claim, &p);
    arena_fini(&a);
    return e == ERR_OK ? put_pause(d, incident, p.ns) : e;
}

enum err pause_note_all(struct db *d) {
    struct db_row *r;
    TRY(db_run(d, "DELETE FROM incident_pause"));
    TRY(db_prepare(d, "SELECT key FROM incident", &r));
    for (bool row;;) {
        TRY(db_step(r, &row));
        if (!row) return ERR_OK;
        enum err e = pause_note(d, db_text(r, 0));
        if (e == ERR_OK) continue;
        db_reset(r);
        return e;
    }
}
