// SPDX-License-Identifier: Apache-2.0
// The facts of delivery: deploys, incidents, changes, reviews, runs … as fact.def lists them. A fact
// is what all events together say of one thing. Each event makes claims; the fact is those claims
// folded in the order of the time that the source tells, then the rank of its state, then a hash of
// what is said. So the same events give the same facts in whatever order and however often they
// arrive, and facts can be thrown away and made again.
//
// Tables: one per kind, named as in fact.def (key TEXT PRIMARY KEY, then a column per field), and
// `claim`, which holds what was said. thread: as the db.
#pragma once

#include "facts/db.h"

enum fact_kind {
#define FACT(KIND, table) FACT_##KIND,
#define FIELD(...)
#include "intake/fact.def"
    FACT_KIND_COUNT
};
enum fact_field {
#define FACT(...)
#define FIELD(KIND, NAME, column, type, merge) KIND##_##NAME,
#include "intake/fact.def"
    FACT_FIELD_COUNT
};
enum fact_type { FACT_TEXT, FACT_INT, FACT_TIME, FACT_REAL };
enum fact_merge { FACT_LAST, FACT_FIRST, FACT_LEAST, FACT_MOST, FACT_LAST_OR_NONE };

enum {
    FACT_KEY_MAX = 512,      // bytes of a key
    FACT_TEXT_MAX = 4 << 10, // bytes of a text
    FACT_FIELDS_MAX = 32,    // of one kind
};

struct fact_field_info {
    enum fact_kind kind;
    const char *column;
    enum fact_type type;
    enum fact_merge merge;
};
const struct fact_field_info *fact_field_info(enum fact_field f);
const char *fact_table(enum fact_kind k);
// The fields of a kind are [first, first + n).
void fact_fields(enum fact_kind k, enum fact_field *first, unsigned *n);

struct fact_value {
    bool set;
    int64_t i; // INT, TIME
    double f;  // REAL
    struct str s;
};

// What one event says of one fact.
struct claim {
    enum fact_kind kind;
    struct str key;
    int64_t time; // ns UTC, as the source tells it
    uint8_t rank; // orders states of one time: queued < running < done
    struct fact_value values[FACT_FIELDS_MAX];
};
// All that an event says; in memory of the arena.
struct claims {
    struct arena *arena;
    struct claim **items;
    unsigned n, cap;
    bool failed; // out of memory, or a key that is empty or too long: claims_end tells
    struct err_ctx why;
};
void claims_begin(struct claims *c, struct arena *a);
// Never NULL; what is set on it after a failure goes nowhere.
struct claim *claims_add(struct claims *c, enum fact_kind kind, struct str key, int64_t time, uint8_t rank);
// Empty texts and times of 0 say nothing. A text that is too long is cut at a character;
// a name that is (of a service, an environment, a version …) fails the claims.
void claim_text(struct claims *c, struct claim *to, enum fact_field f, struct str v);
// That there is none (any more), of a field whose merge is LAST_OR_NONE.
void claim_none(struct claim *to, enum fact_field f);
void claim_int(struct claim *to, enum fact_field f, int64_t v);
void claim_time(struct claim *to, enum fact_field f, int64_t ns);
void claim_real(struct claim *to, enum fact_field f, double v);
NODISCARD enum err claims_end(struct claims *c, struct err_ctx *ctx);

// A fact as it stands: values of its kind, by field minus the first field. Texts live in the arena.
struct fact {
    bool known;
    struct fact_value values[FACT_FIELDS_MAX];
};
NODISCARD enum err fact_load(struct db *d, struct arena *a, enum fact_kind k, struct str key,
                             struct fact *out);
// What was said of a fact, one claim after the other in the order in which they are folded. The values
// of `said` are that claim's alone.
NODISCARD enum err fact_history(struct db *d, struct arena *a, enum fact_kind k, struct str key,
                                enum err (*visit)(void *ctx, int64_t time, const struct fact *said),
                                void *ctx);
// The row at hand of a SELECT * from the kind's table.
void fact_read(struct db_row *r, struct arena *a, enum fact_kind k, struct fact *out);
// Every text that any event claimed for a field, each once, by text: of a change all its heads.
NODISCARD enum err fact_texts(struct db *d, struct arena *a, struct str key, enum fact_field field,
                              struct str **out, uint32_t *out_n);
const struct fact_value *fact_get(const struct fact *f, enum fact_field field);

// Makes the tables when they are not there, or not as fact.def says: *out_changed, and all facts are
// to be made again from the events.
// derived: statements that drop and make the tables that are derived from facts.
NODISCARD enum err fact_tables(struct db *d, const char *derived, bool *out_changed);
// Forgets all facts and claims.
NODISCARD enum err fact_clear(struct db *d);
// Keeps the claims of an event and folds the facts that they are about anew. `changed` is told of
// each, before and after. Inside a transaction.
struct fact_change {
    enum fact_kind kind;
    struct str key;
    const struct fact *before, *after;
};
NODISCARD enum err fact_apply(struct db *d, struct arena *a, const struct claims *c, int64_t event,
                              enum err (*changed)(void *ctx, const struct fact_change *ch), void *ctx);
// Makes one fact again from its claims: what it is called may have changed (name.h).
NODISCARD enum err fact_settle(struct db *d, struct arena *a, enum fact_kind k, struct str key,
                               enum err (*changed)(void *ctx, const struct fact_change *ch), void *ctx);
