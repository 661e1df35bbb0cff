// SPDX-License-Identifier: Apache-2.0
#include "intake/name.h"

#define NO_FIELD FACT_FIELD_COUNT

// Which fields of a kind are names.
static const struct named {
    enum fact_kind kind;
    enum fact_field service, environment, repo;
} named[] = {
#define NAMED(KIND, SERVICE, ENVIRONMENT, REPO, table, column) { FACT_##KIND, SERVICE, ENVIRONMENT, REPO },
#include "intake/name.def"
};

static struct fact_value *value_of(struct fact *f, enum fact_field field) {
    static struct fact_value none; // never written: it is not set
    return field == NO_FIELD ? &none : (struct fact_value *)(uintptr_t)fact_get(f, field);
}

static struct str host_and_path(struct str repo) {
    const struct str https = STR("https://");
    return str_starts(repo, https) ? str_sub(repo, https.len, repo.len) : repo;
}

static enum err settle(struct db *d, struct arena *a, const struct named *n, struct fact *f) {
    struct fact_value *service = value_of(f, n->service), *environment = value_of(f, n->environment);
    struct db_row *r;
    bool row;
    if (environment->set) environment->s = str_dup_lower(a, environment->s);
    if (!service->set) return ERR_OK;
    TRY(db_prepare(d,
                   "SELECT service, environment FROM foreign_name WHERE name = ?1 AND repo IN ('', ?2) ORDER "
                   "BY repo LIMIT 1",
                   &r));
    db_bind_text(r, 1, service->s);
    db_bind_text(r, 2, host_and_path(value_of(f, n->repo)->s));
    TRY(db_step(r, &row));
    if (!row) return ERR_OK;
    service->s = str_dup(a, db_text(r, 0));
    if (n->environment != NO_FIELD && !environment->set && db_text(r, 1).len)
        *environment = (struct fact_value){ .set = true, .s = str_dup(a, db_text(r, 1)) };
    db_reset(r);
    return ERR_OK;
}

enum err name_settle(struct db *d, struct arena *a, enum fact_kind k, struct fact *f) {
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        if (named[i].kind == k) TRY(settle(d, a, &named[i], f));
    return a->failed ? ERR_NOMEM : ERR_OK;
}
