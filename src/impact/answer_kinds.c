// SPDX-License-Identifier: Apache-2.0
// Of a report as JSON: kinds of errors and calls that the new arm has and the old one has not, and the
// reverse.
#include <stdlib.h>

#include "impact/behind.h"
#include "impact/presence.h"

enum {
    KINDS_MAX = 40,       // of each list; counts are of all
    QUERY_MAX = 64 << 10, // bytes; a longer one is left out
};

struct kind {
    enum presence presence;
    uint64_t old, new;
    const struct signature_seen *error; // one of the two
    const struct callee_seen *call;
};
struct kinds {
    struct kind items[SIGNATURES_MAX]; // of calls there are fewer
    uint32_t n, of[PRESENCE_COUNT];
};
_Static_assert((int)CALLEES_MAX <= (int)SIGNATURES_MAX, "all calls fit");

static void put_text(struct json_writer *w, const char *key, struct str v) {
    if (!v.len) return;
    jw_key(w, str_of(key));
    jw_str(w, v);
}
static void put_u64(struct json_writer *w, const char *key, uint64_t v) {
    jw_key(w, str_of(key));
    jw_u64(w, v);
}

static struct presence_arms arms_of(const struct impact_report *r, const struct kinds *k) {
    struct presence_arms arms = { (double)r->judgement.old.effective, (double)r->judgement.new.effective,
                                  r->judgement.widening, 0 };
    for (uint32_t i = 0; i < k->n; i++) arms.n += !k->items[i].old != !k->items[i].new;
    return arms;
}

static int by_presence(const void *pa, const void *pb) {
    const struct kind *a = pa, *b = pb;
    uint64_t na = a->old + a->new, nb = b->old + b->new;
    if (a->presence != b->presence) return (a->presence > b->presence) - (a->presence < b->presence);
    return (na < nb) - (na > nb);
}

// What was not looked at whole may be anywhere.
static void judge(const struct impact_report *r, struct kinds *k, bool sure) {
    struct presence_arms arms = arms_of(r, k);
    for (uint32_t i = 0; i < k->n; i++) {
        struct kind *x = &k->items[i];
        x->presence = !sure ? PRESENCE_UNSURE : presence_of(x->old, x->new, &arms);
        // What somebody had in the week before is not new.
        if (sure && x->error && x->error->known && !x->old) x->presence = PRESENCE_SAME;
        k->of[x->presence]++;
    }
    if (k->n) qsort(k->items, k->n, sizeof *k->items, by_presence);
}

static void put_examples(struct json_writer *w, const struct arms_examples *e) {
    char hex[32];
    jw_key(w, STR("examples"));
    jw_array(w);
    for (uint32_t i = 0; i < e->n; i++) {
        hex_encode(e->of[i].trace_id, 16, hex);
        jw_str(w, (struct str){ hex, sizeof hex });
    }
    jw_array_end(w);
}

// Of the arm that has it, the new one where both do.
static void put_query(struct json_writer *w, const struct impact_report *r, const struct kind *k) {
    struct buf b;
    enum arm arm = k->new ? ARM_NEW : ARM_OLD;
    buf_init(&b, QUERY_MAX);
    bool any = k->error ? behind_error(&b, r, k->error, arm) : behind_call(&b, r, k->call, arm);
    if (any && !b.failed) put_text(w, "query", buf_view(&b));
    buf_fini(&b);
}

static void put_kind(struct json_writer *w, const struct impact_report *r, const struct kind *k) {
    jw_object(w);
    put_text(w, "state", str_of(presence_text(k->presence)));
    put_u64(w, "old", k->old);
    put_u64(w, "new", k->new);
    if (k->error) {
        put_text(w, "type", k->error->type);
        put_text(w, "message", k->error->message);
        put_text(w, "span", k->error->span);
        put_text(w, "frame", k->error->frame);
        put_examples(w, k->new ? &k->error->examples : &k->error->old_examples);
    } else {
        put_text(w, "to", k->call->to);
        put_text(w, "attribute", str_of(callees_attributes[__builtin_ctz(k->call->by)]));
        put_text(w, "operation", k->call->operation);
        put_examples(w, &k->call->examples);
    }
    put_query(w, r, k);
    jw_object_end(w);
}

static void put_kinds(struct json_writer *w, const struct impact_report *r, const char *name,
                      const struct kinds *k, const char *why) {
    jw_key(w, str_of(name));
    jw_object(w);
    for (unsigned i = 0; i < PRESENCE_COUNT; i++) put_u64(w, presence_text((enum presence)i), k->of[i]);
    if (why) put_text(w, "why", str_of(why));
    jw_key(w, STR("kinds"));
    jw_array(w);
    for (uint32_t i = 0; i < k->n && i < KINDS_MAX; i++) put_kind(w, r, &k->items[i]);
    jw_array_end(w);
    jw_object_end(w);
}

static const char *doubt(bool partial, bool cut) {
    return partial ? "not all of the traces were looked at"
           : cut   ? "there are more kinds than are counted"
                   : NULL;
}

static void put_errors(struct json_writer *w, const struct impact_report *r) {
    const struct signatures *s = r->signatures;
    struct kinds k = { .n = 0 };
    for (uint32_t i = 0; i < s->n; i++)
        k.items[k.n++] =
            (struct kind){ PRESENCE_UNSURE, s->items[i].n_old, s->items[i].n_new, &s->items[i], NULL };
    judge(r, &k, !s->partial);
    put_kinds(w, r, "errorKinds", &k, doubt(s->partial, s->cut));
}

// Things that are called, in one list; their operations in another.
static void put_calls(struct json_writer *w, const struct impact_report *r, bool operations) {
    const struct callees *c = r->callees;
    struct kinds k = { .n = 0 };
    for (uint32_t i = 0; i < c->n; i++) {
        const struct callee_seen *s = &c->items[i];
        if ((s->operation.len > 0) == operations)
            k.items[k.n++] = (struct kind){ PRESENCE_UNSURE, s->count[ARM_OLD], s->count[ARM_NEW], NULL, s };
    }
    judge(r, &k, !c->partial);
    put_kinds(w, r, operations ? "operations" : "calls", &k, doubt(c->partial, c->cut));
}

static void put_window(struct json_writer *w, const char *name, struct impact_window window) {
    jw_key(w, str_of(name));
    jw_object(w);
    jw_key(w, STR("from"));
    jw_i64_str(w, window.from);
    jw_key(w, STR("to"));
    jw_i64_str(w, window.to);
    jw_object_end(w);
}

void impact_put_kinds(struct json_writer *w, const struct impact_report *r) {
    if (!r->signatures || !r->callees) return;
    jw_key(w, STR("windows"));
    jw_object(w);
    put_window(w, "old", r->windows[ARM_OLD]);
    put_window(w, "new", r->windows[ARM_NEW]);
    jw_object_end(w);
    put_errors(w, r);
    put_calls(w, r, false);
    put_calls(w, r, true);
}
