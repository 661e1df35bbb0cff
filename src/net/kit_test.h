// SPDX-License-Identifier: Apache-2.0
// For the tests of this folder: a server with a clock that stands still until it is moved, driven
// by hand (kit_turn) or by its own threads, and clients on loopback.
#pragma once

#include "base/test.h"
#include "net/net_internal.h"

enum { KIT_HELD_MAX = 2048 };

struct kit {
    struct net_server *server;
    struct net_opts opts;
    struct net_listen listen;
    struct mem_budget budget;
    struct clock clock;
    _Atomic uint64_t now_ns;
    bool threaded;
    char address[32];
    // What the handler saw. /echo answers with the body, /hold keeps the request for the test,
    // anything else 404. Under the lock.
    struct mutex lock;
    struct cond changed;
    struct net_request *held[KIT_HELD_MAX];
    size_t n_held;
    uint64_t n_sent, n_delivered; // calls of on_sent
    char refusal[256];            // the last: "reason: text"
};

// opts, listen and budget.limit may be set between the two.
void kit_init(struct kit *k);
void kit_start(struct kit *k, bool threaded);
void kit_fini(struct kit *k); // answers what is held, checks that everything was given back
void kit_turn(struct kit *k);
void kit_advance(struct kit *k, uint64_t ms); // moves the clock, and lets the loop see it
struct net_request *kit_held(struct kit *k);  // waits for a request at /hold, takes it
size_t kit_n_held(struct kit *k);
struct net_stats kit_stats(struct kit *k);
void kit_on_sent(void *kit, bool delivered);

// Turns until the condition holds; fails after 10 s. Packets may take their time even on loopback.
#define KIT_UNTIL(k, cond) \
    do { \
        for (int until_ = 0; until_ < 10000 && !(cond); until_++) kit_wait_turn(k); \
        CHECK(cond); \
    } while (0)
void kit_wait_turn(struct kit *k); // a turn, and a millisecond of patience

struct kit_client {
    struct kit *kit;
    int fd;
    struct buf in;
    bool closed; // by the server
};
void kit_connect(struct kit *k, struct kit_client *c);
void kit_close(struct kit_client *c);
void kit_send(struct kit_client *c, struct str bytes);
bool kit_receive(struct kit_client *c); // what is there now
// Turns, reads what is there. false: nothing new for a while (10 ms).
bool kit_pump(struct kit_client *c);
// Waits until the text has come; the bytes up to its end are taken away. Fails after 10 s.
void kit_expect(struct kit_client *c, const char *text);
void kit_expect_closed(struct kit_client *c);
