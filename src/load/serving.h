// SPDX-License-Identifier: Apache-2.0
// Inside `load` only: which version of a service answers a request, while the shop ships. Services that
// do not ship run in one version; those that do in their current one and, during a delivery, for a
// share of the requests in the next one. thread: of the generator.
#pragma once

#include "load/ship.h"
#include "load/shop.h"

struct serving {
    struct ships ships;
    struct ship ship; // the delivery at hand
    struct dice dice; // of its own: the other draws of a trace stay as they are
    struct serving_line {
        unsigned pod; // of the current version; the next one gets the pod after it
        uint32_t versions[SHOP_VERSIONS];
        struct arena arenas[SHOP_VERSIONS];
    } lines[SHIP_LINES];
    bool is_out;  // the new version answers some
    double share; // of the requests, while it is out
};

// What a request meets.
struct lot {
    unsigned pod;
    bool fails, is_slow;
    bool asks_flags; // every second pair of versions calls another service
};

NODISCARD enum err serving_new(uint64_t seed, uint64_t start_ns, struct shop *shop, struct serving **out);
void serving_free(struct serving *s); // NULL is fine
// To be called before each trace. ERR_NOMEM.
NODISCARD enum err serving_step(struct serving *s, uint64_t now_ns, struct shop *shop);
struct lot serving_lot(struct serving *s, uint8_t service, bool is_route);
// A part of all traces begins at a service that ships: partners call it. -1: this one does not.
int serving_entry(struct serving *s);
