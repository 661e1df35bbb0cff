// SPDX-License-Identifier: Apache-2.0
// Stores for tests: of facts in memory, and of deliveries in a directory, which takes what tools send.
// thread: one.
#pragma once

#include "delivery/delivery.h"
#include "intake/fact.h"

// With all tables; for db_close.
struct db *fixture_facts(void);

// With what is in the directory; for delivery_close.
struct delivery *fixture_delivery(const char *dir);
// Takes a body as its source sends it: events are CloudEvents, what GitHub sends has its event in a header.
struct delivery_taken fixture_take(struct delivery *d, const char *source, const char *github_event,
                                   struct str body, int64_t received);
