// SPDX-License-Identifier: Apache-2.0
#include "intake/hook.h"

#include <stdio.h>

const struct signature_form hook_token_forms[3] = {
    { .how = SIGNATURE_BEARER, .header = "Authorization" },
    { .how = SIGNATURE_TOKEN, .header = "X-Takt-Token" },
    { .how = SIGNATURE_QUERY },
};

enum err hook_document(struct hook_in *in, struct str body, struct doc *out) {
    // What is kept of an event may have an envelope more than what came.
    uint32_t depth = INTAKE_DEPTH_MAX + (in->r->kept_type.len ? 2 : 0);
    TRY(document_read(body, depth, in->arena, &in->doc, in->ctx));
    *out = doc_root(&in->doc);
    return ERR_OK;
}

enum err hook_end(struct hook_in *in) {
    if (in->arena->failed) return ERR_NOMEM;
    return in->err != ERR_OK ? in->err : document_end(&in->doc);
}

struct str hook_header(const struct hook_in *in, const char *name) {
    return intake_header(in->r, str_of(name));
}

// --- events --------------------------------------------------------------------------------------

static bool grow(struct hook_in *in) {
    if (in->out->n < in->cap) return true;
    unsigned cap = in->cap ? in->cap * 2 : 1;
    struct intake_event *more = ARENA_ARRAY(in->arena, cap, struct intake_event);
    if (!more) return false;
    if (in->out->n) memcpy(more, in->out->events, in->out->n * sizeof *more);
    in->out->events = more;
    in->cap = cap;
    return true;
}

static void check_name(struct hook_in *in, const char *what, struct str s) {
    if (s.len > INTAKE_NAME_MAX)
        in->err = err_set(in->ctx, ERR_INVALID, "an event's %s of more than %d bytes", what, INTAKE_NAME_MAX);
    else if (!str_is_utf8(s))
        in->err = err_set(in->ctx, ERR_INVALID, "an event's %s that is not UTF-8", what);
}

struct intake_event *hook_event(struct hook_in *in, struct str id, struct str type, int64_t time) {
    struct intake_event *e = &in->spare;
    if (in->out->n == INTAKE_EVENTS_MAX)
        in->err = err_set(in->ctx, ERR_INVALID, "more than %d events in one request", INTAKE_EVENTS_MAX);
    else if (grow(in))
        e = &in->out->events[in->out->n++];
    if (id.len == 0) id = in->r->kept_id;
    *e = (struct intake_event){
        .id = id, .type = type, .body = in->r->body, .time = time_or(time, in->r->received), .known = true
    };
    claims_begin(&e->claims, in->arena);
    check_name(in, "id", e->id);
    check_name(in, "type", e->type);
    return e;
}

struct intake_event *hook_unknown(struct hook_in *in, struct str id, struct str type) {
    struct intake_event *e = hook_event(in, id, type, 0);
    e->known = false;
    if (type.len && in->doc.err != ERR_OK) {
        in->doc.err = ERR_OK;
        if (in->err == ERR_OK) in->ctx->text[0] = '\0'; // else it says why
    }
    return e;
}

struct str hook_type(struct hook_in *in, struct str a, struct str b) {
    return b.len ? str_fmt(in->arena, "%.*s.%.*s", STR_ARG(a), STR_ARG(b)) : a;
}

// --- claims --------------------------------------------------------------------------------------

struct say say_of(struct hook_in *in, enum fact_kind k, struct str key, int64_t time, uint8_t rank) {
    struct intake_event *e = in->out->n ? &in->out->events[in->out->n - 1] : &in->spare;
    if (++in->n_claims > INTAKE_CLAIMS_MAX)
        in->err = err_set(in->ctx, ERR_INVALID, "more than %d claims in one request", INTAKE_CLAIMS_MAX);
    if (in->err != ERR_OK) {
        e = &in->spare;
        claims_begin(&e->claims, in->arena);
        e->claims.failed = true;
        key = STR("");
    }
    struct claim *c = claims_add(&e->claims, k, key, time, rank);
    return (struct say){ in, &e->claims, c };
}

void say_service_of_repo(struct hook_in *in, enum fact_kind k, enum fact_field f, struct str key,
                         struct str repo) {
    const char *slash = repo.len ? memrchr(repo.ptr, '/', repo.len) : NULL;
    struct str name = slash ? str_sub(repo, (size_t)(slash - repo.ptr) + 1, repo.len) : repo;
    if (!name.len) return;
    struct say s = say_of(in, k, key, INTAKE_EARLIEST_NS, RANK_SAYS);
    say_text(&s, f, name);
}

