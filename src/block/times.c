// SPDX-License-Identifier: Apache-2.0
// When the traces of a row group start, from the statistics of traces.parquet.
#include "block/open.h"

static bool stat_i64(const struct pq_stats *s, int64_t *min, int64_t *max) {
    if (!s->has_min_max || s->min.len != 8 || s->max.len != 8) return false;
    memcpy(min, s->min.ptr, 8);
    memcpy(max, s->max.ptr, 8);
    return *min <= *max;
}

bool block_group_times(const struct block *b, uint32_t group, struct time_range *starts,
                       uint64_t *last_start_ns) {
    const struct pq_chunk_meta *c = b->traces.pq->groups[group].chunks;
    int64_t min, max, least, most;
    if (!stat_i64(&c[TC_START].stats, &min, &max) || !stat_i64(&c[TC_LAST].stats, &least, &most))
        return false;
    if (min < 0 || most < 0) return false;
    *starts = (struct time_range){ (uint64_t)min, (uint64_t)max };
    *last_start_ns = (uint64_t)max + (uint64_t)most;
    return true;
}
