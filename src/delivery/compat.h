// SPDX-License-Identifier: Apache-2.0
// DORA's measures as fourkeys and DevLake compute them, over Takt's facts: compat.def has the definitions.
// They differ from Takt's on purpose: no rollouts, no intervals, links that guess. Pure; reading the
// facts is compat_read's. Windows are [from, to). thread: any.
#pragma once

#include "base/mem.h"
#include "base/str.h"

enum compat_set { COMPAT_TAKT, COMPAT_FOURKEYS, COMPAT_DEVLAKE_2021, COMPAT_DEVLAKE_2023, COMPAT_SET_COUNT };
enum compat {
    COMPAT_NONE,
#define COMPAT(ID, ...) COMPAT_##ID,
#include "delivery/compat.def"
    COMPAT_COUNT
};
struct compat_info {
    enum compat_set set;
    const char *name;
    unsigned version;
    const char *title, *unit;
    bool is_rate;
    const char *definition;
};
const struct compat_info *compat_info(enum compat c); // not of COMPAT_NONE
bool compat_of(struct str name, enum compat *out);
const char *compat_set_text(enum compat_set s); // "fourkeys"
bool compat_set_of(struct str name, enum compat_set *out);

enum { COMPAT_REASONS_MAX = 8 };

struct compat_deploy { // a successful one, of one target
    struct str key, service, sha;
    int64_t started, finished;
    bool in_history; // an import or a push told of its commit
};
struct compat_change { // a commit, as one deploy brought it
    uint32_t deploy;
    struct str sha; // lower hex
    int64_t time;
};
struct compat_incident {
    struct str key, service, caused_by;
    int64_t created, resolved; // 0: not
    int64_t root;              // end of the first deploy of its cause; 0: not known
};
struct compat_request { // a pull request that was merged and deployed
    struct str key;
    struct str merge_sha;
    uint32_t deploy;
    int64_t first_commit, opened, merged;
};
struct compat_facts {
    struct compat_deploy *deploys; // by finished, then key
    uint32_t n_deploys, cap_deploys;
    struct compat_change *changes; // of deploys in the window
    uint32_t n_changes, cap_changes;
    struct compat_incident *incidents;
    uint32_t n_incidents, cap_incidents;
    struct compat_request *requests;
    uint32_t n_requests, cap_requests;
    int64_t first_event;
};

// A row that was looked at; NULL where it is of another kind.
struct compat_row {
    const struct compat_deploy *deploy;
    const struct compat_change *change;
    const struct compat_incident *incident;
    const struct compat_request *request;
    bool counted, hit;
    double value;    // seconds
    const char *why; // not counted: the reason
};
typedef void compat_watch(void *ctx, const struct compat_row *row);

struct compat_result {
    bool defined;
    double value; // days per week, a share, or seconds
    uint64_t n, numerator, denominator;
    const char *level; // as the tool names it; NULL: none
    struct {
        const char *text;
        uint64_t n;
    } left_out[COMPAT_REASONS_MAX];
    unsigned n_left_out;
};
// watch may be NULL. ERR_NOMEM.
NODISCARD enum err compat_run(struct arena *a, enum compat c, const struct compat_facts *f, int64_t from,
                              int64_t to, compat_watch *watch, void *ctx, struct compat_result *out);
