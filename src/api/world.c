// SPDX-License-Identifier: Apache-2.0
#include "api/world.h"

#include "api/api_internal.h"
#include "impact/sample.h"
#include "ingest/view.h"
#include "query/tags.h"

#define HOUR_NS (3600 * 1000000000ull)
#define DAY_NS (24 * HOUR_NS)
enum { LEVELS = 256, BLOCK_SPANS_MIN = 1000 }; // of less, what every block has is most

// Blocks by when their spans came: of the last day, or of the week before; one of both is neither.
static void read_blocks(const struct view *v, uint64_t now, struct world *out) {
    struct {
        uint64_t spans, bytes;
    } day[LEVELS] = { 0 }, week[LEVELS] = { 0 };
    uint64_t since = now > 8 * DAY_NS ? now - 8 * DAY_NS : 0, split = now > DAY_NS ? now - DAY_NS : 0;
    for (uint32_t i = 0; i < v->n_blocks; i++) {
        const struct block_meta *m = block_meta(v->blocks[i]);
        bool is_new = m->received.min_ns >= split, is_old = m->received.max_ns < split;
        if (m->n_spans < BLOCK_SPANS_MIN || m->received.max_ns < since || is_new == is_old) continue;
        (is_new ? day : week)[m->level].spans += m->n_spans;
        (is_new ? day : week)[m->level].bytes += m->bytes;
    }
    for (unsigned l = 0; l < LEVELS; l++) {
        if (!day[l].spans || !week[l].spans) continue;
        out->day_spans += day[l].spans;
        out->day_bytes += (double)day[l].bytes;
        out->usual_bytes += (double)day[l].spans * (double)week[l].bytes / (double)week[l].spans;
    }
}

static enum err read_keys(struct ask *k, uint64_t now, struct world *out) {
    struct query_bounds bounds = ask_bounds(k, now - HOUR_NS, now);
    struct tag_names names;
    enum err e = tags_names(k->view, 1u << FIELD_SPAN | 1u << FIELD_RESOURCE, NULL, &bounds,
                            WORLD_KEYS_MOST + 1, &names, &k->ctx);
    if (e != ERR_OK) return e;
    out->knows_keys = !names.partial;
    out->keys = names.scopes[FIELD_SPAN].n + names.scopes[FIELD_RESOURCE].n;
    tag_names_fini(&names);
    return ERR_OK;
}

static enum err read_store(struct ask *k, struct delivery *d, struct world *out) {
    uint64_t now = clock_unix_ns(k->limits->clock);
    struct impact_source src = { k->view, ask_bounds(k, 0, 0) };
    read_blocks(k->view, now, out);
    TRY(read_keys(k, now, out));
    return sample_read(&k->arena, d, &src, (int64_t)now, out, &k->ctx);
}
enum err world_read_store(struct ask *k, struct delivery *d, struct world *out) {
    enum err e = read_store(k, d, out);
    if (e != ERR_OK) *out = (struct world){ 0 };
    out->knows_store = e == ERR_OK;
    return e == ERR_NOMEM ? e : ERR_OK;
}

// --- the server --------------------------------------------------------------------------------------------

// Requests that found no room; the others were wrong.
static uint64_t refused_for_room(const struct receiver_stats *s) {
    return s->refused[REFUSE_MEMORY] + s->refused[REFUSE_DISK] + s->refused[REFUSE_UNAVAILABLE] +
           s->refused[REFUSE_CONNECTIONS];
}

void world_read_server(struct api *a, struct world *out) {
    struct ingest_stats s;
    ingest_stats(a->opts.ingest, &s);
    out->knows_server = true;
    out->partial = (struct finding_share){ s.partial_traces_total, s.cut_traces_total - s.suspect_traces };
    for (unsigned i = 0; i < QUERY_BUCKETS; i++) {
        out->slow.n += a->query_buckets[i];
        if (i > QUERY_BUCKET_SLOW) out->slow.k += a->query_buckets[i];
    }
    for (int i = API_OTLP_GRPC; i <= API_OTLP_HTTP; i++) out->refused.k += refused_for_room(&a->receivers[i]);
    out->refused.n = s.requests_total + out->refused.k;
    out->dropped = s.dropped_spans_total;
    out->disk_full = s.disk_full;
    out->saturation = saturation_of(a, &s);
}
