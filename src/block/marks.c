// SPDX-License-Identifier: Apache-2.0
#include "block/marks.h"

#include "block/open.h"

char mark_letter(struct group_mark m) {
    return m.is_outlier ? (m.is_anew ? 'O' : 'o') : (m.is_anew ? 'M' : 'm');
}

static bool is_within_main(const struct block *b, uint32_t group) {
    const struct pq_stats *s = &b->spans.pq->groups[group].chunks[SC_START].stats;
    uint64_t min, max;
    if (!s->has_min_max || s->min.len != sizeof min || s->max.len != sizeof max) return true;
    memcpy(&min, s->min.ptr, sizeof min);
    memcpy(&max, s->max.ptr, sizeof max);
    return min >= b->meta.main.min_ns && max <= b->meta.main.max_ns;
}

struct group_mark block_group_mark(const struct block *b, uint32_t group) {
    struct str marks;
    char c = '?';
    if (pq_reader_kv(b->spans.pq, STR(MARKS_KEY), &marks) && group < marks.len) c = marks.ptr[group];
    switch (c) {
    case 'm': return (struct group_mark){ false, false };
    case 'o': return (struct group_mark){ true, false };
    case 'M': return (struct group_mark){ false, true };
    case 'O': return (struct group_mark){ true, true };
    default: return (struct group_mark){ !is_within_main(b, group), false };
    }
}
