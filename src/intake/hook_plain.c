// SPDX-License-Identifier: Apache-2.0
// Our own events, for scripts and the command line: type dev.takt.<table>, data = an object whose
// members are the fields of fact.def. Beside them: "id" (of the thing, in the sender's words), or
// "key" (of a fact that another source told of), and "time". Strict, so that a typing error is told.
#include "intake/hook_events.h"

// A state, its rank, and the times that it gives when the event names none.
struct state {
    enum fact_kind kind;
    const char *word; // "": of a kind without states
    uint8_t rank;
    enum fact_field times[2]; // 0, which is no time: none
};
static const struct state states[] = {
    { FACT_DEPLOY, "pending", 1, { DEPLOY_QUEUED } },
    { FACT_DEPLOY, "in_progress", 2, { DEPLOY_STARTED } },
    { FACT_DEPLOY, "success", 3, { DEPLOY_SUCCEEDED, DEPLOY_ENDED } },
    { FACT_DEPLOY, "failure", 3, { DEPLOY_ENDED } },
    { FACT_DEPLOY, "aborted", 3, { DEPLOY_ENDED } },
    { FACT_INCIDENT, "triggered", 1, { INCIDENT_DETECTED } },
    { FACT_INCIDENT, "acknowledged", 2, { INCIDENT_ACKNOWLEDGED } },
    { FACT_INCIDENT, "mitigated", 3, { INCIDENT_MITIGATED } },
    { FACT_INCIDENT, "resolved", 4, { INCIDENT_RESOLVED } },
    { FACT_CHANGE, "draft", 1, { CHANGE_OPENED } },
    { FACT_CHANGE, "open", 1, { CHANGE_OPENED } },
    { FACT_CHANGE, "merged", 3, { CHANGE_MERGED } },
    { FACT_CHANGE, "closed", 3, { CHANGE_CLOSED } },
    { FACT_REVIEW, "approved", 3, { REVIEW_SUBMITTED } },
    { FACT_REVIEW, "changes_requested", 3, { REVIEW_SUBMITTED } },
    { FACT_REVIEW, "commented", 2, { REVIEW_SUBMITTED } },
    { FACT_REVIEW, "dismissed", 4, { 0 } },
    { FACT_RUN, "queued", 1, { RUN_QUEUED } },
    { FACT_RUN, "waiting", 1, { 0 } },
    { FACT_RUN, "running", 2, { RUN_STARTED } },
    { FACT_RUN, "done", 3, { RUN_ENDED } },
    { FACT_TASK, "queued", 1, { TASK_QUEUED } },
    { FACT_TASK, "waiting", 1, { 0 } },
    { FACT_TASK, "running", 2, { TASK_STARTED } },
    { FACT_TASK, "done", 3, { TASK_ENDED } },
    { FACT_CANARY, "progressing", 2, { CANARY_STARTED } },
    { FACT_CANARY, "paused", 2, { 0 } },
    { FACT_CANARY, "promoted", 3, { CANARY_ENDED } },
    { FACT_CANARY, "failed", 3, { CANARY_ENDED } },
    { FACT_CANARY, "superseded", 3, { CANARY_ENDED } },
    { FACT_ALERT, "firing", 1, { ALERT_STARTED } },
    { FACT_ALERT, "resolved", 3, { ALERT_ENDED } },
    { FACT_TEST, "", 3, { TEST_ENDED } },
    { FACT_ARTIFACT, "", 3, { ARTIFACT_BUILT } },
    { FACT_FLAG, "", 3, { FLAG_CHANGED } },
    { FACT_VERDICT, "", 3, { VERDICT_AT } },
    { FACT_REPOSITORY, "", 3, { 0 } },
    { FACT_PUSHED, "", 3, { 0 } },
};

bool intake_kind(struct str name, enum fact_kind *out) {
    for (unsigned k = 0; k < FACT_KIND_COUNT; k++) {
        *out = (enum fact_kind)k;
        if (str_eq(name, str_of(fact_table(*out))))
            return *out != FACT_IMPACT && *out != FACT_ONSET && *out != FACT_CALL; // our own words
    }
    return false;
}

static bool field_find(enum fact_kind k, struct str name, enum fact_field *out) {
    enum fact_field first;
    unsigned n;
    fact_fields(k, &first, &n);
    for (unsigned i = 0; i < n; i++) {
        *out = (enum fact_field)(first + i);
        if (str_eq(name, str_of(fact_field_info(*out)->column))) return true;
    }
    return false;
}

// A time as text, or seconds (ms, µs, ns) since 1970, which shells have at hand.
static int64_t plain_time(struct doc d, const char *path) {
    struct doc at = doc_at(d, path);
    int64_t count;
    if (!at.node || at.node->kind != JSON_NUMBER) return doc_stamp(d, path);
    return doc_i64(d, path, &count) ? stamp_guess(count) : 0;
}

