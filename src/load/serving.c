// SPDX-License-Identifier: Apache-2.0
#include "load/serving.h"

enum { POD_MEMORY_MAX = 64 << 10 };
static const double entry_share = .2, first_share = .1, second_share = .5, broken_share = .7;

static enum err open_pod(struct serving *s, uint8_t line, unsigned pod, uint32_t version, struct shop *shop) {
    struct arena *a = &s->lines[line].arenas[pod];
    struct ship_text text = ship_version(line, version);
    arena_reset(a);
    s->lines[line].versions[pod] = version;
    return shop_deploy(a, &s->dice, ship_shop_service(line), pod, str_of(text.z), shop);
}

enum err serving_new(uint64_t seed, uint64_t start_ns, struct shop *shop, struct serving **out) {
    struct serving *s = mem_zalloc(sizeof *s);
    if (!s) return ERR_NOMEM;
    enum err e = ERR_OK;
    ships_init(&s->ships, seed, (int64_t)start_ns);
    s->dice.state = hash_u64(seed ^ 0x53455256);
    for (uint8_t line = 0; line < SHIP_LINES; line++)
        for (unsigned pod = 0; pod < SHOP_VERSIONS; pod++)
            arena_init(&s->lines[line].arenas[pod], POD_MEMORY_MAX, NULL);
    for (uint8_t line = 0; line < SHIP_LINES && e == ERR_OK; line++)
        e = open_pod(s, line, 0, s->ships.lines[line].current, shop);
    if (e != ERR_OK)
        serving_free(s);
    else
        *out = s;
    return e;
}

void serving_free(struct serving *s) {
    if (!s) return;
    for (unsigned line = 0; line < SHIP_LINES; line++)
        for (unsigned pod = 0; pod < SHOP_VERSIONS; pod++) arena_fini(&s->lines[line].arenas[pod]);
    mem_free(s);
}

static unsigned next_pod(const struct serving *s) {
    return (s->lines[s->ship.line].pod + 1) % SHOP_VERSIONS;
}

static bool is_past(int64_t when, int64_t now) {
    return when && now >= when;
}

enum err serving_step(struct serving *s, uint64_t now_ns, struct shop *shop) {
    int64_t now = (int64_t)now_ns;
    int64_t next = s->ships.start_ns + (int64_t)s->ships.n_live * SHIP_CYCLE_S * 1000000000;
    if (now >= next) ships_next(&s->ships, &s->ship);
    const struct ship *h = &s->ship;
    if (!is_past(h->began, now)) return ERR_OK;
    bool is_over = is_past(h->back, now) || (h->fate == SHIP_WELL && is_past(h->full, now));
    if (!s->is_out && !is_over) {
        TRY(open_pod(s, h->line, next_pod(s), h->version, shop));
        s->is_out = true;
    }
    int64_t half = h->full ? h->began + (h->full - h->began) / 2 : 0;
    s->share = is_past(h->full, now) ? 1 : is_past(half, now) ? second_share : first_share;
    if (!s->is_out || !is_over) return ERR_OK;
    if (h->fate == SHIP_WELL) s->lines[h->line].pod = next_pod(s);
    s->is_out = false;
    return ERR_OK;
}

struct lot serving_lot(struct serving *s, uint8_t service, bool is_route) {
    struct lot lot = { 0 };
    int line = ship_line_of(service);
    double by_share = dice_unit(&s->dice), by_luck = dice_unit(&s->dice);
    if (line < 0) return lot;
    bool is_next = s->is_out && s->ship.line == line && by_share < s->share;
    lot.pod = is_next ? next_pod(s) : s->lines[line].pod;
    lot.asks_flags = s->lines[line].versions[lot.pod] % 4 > 1;
    if (!is_next) return lot;
    bool breaks = is_route && s->ship.fate != SHIP_WELL && by_luck < broken_share;
    lot.is_slow = breaks && s->ship.fate == SHIP_SLOW;
    lot.fails = breaks && !lot.is_slow;
    return lot;
}

int serving_entry(struct serving *s) {
    uint32_t line = dice_below(&s->dice, SHIP_LINES);
    return dice_chance(&s->dice, entry_share) ? ship_shop_service((uint8_t)line) : -1;
}