void say_text(struct say *s, enum fact_field f, struct str v) {
    claim_text(s->claims, s->to, f, v);
}
void hook_list_add(struct buf *b, char between, struct str item) {
    if (b->len + (b->len > 0) + item.len > FACT_TEXT_MAX) return;
    if (b->len) buf_char(b, between);
    buf_str(b, item);
}
void say_list(struct say *s, enum fact_field f, struct buf *b) {
    if (b->failed) s->in->arena->failed = true;
    say_text(s, f, buf_view(b));
    buf_fini(b);
}
void hook_teams_add(struct buf *b, struct doc list, const char *key) {
    for (struct doc c = doc_first(list); c.node; c = doc_next(c))
        if (doc_text(c, key).len) hook_list_add(b, '\n', doc_text(c, key));
}
void say_teams(struct say *s, struct buf *b, bool told) {
    if (told && !b->len) say_none(s, INCIDENT_TEAM);
    say_list(s, INCIDENT_TEAM, b);
}
struct str hook_labelled_team(struct str label) {
    static const char *const heads[] = { "team::", "team:", "team/" };
    for (unsigned i = 0; i < sizeof heads / sizeof *heads; i++) {
        size_t n = strlen(heads[i]);
        if (label.len > n && str_eq_nocase(str_sub(label, 0, n), str_of(heads[i])))
            return str_trim(str_sub(label, n, label.len));
    }
    return STR("");
}
unsigned hook_labelled_teams_add(struct buf *b, struct doc labels, const char *key) {
    unsigned n = 0;
    for (struct doc c = doc_first(labels); c.node; c = doc_next(c)) {
        struct str team = hook_labelled_team(doc_text(c, key));
        if (!team.len) continue;
        hook_list_add(b, '\n', team);
        n++;
    }
    return n;
}
// Of those taken off the later leaves fewer, of those put on the later leaves more.
static uint8_t rank_of_teams(enum team_label what, unsigned n) {
    enum { COUNTED_MAX = 100 };
    if (n > COUNTED_MAX) n = COUNTED_MAX;
    if (what == TEAM_LABEL_REPEATED) return RANK_SAYS;
    return (uint8_t)(what == TEAM_LABEL_TAKEN ? RANK_WAITS + COUNTED_MAX - n : RANK_RUNS + COUNTED_MAX + n);
}
void say_labelled_teams(struct hook_in *in, struct str incident, int64_t time, struct doc labels,
                        const char *key, enum team_label what) {
    struct buf b;
    buf_init(&b, FACT_TEXT_MAX);
    unsigned n = hook_labelled_teams_add(&b, labels, key);
    if (!n && what != TEAM_LABEL_TAKEN) {
        buf_fini(&b);
        return;
    }
    struct say s = say_of(in, FACT_INCIDENT, incident, time, rank_of_teams(what, n));
    say_teams(&s, &b, what == TEAM_LABEL_TAKEN);
}
void say_labels(struct say *s, enum fact_field f, struct doc labels, const char *key) {
    struct buf b;
    buf_init(&b, FACT_TEXT_MAX);
    for (struct doc c = doc_first(labels); c.node; c = doc_next(c)) hook_list_add(&b, ',', doc_text(c, key));
    say_list(s, f, &b);
}
void say_none(struct say *s, enum fact_field f) {
    claim_none(s->to, f);
}
void say_word(struct say *s, enum fact_field f, const char *v) {
    claim_text(s->claims, s->to, f, str_of(v));
}
void say_time(struct say *s, enum fact_field f, int64_t ns) {
    claim_time(s->to, f, ns);
}
void say_int(struct say *s, enum fact_field f, int64_t v) {
    claim_int(s->to, f, v);
}
void say_real(struct say *s, enum fact_field f, double v) {
    claim_real(s->to, f, v);
}

static void say_path(struct say *s, struct doc d, const struct say_path *p) {
    int64_t i;
    double f;
    switch (fact_field_info(p->field)->type) {
    case FACT_TEXT: say_text(s, p->field, doc_id(d, p->path)); break;
    case FACT_TIME: say_time(s, p->field, doc_stamp(d, p->path)); break;
    case FACT_INT:
        if (doc_i64(d, p->path, &i)) say_int(s, p->field, i);
        break;
    case FACT_REAL:
        if (doc_f64(d, p->path, &f)) say_real(s, p->field, f);
        break;
    }
}

void say_paths(struct say *s, struct doc d, const struct say_path *paths, unsigned n) {
    for (unsigned i = 0; i < n; i++) say_path(s, d, &paths[i]);
}

