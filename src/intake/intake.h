// SPDX-License-Identifier: Apache-2.0
// What tools send, read: a request of a source becomes claims about facts. Pure: bytes in, claims
// out; nothing is kept here. Each source is a file of its own, hook_<source>.c, with its signature
// check, its fields and its deduplication key. thread: any.
//
// An event can be read again from what is kept of it: the request's source and time of arrival, the
// event's id, type and body. Then `kept_id` and `kept_type` stand for the headers.
#pragma once

#include "intake/fact.h"

enum {
    INTAKE_BODY_MAX = 25 << 20, // GitHub's limit, the largest of all
    INTAKE_HEADERS_MAX = 64,
    INTAKE_NAME_MAX = 1024,    // bytes of an event's id, and of its type
    INTAKE_DEPTH_MAX = 64,     // of JSON
    INTAKE_EVENTS_MAX = 10000, // of one request (a CloudEvents batch)
    INTAKE_CLAIMS_MAX = 20000, // of one request
};

struct intake_header {
    struct str name, value; // names in any case
};
struct intake_request {
    struct str source; // what follows /hooks/: "github", "devlake/connections/1/deployments"; or "events"
    struct str query;  // of the URL, without '?'
    const struct intake_header *headers;
    unsigned n_headers;
    struct str body;
    int64_t received;              // ns UTC
    struct str kept_id, kept_type; // of an event that is read again, else empty
};
struct str intake_header(const struct intake_request *r, struct str name); // empty: not there

// One event of a request: most requests are one, a CloudEvents batch is many.
struct intake_event {
    struct str id;   // the sender's, for deduplication within a source; empty: by source and body
    struct str type; // "pull_request.opened", "dev.cdevents.service.deployed"
    struct str body; // of this event alone, JSON; empty where the request has none
    int64_t time;    // as the source tells, else when it was received
    bool known;      // false: kept and counted, makes no claims
    // Not empty: set aside. A time that it tells is before 1990, or more than a day after it was
    // received. Kept and shown with this reason, makes no claims.
    struct str aside;
    struct claims claims;
};
struct intake {
    struct intake_event *events;
    unsigned n;
};

struct intake_secret { // several, while one replaces the other
    struct str value;
};
// The signature or token of a request, over its raw bytes, in constant time. ERR_INVALID with the
// reason ("the signature in X-Hub-Signature-256 does not fit the body"). n = 0: no secret is set;
// then only a request from this machine is taken (the caller knows where it comes from).
NODISCARD enum err intake_check(const struct intake_request *r, const struct intake_secret *secrets,
                                unsigned n, struct err_ctx *ctx);
// ERR_INVALID: what cannot be read, where, and what was expected; nothing of the request is taken.
// ERR_NOT_FOUND: there is no such source. Texts point into the request or the arena.
NODISCARD enum err intake_read(const struct intake_request *r, struct arena *a, struct intake *out,
                               struct err_ctx *ctx);
#define INTAKE_EARLIEST_NS (INT64_C(631152000) * 1000000000) // the first of 1990
// A time that an event may tell: from 1990 on, and at most a day after it was received.
bool intake_is_possible(int64_t ns, int64_t received);
// A table of fact.def that events of anybody's own may be about ("deploy", "incident", …): not those that
// hold what Takt says itself.
bool intake_kind(struct str name, enum fact_kind *out);
// Names of all sources, for messages and documentation.
extern const char *const intake_sources[];
extern const unsigned n_intake_sources;
