// SPDX-License-Identifier: Apache-2.0
// The shop: 25 services in 3 versions each, what they call, store and say. Whatever of a span does
// not vary is encoded once here, so that making a span is mostly copying. The same shop as
// bench/shop.py.
#pragma once

#include "load/dice.h"

enum {
    SHOP_SERVICES = 25,
    SHOP_VERSIONS = 3,
    SHOP_PODS = SHOP_SERVICES * SHOP_VERSIONS,
    SHOP_TOPICS = 6,
    SHOP_FAILURES = 6,
    SHOP_FAILURE_OF_VERSION = 5, // only of a bad version; the others may be of any trace
    SHOP_USER_AGENTS = 24,
    SHOP_CALLS_MAX = 9,
};

enum shop_scope { SHOP_HTTP, SHOP_RPC, SHOP_DB, SHOP_KAFKA, SHOP_OWN, SHOP_SCOPES };

struct shop_op {
    struct str name, client_name;         // of the server's span, of the caller's
    struct str constant, client_constant; // attributes, encoded
    struct str prefix;                    // of the URL path
    bool is_http, by_id, is_post;
};
struct shop_ops {
    struct shop_op *list;
    uint32_t n;
};
struct shop_pod {
    struct str resource; // an encoded Resource
    struct str ip;
};
struct shop_service {
    struct str name, database; // "" = none
    bool is_cache;             // the data base is one
    uint8_t calls[SHOP_CALLS_MAX];
    uint8_t n_calls;
    struct shop_ops served, asked, done; // server, data base, internal
    struct shop_pod pods[SHOP_VERSIONS];
};
struct shop_topic {
    struct str name, publish, consume; // the encoded attributes of both sides
    uint8_t consumer;
};
struct shop_failure {
    struct str event, status; // content of an Event (without its time) and of a Status
};
struct shop {
    struct shop_service services[SHOP_SERVICES];
    struct str scopes[SHOP_SCOPES]; // encoded
    struct shop_topic topics[SHOP_TOPICS];
    struct shop_failure failures[SHOP_FAILURES];
    struct str user_agents[SHOP_USER_AGENTS];
};

// Lives in the arena. ERR_NOMEM.
NODISCARD enum err shop_open(struct arena *a, struct dice *d, struct shop *out);
// Another version in a pod of a service; what it needs lives in the arena, which outlives its use.
// ERR_NOMEM.
NODISCARD enum err shop_deploy(struct arena *a, struct dice *d, uint8_t service, unsigned pod,
                               struct str version, struct shop *shop);
uint8_t shop_entry(struct dice *d);      // the service where a trace begins
uint8_t shop_lone_entry(struct dice *d); // one that may be alone in its trace
bool shop_takes_orders(uint8_t service);
bool shop_keeps_cache(uint8_t service);
