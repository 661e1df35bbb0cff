// SPDX-License-Identifier: Apache-2.0
// Bodies are written with ' in place of ", which turns them readable; nothing that is put into them
// holds either.
#include "load/tell.h"

#include <stdio.h>
#include <time.h>

enum { BODY_MAX = 8 << 10 };

struct stamp_text {
    char z[24];
};
static struct stamp_text stamp(int64_t ns) {
    struct stamp_text t;
    time_t s = (time_t)(ns / 1000000000);
    struct tm tm;
    (void)gmtime_r(&s, &tm);
    (void)strftime(t.z, sizeof t.z, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return t;
}

static struct told *add(struct telling *t, int64_t due_ns, const char *path) {
    static struct told nowhere;
    struct told *items = arena_grow(t->arena, t->items, t->n, &t->cap, sizeof *items);
    if (!items) {
        t->failed = true;
        return &nowhere;
    }
    t->items = items;
    items[t->n] = (struct told){ .due_ns = due_ns, .path = path, .type = "application/json" };
    return &items[t->n++];
}

static void body(struct telling *t, struct told *to, const char *fmt, va_list args) {
    char text[BODY_MAX];
    int n = vsnprintf(text, sizeof text, fmt, args);
    ASSERT(n >= 0 && (size_t)n < sizeof text);
    for (int i = 0; i < n; i++)
        if (text[i] == '\'') text[i] = '"';
    to->body = str_dup(t->arena, (struct str){ text, (size_t)n });
    t->failed |= t->arena->failed;
}

static void post(struct telling *t, int64_t due_ns, const char *path, const char *fmt, ...) PRINTF_LIKE(4, 5);
static void post(struct telling *t, int64_t due_ns, const char *path, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    body(t, add(t, due_ns, path), fmt, args);
    va_end(args);
}

static void github(struct telling *t, int64_t due_ns, const char *event, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
static void github(struct telling *t, int64_t due_ns, const char *event, const char *fmt, ...) {
    struct told *to = add(t, due_ns, "/hooks/github");
    va_list args;
    va_start(args, fmt);
    body(t, to, fmt, args);
    va_end(args);
    uint64_t id = hash_str(to->body);
    to->headers =
        str_fmt(t->arena, "X-GitHub-Event: %s\r\nX-GitHub-Delivery: %08x-%04x-11f0-%04x-%012llx\r\n", event,
                (unsigned)(id >> 32), (unsigned)(id >> 16 & 0xffff), (unsigned)(id & 0xffff),
                (unsigned long long)(id >> 8 & 0xffffffffffff));
}

static const char *sha_of(const struct telling *t, uint8_t line, uint32_t version) {
    return t->sha[line][version % SHIP_VERSIONS_KEPT];
}

#define REPOSITORY \
    "'repository':{'id':%u,'full_name':'" TELL_ORGANISATION "/%s'," \
    "'html_url':'https://github.com/" TELL_ORGANISATION "/%s','default_branch':'main'}"
#define REPOSITORY_OF(line) 7001u + (line), ship_service(line), ship_service(line)

// --- the change --------------------------------------------------------------------------------------------

#define PULL_REQUEST \
    "{'action':'%s','number':%u,'pull_request':{'id':%u,'number':%u,'state':'%s','draft':false,'title':'%s'" \
    "," \
    "'html_url':'https://github.com/" TELL_ORGANISATION "/%s/pull/%u','user':{'login':'%s','type':'User'}," \
    "'created_at':'%s','updated_at':'%s','closed_at':%s,'merged_at':%s,'merged':%s,'merge_commit_sha':'%s'," \
    "'head':{'sha':'%s','ref':'%s/%u'},'base':{'ref':'main'},'commits':%u,'additions':%u,'deletions':%u," \
    "'changed_files':%u},"

static void pull_request(struct telling *t, const struct ship *h, bool merged) {
    uint32_t number = ship_change(h);
    const char *service = ship_service(h->line);
    struct ship_text title = ship_subject(h, h->n_commits - 1), author = ship_person(h, 0);
    struct stamp_text opened = stamp(h->opened), now = stamp(merged ? h->merged : h->opened);
    char quoted[32];
    (void)snprintf(quoted, sizeof quoted, "'%s'", now.z);
    const char *end = merged ? quoted : "null";
    github(t, merged ? h->merged : h->opened, "pull_request",
           PULL_REQUEST REPOSITORY ",'sender':{'login':'%s'}}", merged ? "closed" : "opened", number,
           900000 + h->number, number, merged ? "closed" : "open", title.z, service, number, author.z,
           opened.z, now.z, end, end, merged ? "true" : "false", h->sha, h->sha, author.z, number,
           h->n_commits, 20 + h->number * 37 % 300, 5 + h->number * 23 % 90, 1 + h->number % 9,
           REPOSITORY_OF(h->line), author.z);
}

static void review(struct telling *t, const struct ship *h, const char *state, unsigned part, int64_t at) {
    struct ship_text reviewer = ship_person(h, 1);
    github(t, at, "pull_request_review",
           "{'action':'submitted','review':{'id':%u,'state':'%s','submitted_at':'%s','user':{'login':'%s',"
           "'type':'User'}},'pull_request':{'number':%u}," REPOSITORY "}",
           h->number * 10 + part, state, stamp(at).z, reviewer.z, ship_change(h), REPOSITORY_OF(h->line));
}

// --- the pipeline ------------------------------------------------------------------------------------------

static void run(struct telling *t, const struct ship *h, unsigned attempt, const char *result, int64_t began,
                int64_t ended) {
    const char *service = ship_service(h->line);
    struct stamp_text from = stamp(began), to = stamp(ended);
    github(
        t, ended, "workflow_run",
        "{'action':'completed','workflow_run':{'id':%u,'name':'build and test','run_attempt':%u,'status':"
        "'completed','conclusion':'%s','head_sha':'%s','head_branch':'main','event':'push','created_at':'%s',"
        "'run_started_at':'%s','updated_at':'%s','html_url':'https://github.com/" TELL_ORGANISATION
        "/%s/actions/runs/%u','triggering_actor':{'login':'%s'}}," REPOSITORY "}",
        500000 + h->number, attempt, result, h->sha, stamp(h->merged).z, from.z, to.z, service,
        500000 + h->number, ship_person(h, 0).z, REPOSITORY_OF(h->line));
    github(
        t, ended, "workflow_job",
        "{'action':'completed','workflow_job':{'id':%u,'run_id':%u,'run_attempt':%u,'name':'test','status':"
        "'completed','conclusion':'%s','head_sha':'%s','created_at':'%s','started_at':'%s','completed_at':"
        "'%s','html_url':'https://github.com/" TELL_ORGANISATION "/%s/actions/runs/%u'}," REPOSITORY "}",
        800000 + h->number * 4 + attempt, 500000 + h->number, attempt, result, h->sha,
        attempt > 1 ? from.z : stamp(h->merged).z, from.z, to.z, service, 500000 + h->number,
        REPOSITORY_OF(h->line));
}

// A flaky one fails first, and is run again at the same commit.
static void pipeline(struct telling *t, const struct ship *h) {
    int64_t middle = h->build_began + (h->build_ended - h->build_began) / 2;
    if (!h->is_flaky) {
        run(t, h, 1, "success", h->build_began, h->build_ended);
        return;
    }
    run(t, h, 1, "failure", h->build_began, middle);
    run(t, h, 2, "success", middle + 1000000000, h->build_ended);
}

// --- deploys -----------------------------------------------------------------------------------------------

struct deploy {
    uint32_t id, version;
    const char *environment, *task, *state;
    int64_t queued, at;
};

static void deployment(struct telling *t, const struct ship *h, const struct deploy *d) {
    bool is_production = strcmp(d->environment, "production") == 0;
    struct ship_text version = ship_version(h->line, d->version);
    char fixes[128] = "";
    if (h->fixes && d->version == h->version)
        (void)snprintf(fixes, sizeof fixes, ",'fixes':'%s'", ship_version(h->line, h->fixes).z);
    github(
        t, d->at, "deployment_status",
        "{'action':'created','deployment_status':{'id':%u,'state':'%s','environment':'%s','created_at':'%s',"
        "'updated_at':'%s','log_url':'https://github.com/" TELL_ORGANISATION "/%s/deployments/%u'},"
        "'deployment':{'id':%u,'sha':'%s','ref':'main','task':'%s','environment':'%s','production_"
        "environment':"
        "%s,'payload':{'service':'%s','version':'%s'%s},'created_at':'%s','creator':{'login':"
        "'github-actions[bot]','type':'Bot'}},'workflow_run':{'id':%u,'run_attempt':%d,'event':'push'}"
        "," REPOSITORY "}",
        d->id * 10 + (unsigned)strlen(d->state), d->state, d->environment, stamp(d->at).z, stamp(d->at).z,
        ship_service(h->line), d->id, d->id, sha_of(t, h->line, d->version),
        h->fixes && d->version == h->version ? "hotfix" : d->task, d->environment,
        is_production ? "true" : "false", ship_service(h->line), version.z, fixes, stamp(d->queued).z,
        500000 + h->number, h->is_flaky ? 2 : 1, REPOSITORY_OF(h->line));
}

static void deploys(struct telling *t, const struct ship *h) {
    uint32_t id = h->number * 4;
    deployment(t, h,
               &(struct deploy){ id, h->version, "staging", "deploy", "success", h->build_ended, h->staged });
    deployment(t, h,
               &(struct deploy){ id + 1, h->version, "production", "deploy", "in_progress", h->began,
                                 h->began });
    if (h->full)
        deployment(t, h,
                   &(struct deploy){ id + 1, h->version, "production", "deploy", "success", h->began,
                                     h->full });
    else
        deployment(t, h,
                   &(struct deploy){ id + 1, h->version, "production", "deploy", "failure", h->began,
                                     h->back });
    if (!h->full || !h->back) return;
    int64_t from = h->acknowledged + (h->back - h->acknowledged) / 2;
    deployment(t, h,
               &(struct deploy){ id + 2, h->before, "production", "rollback", "in_progress", from, from });
    deployment(t, h,
               &(struct deploy){ id + 2, h->before, "production", "rollback", "success", from, h->back });
}

static void canary(struct telling *t, const struct ship *h, int64_t at, const char *phase, unsigned weight) {
    const char *service = ship_service(h->line);
    bool healthy = strcmp(phase, "Healthy") == 0, aborted = strcmp(phase, "Degraded") == 0;
    char status[128] = "";
    if (aborted)
        (void)snprintf(status, sizeof status,
                       "'abort':true,'abortedAt':'%s','message':'error rate over 5 percent',", stamp(at).z);
    post(
        t, at, "/hooks/argo-rollouts",
        "{'rollout':{'metadata':{'name':'%s','namespace':'shop','uid':'rollout-%s','labels':{'environment':"
        "'production'}},'spec':{'template':{'spec':{'containers':[{'name':'%s','image':"
        "'registry.tide-shop.example/%s:%s'}]}}},'status':{%s'phase':'%s','currentPodHash':'%08x','stableRS':"
        "'%08x','canary':{'weights':{'canary':{'weight':%u}}}}},'time':'%s'}",
        service, service, service, service, ship_version(h->line, h->version).z, status, phase,
        h->version * 2654435761u, (healthy ? h->version : h->before) * 2654435761u, weight, stamp(at).z);
}

static void canaries(struct telling *t, const struct ship *h) {
    int64_t end = h->full ? h->full : h->back;
    if (h->is_first) return;
    canary(t, h, h->began, "Progressing", 10);
    canary(t, h, h->began + (end - h->began) / 2, "Paused", h->full ? 50 : 10);
    if (h->full)
        canary(t, h, h->full, "Healthy", 100);
    else
        canary(t, h, h->back, "Degraded", 0);
}

// --- incidents ---------------------------------------------------------------------------------------------

static void incident(struct telling *t, const struct ship *h, const char *type, int64_t at) {
    post(t, at, "/hooks/pagerduty",
         "{'event':{'id':'E%u-%s','event_type':'incident.%s','resource_type':'incident','occurred_at':'%s','"
         "agent':"
         "{'id':'A1','type':'service_reference'},'data':{'id':'Q%05u','number':%u,'status':'%s','created_at':"
         "'%s',"
         "'title':'%s of "
         "%s','service':{'id':'P%02u','summary':'%s'},'priority':{'summary':'P%u'},'urgency':'high',"
         "'html_url':'https://tide-shop.pagerduty.com/incidents/Q%05u'}}}",
         h->number, type, type, stamp(at).z, h->number, h->number, type, stamp(h->alerted).z,
         h->fate == SHIP_SLOW ? "Slow responses" : "Errors", ship_service(h->line), h->line,
         ship_service(h->line), h->fate == SHIP_SLOW ? 3u : 1 + h->number % 2, h->number);
}

// When the impact began and ended is what a person writes into the review of the incident.
static void impact(struct telling *t, const struct ship *h) {
    int64_t end = h->back ? h->back : h->resolved;
    struct told *to = add(t, end, "/events");
    to->type = "application/cloudevents+json";
    char text[1024];
    int n = snprintf(
        text, sizeof text,
        "{\"specversion\":\"1.0\",\"id\":\"review-%u\",\"source\":\"incident-review\",\"type\":"
        "\"dev.takt.incident\",\"time\":\"%s\",\"data\":{\"key\":\"pagerduty:Q%05u\",\"environment\":"
        "\"production\",\"state\":\"mitigated\",\"started_at\":\"%s\"}}",
        h->number, stamp(end).z, h->number, stamp(h->full).z);
    ASSERT(n > 0 && (size_t)n < sizeof text);
    to->body = str_dup(t->arena, (struct str){ text, (size_t)n });
}

static void incidents(struct telling *t, const struct ship *h) {
    if (!h->alerted) return;
    incident(t, h, "triggered", h->alerted);
    incident(t, h, "acknowledged", h->acknowledged);
    impact(t, h);
    incident(t, h, "resolved", h->resolved);
}

void tell_ship(struct telling *t, const struct ship *h) {
    memcpy(t->sha[h->line][h->version % SHIP_VERSIONS_KEPT], h->sha, sizeof h->sha);
    pull_request(t, h, false);
    if (h->number % 3 == 0) review(t, h, "commented", 1, h->opened + (h->reviewed - h->opened) / 2);
    review(t, h, "approved", 2, h->reviewed);
    pull_request(t, h, true);
    pipeline(t, h);
    deploys(t, h);
    canaries(t, h);
    incidents(t, h);
    t->failed |= t->arena->failed;
}

// --- flags -------------------------------------------------------------------------------------------------

static void flag(struct telling *t, int64_t at, unsigned number, const char *service, const char *what,
                 bool on) {
    post(t, at, "/hooks/launchdarkly",
         "{'_id':'ld%u%s','date':%lld,'kind':'flag','name':'%s-%s','accesses':[{'action':'updateOn','"
         "resource':"
         "'proj/shop:env/production:flag/%s-%s'}],'member':{'email':'mara@tide-shop.example'},'titleVerb':"
         "'turned %s the flag'}",
         number, on ? "a" : "b", (long long)(at / 1000000), service, what, service, what, on ? "on" : "off");
}

void tell_flags(struct telling *t, const struct ships *s) {
    static const char *const whats[] = { "new-layout", "fast-path", "second-cache" };
    const int64_t hour = 3600000000000, week = 168 * hour;
    for (unsigned i = 0; i < 2 * SHIP_WEEKS; i++) {
        uint64_t r = hash_u64(s->seed * 64 + i);
        int64_t at = s->start_ns - (int64_t)(i + 1) * week / 2 + (int64_t)(r % 60) * hour;
        flag(t, at, i, ship_service((uint8_t)(r % SHIP_LINES)), whats[r >> 8 & 1], true);
        if (i % 3 == 0)
            flag(t, at + hour / 2, i, ship_service((uint8_t)(r % SHIP_LINES)), whats[r >> 8 & 1], false);
    }
}

void tell_flag_of(struct telling *t, const struct ship *h) {
    flag(t, h->full + 20000000000, 1000 + h->number, ship_service(h->line), "second-cache", true);
}