int64_t time_or(int64_t time, int64_t otherwise) {
    return time ? time : otherwise;
}

int64_t doc_stamp(struct doc d, const char *path) {
    struct str s = doc_text(d, path), shown = str_sub(s, 0, 40);
    int64_t ns;
    if (s.len == 0) return 0;
    if (stamp_read(s, &ns)) return ns;
    doc_fail(d, path, "expected a time such as 2026-01-31T12:00:00Z, found \"%.*s\"", STR_ARG(shown));
    return 0;
}

int64_t doc_stamp_ms(struct doc d, const char *path) {
    int64_t ms;
    return doc_i64(d, path, &ms) ? stamp_of(ms, 1000000) : 0;
}

// --- words ---------------------------------------------------------------------------------------

const struct word *word_find(const struct word *words, unsigned n, struct str s) {
    for (unsigned i = 0; i < n; i++)
        if (str_eq_nocase(str_of(words[i].from), s)) return &words[i];
    return NULL;
}

void say_deploy(struct say *s, const struct word *w, int64_t time) {
    if (!w) return;
    say_word(s, DEPLOY_STATE, w->to);
    if (w->rank == RANK_WAITS) say_time(s, DEPLOY_QUEUED, time);
    if (w->rank == RANK_RUNS) say_time(s, DEPLOY_STARTED, time);
    if (w->rank == RANK_DONE) say_time(s, DEPLOY_ENDED, time);
    if (str_eq(str_of(w->to), STR("success"))) say_time(s, DEPLOY_SUCCEEDED, time);
}

const struct word *result_word(struct str s) {
    static const struct word words[] = {
        { "success", "success", RANK_DONE },
        { "passed", "success", RANK_DONE },
        { "pass", "success", RANK_DONE },
        { "failure", "failure", RANK_DONE },
        { "failed", "failure", RANK_DONE },
        { "fail", "failure", RANK_DONE },
        { "unstable", "failure", RANK_DONE }, // tests failed, the build ran
        { "error", "error", RANK_DONE },
        { "startup_failure", "error", RANK_DONE },
        { "timed_out", "timeout", RANK_DONE },
        { "timeout", "timeout", RANK_DONE },
        { "cancelled", "cancelled", RANK_DONE },
        { "canceled", "cancelled", RANK_DONE },
        { "cancel", "cancelled", RANK_DONE },
        { "aborted", "cancelled", RANK_DONE },
        { "stale", "cancelled", RANK_DONE },
        { "skipped", "skipped", RANK_DONE },
        { "skip", "skipped", RANK_DONE },
        { "neutral", "skipped", RANK_DONE },
        { "action_required", "skipped", RANK_DONE },
        { "not_built", "skipped", RANK_DONE },
    };
    return WORD(words, s);
}

int64_t severity_of(struct str s) {
    static const struct word words[] = {
        { "critical", "", 1 }, { "page", "", 1 },          { "disaster", "", 1 }, { "emergency", "", 1 },
        { "high", "", 2 },     { "error", "", 2 },         { "major", "", 2 },    { "warning", "", 3 },
        { "medium", "", 3 },   { "moderate", "", 3 },      { "minor", "", 3 },    { "low", "", 4 },
        { "info", "", 5 },     { "informational", "", 5 },
    };
    static const char *const prefixes[] = { "sev", "p", "s", "" };
    const struct word *w = WORD(words, s);
    uint64_t v;
    if (w) return w->rank;
    for (unsigned i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        struct str p = str_of(prefixes[i]);
        struct str rest = str_sub(s, p.len, s.len);
        if (!str_eq_nocase(str_sub(s, 0, p.len), p)) continue;
        if (str_starts(rest, STR("-"))) rest = str_sub(rest, 1, rest.len);
        if (str_u64(rest, &v) && v <= 9) return v ? (int64_t)v : 1; // some count from 0
    }
    return 0;
}

const char *author_kind(struct str login, struct str type) {
    if (login.len == 0) return "";
    return str_eq_nocase(type, STR("Bot")) || str_ends(login, STR("[bot]")) ? "bot" : "person";
}

bool hook_incident_label(struct str label) {
    return str_eq_nocase(label, STR("incident"));
}

void say_artifact(struct say *s, struct str image_or_purl) {
    if (image_or_purl.len == 0) return;
    struct key_artifact k = key_artifact(s->in->arena, image_or_purl);
    say_text(s, DEPLOY_VERSION, k.version);
    say_text(s, DEPLOY_DIGEST, k.digest);
    say_text(s, DEPLOY_SHA, k.sha);
}
