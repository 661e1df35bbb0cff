// SPDX-License-Identifier: Apache-2.0
// What was refused lately, and why, for the people who wonder where their spans are. Equal ones in
// a row count up. thread: any.
#pragma once

#include "base/str.h"
#include "os/thread.h"

enum { REFUSALS_MAX = 50, REFUSAL_TEXT_MAX = 240 };

struct refusal {
    uint64_t time_ns, count;
    int kind; // of the listener
    char reason[32], text[REFUSAL_TEXT_MAX], peer[64];
};

struct refusals {
    struct mutex lock;
    struct refusal ring[REFUSALS_MAX];
    uint32_t n, next;
};

void refusals_init(struct refusals *r);
void refusals_fini(struct refusals *r);
void refusals_note(struct refusals *r, uint64_t now_ns, int kind, const char *reason, struct str text,
                   struct str peer);
// Copies them, newest first; out has room for REFUSALS_MAX. Returns how many.
uint32_t refusals_list(struct refusals *r, struct refusal *out);
