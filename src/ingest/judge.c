// SPDX-License-Identifier: Apache-2.0
#include "ingest/judge.h"

#include "ingest/ingest_internal.h"

enum {
    SUSPECTS_MAX = 1 << 16, // who comes when so many wait is called partial at once
    STEP_MAX = 128,         // a cut never waits for more than these
};

void judge_note(void *ctx, uint32_t trace, bool has_error, bool is_broken) {
    struct judge_notes *n = ctx;
    if (n->held[trace]) return; // counted when its first spans were cut
    n->n_traces++;
    n->n_errors += has_error;
    if (!is_broken) return;
    if (n->n_broken == n->cap) {
        uint32_t cap = n->cap ? n->cap * 2 : 256;
        const uint8_t **more = ARENA_ARRAY(n->arena, cap, const uint8_t *);
        if (!more) return; // one suspect less
        if (n->n_broken) memcpy(more, n->broken, n->n_broken * sizeof *more);
        n->broken = more;
        n->cap = cap;
    }
    n->broken[n->n_broken++] = span_trace_at(n->table, trace)->id;
}

void judge_take(struct ingest *in, const struct judge_notes *notes) {
    struct judge *j = &in->judge;
    uint64_t due = clock_unix_ns(in->opts.clock) + JUDGE_AFTER_NS;
    atomic_fetch_add(&j->traces_total, notes->n_traces);
    atomic_fetch_add(&j->errors_total, notes->n_errors);
    if (!j->ring && notes->n_broken) j->ring = mem_alloc(SUSPECTS_MAX * sizeof *j->ring);
    for (uint32_t i = 0; i < notes->n_broken; i++) {
        if (!j->ring || !in->opts.is_whole || j->n == SUSPECTS_MAX) {
            atomic_fetch_add(&j->partial_total, 1);
            continue;
        }
        struct suspect *s = &j->ring[(j->first + j->n) % SUSPECTS_MAX];
        memcpy(s->id, notes->broken[i], sizeof s->id);
        s->due_ns = due;
        atomic_fetch_add(&j->n, 1);
    }
}

bool judge_step(struct ingest *in) {
    struct judge *j = &in->judge;
    uint64_t now = clock_unix_ns(in->opts.clock);
    if (j->n == 0 || j->ring[j->first].due_ns > now) return false;
    struct view *v = ingest_view(in);
    for (int i = 0; i < STEP_MAX && j->n && j->ring[j->first].due_ns <= now; i++) {
        bool whole;
        enum err e = in->opts.is_whole(v, j->ring[j->first].id, &whole);
        atomic_fetch_add(e != ERR_OK ? &j->unknown_total : whole ? &j->rebuilt_total : &j->partial_total, 1);
        j->first = (j->first + 1) % SUSPECTS_MAX;
        atomic_fetch_sub(&j->n, 1);
    }
    view_unref(v);
    return true;
}

void judge_stats(struct ingest *in, struct ingest_stats *out) {
    const struct judge *j = &in->judge;
    out->suspect_traces = j->n;
    out->cut_traces_total = j->traces_total;
    out->error_traces_total = j->errors_total;
    out->partial_traces_total = j->partial_total;
    out->rebuilt_traces_total = j->rebuilt_total;
    out->unknown_traces_total = j->unknown_total;
}