// null, and of some fields no text: there is none any more.
static bool ends(enum fact_field f, const struct doc_node *value) {
    bool empty = value->kind == JSON_NULL || (value->kind == JSON_STRING && !value->text.len);
    return empty && fact_field_info(f)->merge == FACT_LAST_OR_NONE;
}

void say_plain(struct say *s, struct doc d) {
    enum fact_field f;
    for (struct doc c = doc_first(d); c.node; c = doc_next(c)) {
        struct str key = c.node->key, shown = str_sub(key, 0, 60);
        if (str_eq(key, STR("id")) || str_eq(key, STR("key")) || str_eq(key, STR("time"))) continue;
        bool known = field_find(s->to->kind, key, &f);
        if (known && ends(f, c.node))
            say_none(s, f);
        else if (c.node->kind == JSON_NULL)
            continue;
        else if (!known)
            doc_fail(d, "", "\"%.*s\" is not a field of %s", STR_ARG(shown), fact_table(s->to->kind));
        else if (fact_field_info(f)->type == FACT_TIME)
            say_time(s, f, plain_time(c, ""));
        else
            say_paths(s, c, &(struct say_path){ f, "" }, 1);
    }
}

static const struct state *state_find(enum fact_kind kind, struct str word) {
    for (unsigned i = 0; i < sizeof states / sizeof *states; i++)
        if (states[i].kind == kind && str_eq(str_of(states[i].word), word)) return &states[i];
    return NULL;
}

static bool has_states(enum fact_kind kind) {
    return state_find(kind, STR("")) == NULL;
}

// A run or a task that has a result is done.
static struct str state_word(enum fact_kind kind, struct doc d) {
    struct str word = has_states(kind) ? doc_text(d, "state") : STR("");
    bool done = (kind == FACT_RUN || kind == FACT_TASK) && doc_has(d, "result");
    return word.len == 0 && done ? STR("done") : word;
}

static struct str parts_key(struct hook_in *in, enum fact_kind kind, struct doc d, int64_t time) {
    char stamp[STAMP_TEXT_SIZE];
    struct str digest = doc_text(d, "digest"), version = doc_text(d, "version");
    if (kind == FACT_DEPLOY) {
        struct str start = stamp_print(time_or(plain_time(d, "started_at"), time), stamp);
        struct str parts[] = { doc_text(d, "service"), doc_text(d, "environment"), doc_text(d, "target"),
                               version.len  ? version
                               : digest.len ? digest
                                            : doc_text(d, "sha"),
                               start };
        return key_hash(in->arena, parts, 5);
    }
    if (kind == FACT_VERDICT) {
        struct str parts[] = { doc_need(d, "incident"), doc_need(d, "rollout") };
        return key_hash(in->arena, parts, 2);
    }
    return STR("");
}

static struct str plain_key(struct hook_in *in, enum fact_kind kind, struct str event, struct doc d,
                            int64_t time) {
    struct str key = doc_text(d, "key"), id = doc_id(d, "id");
    if (key.len) return key;
    if (kind == FACT_REPOSITORY) return doc_need(d, "repo");
    if (id.len == 0 && kind == FACT_ARTIFACT && doc_has(d, "digest")) return doc_need(d, "digest");
    if (id.len == 0) id = parts_key(in, kind, d, time);
    if (id.len == 0) id = event;
    return str_fmt(in->arena, "takt:%.*s", STR_ARG(id));
}

// A word that is mistyped must not become its opposite.
static void need_verdict(struct doc d) {
    struct str says = doc_need(d, "says"), shown = str_sub(says, 0, 40);
    if (says.len && !str_eq(says, STR("confirm")) && !str_eq(says, STR("deny")))
        doc_fail(d, "says", "expected confirm or deny, found \"%.*s\"", STR_ARG(shown));
}

void plain_read(struct hook_in *in, enum fact_kind kind, struct str id, int64_t time, struct doc d) {
    struct doc o = doc_object(d, "");
    if (!o.node) {
        doc_fail(d, "", "expected an object with fields of %s as data", fact_table(kind));
        return;
    }
    struct str word = state_word(kind, o), shown = str_sub(word, 0, 40);
    const struct state *state = state_find(kind, word);
    if (word.len && !state)
        doc_fail(o, "state", "\"%.*s\" is not a state of %s", STR_ARG(shown), fact_table(kind));
    if (kind == FACT_VERDICT) need_verdict(o);
    time = time_or(plain_time(o, "time"), time);
    struct say s = say_of(in, kind, plain_key(in, kind, id, o, time), time, state ? state->rank : RANK_SAYS);
    for (unsigned i = 0; state && i < 2; i++)
        if (state->times[i]) say_time(&s, state->times[i], time);
    say_plain(&s, o);
    if (kind == FACT_CANARY && !doc_has(o, "most_weight"))
        say_paths(&s, o, &(struct say_path){ CANARY_MOST_WEIGHT, "weight" }, 1);
    if (kind == FACT_RUN) say_text(&s, RUN_STATE, word);
    if (kind == FACT_TASK) say_text(&s, TASK_STATE, word);
}
