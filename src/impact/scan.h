// SPDX-License-Identifier: Apache-2.0
// The traces of a service, read for impact: which versions serve and when; the requests of two arms; kinds of
// errors; failing requests at the edge. A request is a server or consumer span of the service, or one of its
// spans that is a root. All stop at the deadline of the source's bounds and then say that they are partial.
// thread: any; one at a time for each object.
#pragma once

#include "impact/arms.h"
#include "query/visit.h"

struct impact_source {
    struct view *view;
    struct query_bounds bounds; // without its range
};
// Whether spans are of an environment: by resource.deployment.environment(.name); spans that tell none are of
// any.
struct impact_variants;
enum { IMPACT_NAMES_MAX = 16 };
struct impact_of {
    struct str service, environment; // environment empty: any
    const struct str *names;         // that spans may have for the service besides its own
    uint32_t n_names;                // at most IMPACT_NAMES_MAX
    // What is called a version below is then the variant of a flag that a trace was served; NULL: it is
    // service.version.
    const struct impact_variants *variants;
};
struct impact_window { // (from, to], ns
    int64_t from, to;
};

// What spans told of their environment: those of the one that was asked for, and whether there were others.
// What finds the former alone needs no more.
enum { SCAN_ENVIRONMENTS_MAX = 16 };
struct scan_environments {
    struct {
        struct str name;
        bool by_old; // told by resource.deployment.environment
    } items[SCAN_ENVIRONMENTS_MAX];
    uint32_t n;
    bool untold; // some tell none
    bool others;
    bool cut; // there were more
};

// { resource.service.name OP "service", of all its names and without the end. op: "=" or "!=".
void impact_put_service(struct buf *b, const char *op, const struct impact_of *of);

// --- versions ----------------------------------------------------------------------------------------------

enum { VERSIONS_MAX = 64, VERSION_MINUTES_MAX = 60 * 24 * 32 };
struct version_seen {
    struct str version;      // service.version; empty: not told
    double requests, errors; // weighted by what sampling left out
    int64_t first, last;     // starts of requests
    uint32_t *minutes;       // requests by minute from versions.base, as they were kept
};
struct versions {
    struct version_seen items[VERSIONS_MAX]; // further ones are left out, and partial is set
    uint32_t n;
    uint32_t base, n_minutes;
    bool partial;
    char why[VISIT_WHY_MAX];
};
NODISCARD enum err impact_versions(struct arena *a, const struct impact_source *src,
                                   const struct impact_of *of, struct impact_window w, struct versions *out,
                                   struct err_ctx *ctx);
// What somebody reported as a version, and what spans call it: equal but for a leading "v", the tag of an
// image, or a commit of which one is the beginning (7 digits or more).
bool impact_same_version(struct str reported, struct str seen);

// --- requests ----------------------------------------------------------------------------------------------

// Which arm a request belongs to; ARM_COUNT: none.
struct impact_arm_rule {
    enum arm (*arm)(void *ctx, struct str version, int64_t start);
    void *ctx;
};
struct impact_user {
    uint64_t hash;
    double weight; // the largest of the requests
};
struct impact_reading {
    struct arms *arms;
    bool other_services; // all services but this one; the route is the service
    struct map users;    // enduser.id and user.id of failing requests of the new arm
    struct impact_user *user_items;
    uint32_t n_users, users_cap;
    bool partial;
    char why[VISIT_WHY_MAX];
};
void impact_reading_init(struct impact_reading *r, struct arms *arms);
void impact_reading_fini(struct impact_reading *r);
NODISCARD enum err impact_read_arms(const struct impact_source *src, const struct impact_of *of,
                                    struct impact_window w, struct impact_arm_rule rule,
                                    struct impact_reading *r, struct err_ctx *ctx);

// Requests of the new arm: all, and of some routes.
enum { ROUTE_COUNTS_MAX = 8 };
struct route_counts {
    struct str names[ROUTE_COUNTS_MAX];
    uint64_t of[ROUTE_COUNTS_MAX]; // as they were kept
    uint32_t n;
    uint64_t all;
    bool partial;
};
// Adds to the counts.
NODISCARD enum err impact_count_routes(const struct impact_source *src, const struct impact_of *of,
                                       struct impact_window w, struct impact_arm_rule rule,
                                       struct route_counts *out, struct err_ctx *ctx);

// --- kinds of errors ---------------------------------------------------------------------------------------

enum { SIGNATURES_MAX = 512 };
struct signature_seen {
    struct str type, frame, span, message;
    uint64_t count;        // in the new arm, as they were kept
    uint64_t n_old, n_new; // traces of the arms that have it
    bool known;            // the old arm has it, or what was before
    uint8_t last[16];      // trace that was counted
    struct arms_examples examples, old_examples;
    bool by_event, by_span; // what tells its type: an exception event, span.error.type
    uint64_t span_at;       // the span that was counted
};
struct signatures {
    struct arena *arena;
    struct signature_seen items[SIGNATURES_MAX];
    uint32_t n;
    struct scan_environments environments;
    bool differ;  // some span is of another kind by an exception event than by span.error.type alone
    bool cut;     // there were more
    bool partial; // not all of the window, or not all of what was before, was looked at
};
NODISCARD enum err impact_read_signatures(const struct impact_source *src, const struct impact_of *of,
                                          struct impact_window w, struct impact_arm_rule rule,
                                          struct signatures *out, struct err_ctx *ctx);
// What stands in a stack trace as the place of the error: its innermost frame, without numbers of lines.
struct str signature_frame(struct str stack);

// --- the edge ----------------------------------------------------------------------------------------------

// Traces whose root failed and that hold a failing span of the service in this version (empty: of any).
struct impact_roots {
    double failed, squares; // sums of weights, and of their squares
    bool partial;
};
NODISCARD enum err impact_read_roots(const struct impact_source *src, const struct impact_of *of,
                                     struct str version, struct impact_window w, struct impact_roots *out,
                                     struct err_ctx *ctx);
// Is a trace known that both services take part in? Looks at the window.
NODISCARD enum err impact_share_traces(const struct impact_source *src, const struct impact_of *a,
                                       struct str b, struct impact_window w, bool *out, struct err_ctx *ctx);
