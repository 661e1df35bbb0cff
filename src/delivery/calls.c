// SPDX-License-Identifier: Apache-2.0
#include "delivery/calls.h"

#include "base/json.h"
#include "intake/stamp.h"

#define BODY_MAX (4ull << 20)
enum { CALLS_AT_ONCE = 1000 }; // in one request

// --- which of them are new ---------------------------------------------------------------------------------

static bool can_be_told(const struct neighbours_seen *s) {
    enum { MONTH_AND_LENGTH = 16 }; // of the key
    return s->caller.len && s->caller.len + s->callee.len + MONTH_AND_LENGTH <= FACT_KEY_MAX &&
           str_is_utf8(s->caller) && str_is_utf8(s->callee) && str_find(s->caller, '\0') < 0 &&
           str_find(s->callee, '\0') < 0;
}

static enum err is_known(struct db *db, const struct neighbours_seen *s, bool *out) {
    struct db_row *r;
    // By the names of the traces, which the catalogue may have others for.
    TRY(db_prepare(db,
                   "SELECT 1 FROM call WHERE key = strftime('%Y-%m', ?2 / 1000000000, 'unixepoch') || ':' || "
                   "length(CAST(?1 AS BLOB)) || ':' || ?1 || ':' || ?3",
                   &r));
    db_bind_text(r, 1, s->caller);
    db_bind_i64(r, 2, stamp_month(s->first));
    db_bind_text(r, 3, s->callee);
    TRY(db_step(r, out));
    if (*out) db_reset(r);
    return ERR_OK;
}

// How many more calls a month may have.
static enum err count_room(struct db *db, int64_t month, int64_t *out) {
    struct db_row *r;
    bool row;
    TRY(db_prepare(db, "SELECT ?2 - count(*) FROM call WHERE month_at = ?1", &r));
    db_bind_i64(r, 1, month);
    db_bind_i64(r, 2, NEIGHBOURS_CALLS_MAX);
    TRY(db_step(r, &row));
    *out = row ? db_i64(r, 0) : 0;
    if (row) db_reset(r);
    return ERR_OK;
}

enum err calls_find(struct db *db, struct arena *a, const struct neighbours *seen, struct calls *out) {
    struct calls found = { .items = ARENA_ARRAY(a, seen->n + 1ull, struct neighbours_seen) };
    int64_t counted = INT64_MIN, room = 0;
    if (!found.items) return ERR_NOMEM;
    for (uint32_t i = 0; i < seen->n; i++) {
        const struct neighbours_seen *s = &seen->items[i];
        bool known = true;
        if (can_be_told(s)) TRY(is_known(db, s, &known));
        if (known) continue;
        int64_t month = stamp_month(s->first);
        if (month != counted) TRY(count_room(db, month, &room));
        counted = month;
        if (room-- > 0) found.items[found.n++] = *s;
    }
    *out = found;
    return ERR_OK;
}

// --- telling -----------------------------------------------------------------------------------------------

static void put_call(struct json_writer *w, const struct neighbours_seen *s) {
    jw_object(w);
    jw_key(w, STR("caller"));
    jw_str(w, s->caller);
    jw_key(w, STR("callee"));
    jw_str(w, s->callee);
    jw_key(w, STR("first"));
    jw_i64_str(w, s->first);
    jw_object_end(w);
}

static enum err tell_some(struct delivery *d, struct arena *a, const struct neighbours_seen *calls,
                          uint32_t n, int64_t now) {
    struct buf body;
    buf_init(&body, BODY_MAX);
    struct json_writer w = json_writer_on(&body);
    jw_array(&w);
    for (uint32_t i = 0; i < n; i++) put_call(&w, &calls[i]);
    jw_array_end(&w);
    enum err e = delivery_tell(d, a, STR("takt/call"), &body, now);
    buf_fini(&body);
    return e;
}

enum err calls_tell(struct delivery *d, struct arena *a, const struct calls *calls, int64_t now) {
    for (uint32_t from = 0, n; from < calls->n; from += n) {
        n = calls->n - from < CALLS_AT_ONCE ? calls->n - from : CALLS_AT_ONCE;
        TRY(tell_some(d, a, calls->items + from, n, now));
    }
    return ERR_OK;
}
