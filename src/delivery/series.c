// SPDX-License-Identifier: Apache-2.0
// Times are differences: to the rollout before (in finish order), to its own finish. Half of them
// are then two or three bytes of a varint once the nanoseconds are whole seconds; so the unit is
// chosen per series: seconds where all times are, else nanoseconds.
#include "delivery/series.h"

#include "delivery/packed.h"

const char *commits_state_text(enum commits_state s) {
    static const char *const texts[COMMITS_STATE_COUNT] = { "known", "baseline", "none", "unknown", "cut" };
    return texts[s];
}
const char *failure_rule_text(enum failure_rule r) {
    static const char *const texts[FAILURE_RULE_COUNT] = { "none", "said",   "version", "remedy",
                                                           "flag", "canary", "traces",  "near" };
    return texts[r];
}

static bool all_whole(const struct series *s) {
    for (uint32_t i = 0; i < s->n; i++) {
        const struct figure *f = &s->figures[i];
        if (!packed_is_whole(f->started) || !packed_is_whole(f->first_success) ||
            !packed_is_whole(f->finished) || !packed_is_whole(f->recovered))
            return false;
    }
    for (uint32_t i = 0; i < s->n_commits; i++)
        if (!packed_is_whole(s->commits[i].authored) || !packed_is_whole(s->commits[i].committed))
            return false;
    return true;
}

static void put_figure(struct buf *b, const struct figure *f, int64_t base, int64_t unit) {
    int64_t finished = f->finished / unit, at = finished ? finished : base;
    wr_u64le(b, f->id);
    wr_u8(b, (uint8_t)((unsigned)f->state | (unsigned)f->kind << 2 | (unsigned)f->retried << 5 |
                       (unsigned)f->mixed << 6 | (unsigned)f->reverts << 7));
    wr_u8(b,
          (uint8_t)((unsigned)f->commits_state | (unsigned)f->failure << 3 | (unsigned)f->automation << 6));
    packed_put_time(b, finished, base);
    packed_put_time(b, f->started / unit, at);
    packed_put_time(b, f->first_success / unit, at);
    packed_put_time(b, f->recovered / unit, at);
    if (f->failure) wr_u8(b, f->severity);
    wr_varint(b, f->n_changes);
    wr_varint(b, f->undoes == ROLLOUT_NONE ? 0 : (uint64_t)f->undoes + 1);
    wr_varint(b, f->n_commits);
}

static void put_commits(struct buf *b, const struct series *s, int64_t unit) {
    int64_t base = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        const struct figure *f = &s->figures[i];
        if (f->finished) base = f->finished / unit;
        for (uint32_t k = 0; k < f->n_commits; k++) {
            const struct figure_commit *c = &s->commits[f->first_commit + k];
            int64_t authored = c->authored / unit;
            packed_put_time(b, authored, base);
            packed_put_time(b, c->committed / unit, authored ? authored : base);
            wr_u8(b, c->flags);
        }
    }
}

// The unit, the counts, all figures, then all commits.
void series_pack(const struct series *s, struct buf *out) {
    int64_t unit = all_whole(s) ? PACKED_SECOND : 1, base = 0;
    wr_u8(out, unit == PACKED_SECOND);
    wr_varint(out, s->n);
    wr_varint(out, s->n_commits);
    for (uint32_t i = 0; i < s->n; i++) {
        put_figure(out, &s->figures[i], base, unit);
        if (s->figures[i].finished) base = s->figures[i].finished / unit;
    }
    put_commits(out, s, unit);
}

// *base is that of the next figure.
static bool take_figure(struct reader *r, struct figure *f, int64_t *base, int64_t unit, uint32_t n) {
    f->id = rd_u64le(r);
    unsigned a = rd_u8(r), b = rd_u8(r);
    f->state = (enum rollout_state)(a & 3);
    f->kind = (enum rollout_kind)(a >> 2 & 7);
    f->retried = a >> 5 & 1;
    f->mixed = a >> 6 & 1;
    f->reverts = a >> 7;
    f->commits_state = (enum commits_state)(b & 7);
    f->failure = (enum failure_rule)(b >> 3 & 7);
    f->automation = (enum automation)(b >> 6);
    int64_t finished = packed_take_time(r, *base);
    if (finished) *base = finished;
    f->finished = (int64_t)((uint64_t)finished * (uint64_t)unit);
    f->started = (int64_t)((uint64_t)packed_take_time(r, *base) * (uint64_t)unit);
    f->first_success = (int64_t)((uint64_t)packed_take_time(r, *base) * (uint64_t)unit);
    f->recovered = (int64_t)((uint64_t)packed_take_time(r, *base) * (uint64_t)unit);
    f->severity = f->failure ? rd_u8(r) : 0;
    f->n_changes = (uint32_t)rd_varint(r);
    uint64_t undoes = rd_varint(r);
    f->undoes = undoes ? (uint32_t)(undoes - 1) : ROLLOUT_NONE;
    uint64_t commits = rd_varint(r);
    f->n_commits = (uint32_t)commits;
    return f->kind < ROLLOUT_KIND_COUNT && f->commits_state < COMMITS_STATE_COUNT && commits <= UINT32_MAX &&
           (undoes == 0 || f->undoes < n);
}

static enum err take_commits(struct arena *a, struct reader *r, int64_t unit, struct series *s) {
    struct figure_commit *c = ARENA_ARRAY(a, s->n_commits + 1ull, struct figure_commit);
    int64_t base = 0;
    s->commits = c;
    if (!c) return ERR_NOMEM;
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->figures[i].finished) base = s->figures[i].finished / unit;
        for (uint32_t k = s->figures[i].n_commits; k; k--, c++) {
            int64_t authored = packed_take_time(r, base),
                    committed = packed_take_time(r, authored ? authored : base);
            *c = (struct figure_commit){ (int64_t)((uint64_t)authored * (uint64_t)unit),
                                         (int64_t)((uint64_t)committed * (uint64_t)unit), rd_u8(r) };
        }
    }
    return r->bad || r->pos != r->end ? ERR_CORRUPT : ERR_OK;
}

enum err series_unpack(struct arena *a, struct str packed, bool with_commits, struct series *out) {
    struct reader r = reader_of(packed);
    int64_t unit = rd_u8(&r) ? PACKED_SECOND : 1, base = 0;
    uint64_t n = rd_varint(&r), n_commits = rd_varint(&r), c = 0;
    if (r.bad || n > packed.len || n_commits > packed.len) return ERR_CORRUPT; // each takes more than a byte
    struct figure *figures = ARENA_ARRAY(a, n + 1, struct figure);
    if (!figures) return ERR_NOMEM;
    for (uint64_t i = 0; i < n; i++) {
        struct figure *f = &figures[i];
        if (!take_figure(&r, f, &base, unit, (uint32_t)n) || f->n_commits > n_commits - c) return ERR_CORRUPT;
        f->first_commit = (uint32_t)c;
        c += f->n_commits;
    }
    if (r.bad || c != n_commits) return ERR_CORRUPT;
    out->figures = figures;
    out->n = (uint32_t)n;
    out->n_commits = (uint32_t)n_commits;
    out->commits = NULL;
    return with_commits ? take_commits(a, &r, unit, out) : ERR_OK;
}
