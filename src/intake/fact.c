// SPDX-License-Identifier: Apache-2.0
#include "intake/fact.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "intake/name.h"

static const struct fact_field_info infos[FACT_FIELD_COUNT] = {
#define FACT(...)
#define FIELD(KIND, NAME, column, type, merge) \
    [KIND##_##NAME] = { FACT_##KIND, column, FACT_##type, FACT_##merge },
#include "intake/fact.def"
};
static const char *const tables[FACT_KIND_COUNT] = {
#define FACT(KIND, table) [FACT_##KIND] = table,
#define FIELD(...)
#include "intake/fact.def"
};

const struct fact_field_info *fact_field_info(enum fact_field f) {
    return &infos[f];
}
const char *fact_table(enum fact_kind k) {
    return tables[k];
}

void fact_fields(enum fact_kind k, enum fact_field *first, unsigned *n) {
    unsigned at = 0, end;
    while (infos[at].kind != k) at++;
    for (end = at; end < FACT_FIELD_COUNT && infos[end].kind == k;) end++;
    *first = (enum fact_field)at;
    *n = end - at;
}

static struct fact_value *slot(struct fact_value *values, enum fact_kind k, enum fact_field f) {
    enum fact_field first;
    unsigned n;
    ASSERT(infos[f].kind == k);
    fact_fields(k, &first, &n);
    return &values[f - first];
}

const struct fact_value *fact_get(const struct fact *f, enum fact_field field) {
    return slot((struct fact_value *)(uintptr_t)f->values, infos[field].kind, field);
}

// --- claims ------------------------------------------------------------------------------------------------

static _Thread_local struct claim nowhere; // takes what is said after a failure; its content is never read

void claims_begin(struct claims *c, struct arena *a) {
    *c = (struct claims){ .arena = a };
}

static struct claim *fail(struct claims *c, const char *why) {
    c->failed = true;
    if (!c->why.text[0]) (void)err_set(&c->why, ERR_INVALID, "%s", why);
    return NULL;
}

static bool grow(struct claims *c) {
    struct claim **items = arena_grow(c->arena, c->items, c->n, &c->cap, sizeof *items);
    if (items) c->items = items;
    return items != NULL;
}

struct claim *claims_add(struct claims *c, enum fact_kind kind, struct str key, int64_t time, uint8_t rank) {
    struct claim *made = NULL;
    if (key.len == 0 || key.len > FACT_KEY_MAX)
        fail(c, key.len ? "an id of more than 512 bytes" : "an empty id");
    else if (!str_is_utf8(key))
        fail(c, "an id that is not UTF-8");
    else if (grow(c))
        made = ARENA_NEW(c->arena, struct claim);
    if (!made) {
        c->failed = true;
        nowhere.kind = kind;
        return &nowhere;
    }
    *made = (struct claim){ .kind = kind, .key = str_dup(c->arena, key), .time = time, .rank = rank };
    c->items[c->n++] = made;
    return made;
}

// What things are told apart by: two names that differ past a cut would be one.
static bool is_name(enum fact_field f) {
    static const char *const names[] = { "service", "environment", "target",  "version", "digest",
                                         "repo",    "sha",         "rollout", "flag",    "team" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(infos[f].column, names[i]) == 0) return true;
    return false;
}

static struct str cut_text(struct str s) {
    if (s.len <= FACT_TEXT_MAX) return s;
    s.len = FACT_TEXT_MAX;
    while (s.len && ((unsigned char)s.ptr[s.len] & 0xc0) == 0x80) s.len--;
    return s;
}

void claim_text(struct claims *c, struct claim *to, enum fact_field f, struct str v) {
    if (v.len == 0 || to == &nowhere) return;
    if (!str_is_utf8(v)) {
        fail(c, "a text that is not UTF-8");
        return;
    }
    if (v.len > FACT_TEXT_MAX && is_name(f)) {
        char why[64];
        (void)snprintf(why, sizeof why, "%s: more than %d bytes", infos[f].column, FACT_TEXT_MAX);
        fail(c, why);
        return;
    }
    *slot(to->values, to->kind, f) = (struct fact_value){ .set = true, .s = str_dup(c->arena, cut_text(v)) };
}
void claim_none(struct claim *to, enum fact_field f) {
    ASSERT(infos[f].merge == FACT_LAST_OR_NONE);
    if (to != &nowhere) *slot(to->values, to->kind, f) = (struct fact_value){ .set = true };
}
void claim_int(struct claim *to, enum fact_field f, int64_t v) {
    if (to != &nowhere) *slot(to->values, to->kind, f) = (struct fact_value){ .set = true, .i = v };
}
void claim_time(struct claim *to, enum fact_field f, int64_t ns) {
    if (ns != 0) claim_int(to, f, ns);
}
void claim_real(struct claim *to, enum fact_field f, double v) {
    if (to != &nowhere) *slot(to->values, to->kind, f) = (struct fact_value){ .set = true, .f = v };
}

enum err claims_end(struct claims *c, struct err_ctx *ctx) {
    if (c->arena->failed) return ERR_NOMEM;
    return c->failed ? err_set(ctx, ERR_INVALID, "%s", c->why.text) : ERR_OK;
}

// --- what is said, as bytes --------------------------------------------------------------------------------
// A field number (one byte, from the first of the kind), then the value: 8 bytes, or a length of 4
// bytes and the text. In the order of the fields, so that the same claim is the same bytes.

static void put_value(struct buf *b, enum fact_type type, const struct fact_value *v) {
    uint32_t len = (uint32_t)v->s.len;
    if (type == FACT_TEXT) {
        buf_add(b, &len, sizeof len);
        buf_str(b, v->s);
    } else if (type == FACT_REAL) {
        buf_add(b, &v->f, sizeof v->f);
    } else {
        buf_add(b, &v->i, sizeof v->i);
    }
}

static void put_claim(struct buf *b, const struct claim *c) {
    enum fact_field first;
    unsigned n;
    fact_fields(c->kind, &first, &n);
    for (unsigned i = 0; i < n; i++) {
        if (!c->values[i].set) continue;
        buf_char(b, (char)i);
        put_value(b, infos[first + i].type, &c->values[i]);
    }
}

static bool take(struct str *s, void *out, size_t n) {
    if (s->len < n) return false;
    memcpy(out, s->ptr, n);
    *s = str_sub(*s, n, s->len);
    return true;
}

static bool take_value(struct str *s, enum fact_type type, struct fact_value *v) {
    uint32_t len;
    v->set = true;
    if (type == FACT_REAL) return take(s, &v->f, sizeof v->f);
    if (type != FACT_TEXT) return take(s, &v->i, sizeof v->i);
    if (!take(s, &len, sizeof len) || s->len < len) return false;
    v->s = str_sub(*s, 0, len);
    *s = str_sub(*s, len, s->len);
    return true;
}

static bool decides(enum fact_merge merge, enum fact_type type, const struct fact_value *old,
                    const struct fact_value *v) {
    if (!old->set || merge == FACT_LAST || merge == FACT_LAST_OR_NONE) return true;
    if (merge == FACT_FIRST) return false;
    bool less = type == FACT_REAL ? v->f < old->f : v->i < old->i;
    bool same = type == FACT_REAL ? v->f == old->f : v->i == old->i;
    return !same && less == (merge == FACT_LEAST);
}

// Adds one claim to a fact; claims come in their order.
static enum err fold(struct arena *a, enum fact_kind k, struct str body, struct fact *to) {
    enum fact_field first;
    unsigned n;
    unsigned char at;
    fact_fields(k, &first, &n);
    to->known = true;
    while (take(&body, &at, 1)) {
        struct fact_value v = { 0 };
        if (at >= n || !take_value(&body, infos[first + at].type, &v)) return ERR_CORRUPT;
        if (!decides(infos[first + at].merge, infos[first + at].type, &to->values[at], &v)) continue;
        if (infos[first + at].merge == FACT_LAST_OR_NONE) v.set = v.s.len > 0;
        if (v.s.len) v.s = str_dup(a, v.s);
        if (a->failed) return ERR_NOMEM;
        to->values[at] = v;
    }
    return ERR_OK;
}

// --- rows of a kind ----------------------------------------------------------------------------------------

// "INSERT … VALUES(?,?,…)" of every kind, one behind the other with a NUL between: statements are
// known by the address of their text.
static const char inserts[] = ""
#define FACT(KIND, table) ")\0INSERT OR REPLACE INTO \"" table "\" VALUES(?"
#define FIELD(...) ",?"
#include "intake/fact.def"
                              ")";
static const char *const selects[FACT_KIND_COUNT] = {
#define FACT(KIND, table) [FACT_##KIND] = "SELECT * FROM \"" table "\" WHERE key=?",
#define FIELD(...)
#include "intake/fact.def"
};

static const char *insert_of(enum fact_kind k) {
    const char *p = inserts;
    for (unsigned i = 0; i <= k; i++) p += strlen(p) + 1;
    return p;
}

void fact_read(struct db_row *r, struct arena *a, enum fact_kind k, struct fact *out) {
    enum fact_field first;
    unsigned n;
    fact_fields(k, &first, &n);
    memset(out, 0, sizeof *out);
    out->known = true;
    for (unsigned i = 0; i < n; i++) {
        struct fact_value *v = &out->values[i];
        if (db_is_null(r, (int)i + 1)) continue;
        v->set = true;
        if (infos[first + i].type == FACT_TEXT)
            v->s = str_dup(a, db_text(r, (int)i + 1));
        else if (infos[first + i].type == FACT_REAL)
            v->f = db_f64(r, (int)i + 1);
        else
            v->i = db_i64(r, (int)i + 1);
    }
}

enum err fact_load(struct db *d, struct arena *a, enum fact_kind k, struct str key, struct fact *out) {
    struct db_row *r;
    bool row;
    memset(out, 0, sizeof *out);
    TRY(db_prepare(d, selects[k], &r));
    db_bind_text(r, 1, key);
    TRY(db_step(r, &row));
    if (!row) return ERR_OK;
    fact_read(r, a, k, out);
    db_reset(r);
    return a->failed ? ERR_NOMEM : ERR_OK;
}

static enum err store(struct db *d, enum fact_kind k, struct str key, const struct fact *f) {
    enum fact_field first;
    unsigned n;
    struct db_row *r;
    fact_fields(k, &first, &n);
    TRY(db_prepare(d, insert_of(k), &r));
    db_bind_text(r, 1, key);
    for (unsigned i = 0; i < n; i++) {
        const struct fact_value *v = &f->values[i];
        if (!v->set)
            db_bind_null(r, (int)i + 2);
        else if (infos[first + i].type == FACT_TEXT)
            db_bind_text(r, (int)i + 2, v->s);
        else if (infos[first + i].type == FACT_REAL)
            db_bind_f64(r, (int)i + 2, v->f);
        else
            db_bind_i64(r, (int)i + 2, v->i);
    }
    return db_done(r);
}

// --- events to facts ---------------------------------------------------------------------------------------

static enum err keep_claim(struct db *d, const struct claim *c, struct str body, int64_t event,
                           bool *out_new) {
    struct db_row *r;
    TRY(db_prepare(d, "INSERT OR IGNORE INTO claim VALUES(?,?,?,?,?,?,?)", &r));
    db_bind_i64(r, 1, c->kind);
    db_bind_text(r, 2, c->key);
    db_bind_i64(r, 3, c->time);
    db_bind_i64(r, 4, c->rank);
    db_bind_i64(r, 5, (int64_t)hash_xxh64(body.ptr, body.len));
    db_bind_i64(r, 6, event);
    db_bind_blob(r, 7, body);
    TRY(db_done(r));
    *out_new = db_changes(d) > 0;
    return ERR_OK;
}

static enum err fold_claims(struct db *d, struct arena *a, enum fact_kind k, struct str key,
                            struct fact *out) {
    struct db_row *r;
    bool row;
    memset(out, 0, sizeof *out);
    TRY(db_prepare(d, "SELECT body FROM claim WHERE kind=? AND key=? ORDER BY time, rank, hash", &r));
    db_bind_i64(r, 1, k);
    db_bind_text(r, 2, key);
    for (;;) {
        TRY(db_step(r, &row));
        if (!row) return ERR_OK;
        enum err e = fold(a, k, db_text(r, 0), out);
        if (e != ERR_OK) {
            db_reset(r);
            return e;
        }
    }
}

static enum err tell_claim(struct arena *a, enum fact_kind k, struct db_row *r,
                           enum err (*visit)(void *ctx, int64_t time, const struct fact *said), void *ctx) {
    struct fact said = { 0 };
    TRY(fold(a, k, db_text(r, 1), &said));
    return visit(ctx, db_i64(r, 0), &said);
}

enum err fact_history(struct db *d, struct arena *a, enum fact_kind k, struct str key,
                      enum err (*visit)(void *ctx, int64_t time, const struct fact *said), void *ctx) {
    struct db_row *r;
    TRY(db_prepare(d, "SELECT time, body FROM claim WHERE kind=? AND key=? ORDER BY time, rank, hash", &r));
    db_bind_i64(r, 1, k);
    db_bind_text(r, 2, key);
    for (bool row;;) {
        TRY(db_step(r, &row));
        if (!row) return ERR_OK;
        enum err e = tell_claim(a, k, r, visit, ctx);
        if (e != ERR_OK) {
            db_reset(r);
            return e;
        }
    }
}

// The texts of one field, as they are told.
struct told {
    struct arena *a;
    enum fact_field field;
    struct str *texts;
    uint32_t n, cap;
};
static enum err add_text(void *ctx, int64_t time, const struct fact *said) {
    struct told *t = ctx;
    struct str text = fact_get(said, t->field)->s;
    (void)time;
    if (!text.len) return ERR_OK;
    struct str *more = arena_grow(t->a, t->texts, t->n, &t->cap, sizeof *more);
    if (!more) return ERR_NOMEM;
    t->texts = more;
    more[t->n++] = text;
    return ERR_OK;
}
static int order_texts(const void *a, const void *b) {
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

enum err fact_texts(struct db *d, struct arena *a, struct str key, enum fact_field field, struct str **out,
                    uint32_t *out_n) {
    struct told t = { .a = a, .field = field };
    uint32_t kept = 0;
    TRY(fact_history(d, a, infos[field].kind, key, add_text, &t));
    if (t.n) qsort(t.texts, t.n, sizeof *t.texts, order_texts);
    for (uint32_t i = 0; i < t.n; i++)
        if (!kept || !str_eq(t.texts[i], t.texts[kept - 1])) t.texts[kept++] = t.texts[i];
    *out = t.texts;
    *out_n = kept;
    return ERR_OK;
}

// A fact, from all its claims; as it was, and as it is now.
static enum err make_again(struct db *d, struct arena *a, enum fact_kind k, struct str key,
                           struct fact *before, struct fact *after) {
    TRY(fact_load(d, a, k, key, before));
    TRY(fold_claims(d, a, k, key, after));
    TRY(name_settle(d, a, k, after));
    return store(d, k, key, after);
}

enum err fact_settle(struct db *d, struct arena *a, enum fact_kind k, struct str key,
                     enum err (*changed)(void *ctx, const struct fact_change *ch), void *ctx) {
    struct fact before, after;
    TRY(make_again(d, a, k, key, &before, &after));
    return changed(ctx, &(struct fact_change){ k, key, &before, &after });
}

static enum err apply_one(struct db *d, struct arena *a, const struct claim *c, int64_t event,
                          struct buf *body, bool *out_new, struct fact *before, struct fact *after) {
    buf_reset(body);
    put_claim(body, c);
    if (body->failed) return ERR_NOMEM;
    TRY(keep_claim(d, c, buf_view(body), event, out_new));
    if (!*out_new) return ERR_OK;
    return make_again(d, a, c->kind, c->key, before, after);
}

enum err fact_apply(struct db *d, struct arena *a, const struct claims *c, int64_t event,
                    enum err (*changed)(void *ctx, const struct fact_change *ch), void *ctx) {
    struct buf body;
    enum err e = ERR_OK;
    buf_init(&body, SIZE_MAX);
    for (unsigned i = 0; i < c->n && e == ERR_OK; i++) {
        struct fact before, after;
        bool is_new;
        e = apply_one(d, a, c->items[i], event, &body, &is_new, &before, &after);
        if (e == ERR_OK && is_new && changed)
            e = changed(ctx, &(struct fact_change){ c->items[i]->kind, c->items[i]->key, &before, &after });
    }
    buf_fini(&body);
    return e;
}
