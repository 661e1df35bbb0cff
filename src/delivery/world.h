// SPDX-License-Identifier: Apache-2.0
// What failure modes show beside the facts of delivery: in the stored traces, and in what a server counts
// since it started. Whoever asks fills it in; nothing of it known: all zero. thread: any.
#pragma once

#include "delivery/finding.h"

enum { WORLD_KEYS_MOST = 1000 }; // names of attributes

struct world {
    // Of the stored traces: a data directory has them too.
    bool knows_store;
    // Blocks of the last day, and how large they would be with the bytes a span of the week before, level by
    // level, since a merge packs tighter.
    uint64_t day_spans;
    double day_bytes, usual_bytes;
    bool knows_keys; // names of attributes in the last hour, at most WORLD_KEYS_MOST + 1
    uint64_t keys;
    // Of a sample of the last hour's spans:
    struct finding_name names; // distinct ones, of the spans of the service that most surely has too many
    struct finding_name early; // spans that start before their parent; the worst service
    struct finding_name unreported; // versions that spans tell and no rollout does, of services with rollouts
    struct finding_name drift;      // flags whose variants differ between instances; one of them
    // Spans that say what sampling left out: those in error, of all; and the same as they were before it.
    struct finding_share kept_errors;
    double errors_before, all_before;

    // Of the server that is asked, since it started.
    bool knows_server;
    struct finding_share partial; // traces without a root or with a parent missing, of those judged
    struct finding_share slow;    // queries of more than WORLD_SLOW_S
    struct finding_share refused; // requests with spans for which there was no room
    uint64_t dropped;             // acknowledged spans that the disk budget took
    bool disk_full;
    double saturation;
};
#define WORLD_SLOW_S 1.0
