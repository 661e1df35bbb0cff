// SPDX-License-Identifier: Apache-2.0
#include "api/known.h"

#define WHOSE "service environment team product tier"
#define WHEN "from to window calendar zone"
#define HOW "change clock rollbacks redeploys flag_age severity"

static const struct known {
    const char *path, *names; // names: with a blank between them
} known[] = {
    { "delivery/measures", WHOSE " " WHEN " " HOW " levels set" },
    { "delivery/trend", "measure step " WHOSE " from to window zone " HOW " levels" },
    { "delivery/calendar", WHOSE " " WHEN " change" },
    { "delivery/deploys", WHOSE " " WHEN " change limit" },
    { "delivery/incidents", WHOSE " " WHEN " limit" },
    { "delivery/alerts", WHOSE " to zone" },
    { "delivery/profile", WHOSE " " WHEN " " HOW },
    { "delivery/report", WHOSE " " WHEN " " HOW " levels" },
    { "delivery/ready", "service" },
    { "delivery/incident", "id" },
    { "delivery/deploy", "rollout" },
    { "delivery/changed", "rollout" },
    { "delivery/why", "figure limit then" },
    { "delivery/services", "" },
    { "delivery/catalogue", "" },
    { "delivery/intake", "" },
    { "delivery/reprocess", "" },
    { "delivery/history", "repository after" },
    { "delivery/impact", "rollout fresh" },
    { "delivery/versions", "service environment since start end" },
    { "compare", "service environment baseline candidate failIf since start end" },
};
enum { SHOWN_MAX = 24 }; // bytes of a wrong name in a message

static bool is_one_of(struct str name, struct str names) {
    struct str one;
    while (names.len) {
        (void)str_cut(names, ' ', &one, &names);
        if (str_eq(one, name)) return true;
    }
    return false;
}

static bool comes_again(const struct params *p, struct str rest, struct str name) {
    struct str other, value;
    while (params_next(p, &rest, &other, &value))
        if (str_eq(other, name)) return true;
    return false;
}

static enum err unknown(const struct known *k, struct str name, struct err_ctx *ctx) {
    struct str shown = str_sub(name, 0, SHOWN_MAX);
    return err_set(ctx, ERR_INVALID, "there is no parameter \"%.*s\" here; there are: %s", STR_ARG(shown),
                   k->names[0] ? k->names : "none");
}

enum err known_check(struct str path, const struct params *p, struct err_ctx *ctx) {
    const struct known *k = known, *end = known + sizeof known / sizeof *known;
    struct str rest = p->query, name, value;
    while (k < end && !str_eq(str_of(k->path), path)) k++;
    if (k == end) return ERR_OK;
    while (params_next(p, &rest, &name, &value)) {
        if (!is_one_of(name, str_of(k->names))) return unknown(k, name, ctx);
        if (!str_eq(name, STR("failIf")) && comes_again(p, rest, name))
            return err_set(ctx, ERR_INVALID, "%.*s: given twice", STR_ARG(name));
    }
    return ERR_OK;
}
