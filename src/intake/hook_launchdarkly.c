// SPDX-License-Identifier: Apache-2.0
// Webhooks of LaunchDarkly: entries of its audit log. They come in any order.
#include "intake/hook.h"

static const struct signature_form forms[] = {
    { SIGNATURE_HEX, SIGNATURE_SHA256, "X-LD-Signature", "", NULL },
};

// The part of "proj/shop:env/production:flag/new-cart" behind a name and its slash.
static struct str part_of(struct str resource, const char *name) {
    struct str one, head, tail;
    for (bool more = resource.len > 0; more;) {
        more = str_cut(resource, ':', &one, &resource);
        if (!str_cut(one, '/', &head, &tail) || !str_eq(head, str_of(name))) continue;
        (void)str_cut(tail, ';', &tail, &head); // tags
        return tail;
    }
    return STR("");
}

static bool contains(struct str s, const char *what) {
    return s.len && memmem(s.ptr, s.len, what, strlen(what)) != NULL;
}

static const char *action_word(struct str action, struct str title) {
    if (contains(title, "turned on")) return "on";
    if (contains(title, "turned off")) return "off";
    if (str_eq(action, STR("createFlag")) || str_eq(action, STR("cloneFlag"))) return "created";
    if (str_eq(action, STR("deleteFlag")) || contains(title, "archived")) return "archived";
    return "changed";
}

static void say_change(struct hook_in *in, struct doc d, struct str id, int64_t time) {
    struct doc access = doc_first(doc_array(d, "accesses"));
    struct str resource = doc_text(access, "resource"), actor = doc_text(d, "member.email");
    struct str flag = part_of(resource, "flag"), env = part_of(resource, "env");
    struct say s =
        say_of(in, FACT_FLAG, str_fmt(in->arena, "launchdarkly:%.*s", STR_ARG(id)), time, RANK_SAYS);
    say_text(&s, FLAG_NAME, flag.len ? flag : doc_text(d, "name"));
    say_text(&s, FLAG_PROJECT, part_of(resource, "proj"));
    if (!str_eq(env, STR("*"))) say_text(&s, FLAG_ENVIRONMENT, env);
    say_word(&s, FLAG_ACTION, action_word(doc_text(access, "action"), doc_text(d, "titleVerb")));
    say_text(&s, FLAG_ACTOR, actor);
    say_time(&s, FLAG_CHANGED, time);
}

static enum err launchdarkly_read(struct hook_in *in) {
    struct doc d;
    TRY(hook_document(in, in->r->body, &d));
    struct str kind = doc_text(d, "kind"), id = doc_id(d, "_id");
    int64_t time = time_or(doc_stamp_ms(d, "date"), in->r->received);
    if (!str_eq(kind, STR("flag"))) {
        hook_unknown(in, id, kind.len ? kind : STR("unknown"))->time = time;
        return hook_end(in);
    }
    struct str action = doc_text(doc_first(doc_array(d, "accesses")), "action");
    (void)hook_event(in, doc_need_id(d, "_id"), hook_type(in, kind, action), time);
    say_change(in, d, id, time);
    return hook_end(in);
}

const struct hook hook_launchdarkly = { "launchdarkly", HOOK_FORMS(forms), launchdarkly_read };
