// SPDX-License-Identifier: Apache-2.0
// The catalogue in facts.db. It comes from one place: from a file, whose content it then is to the
// letter, or from the API. What it says of environments, paths and repositories decides rollouts, so a
// change makes those services stale. Tables: catalogue, catalogue_repo(service, repo), catalogue_path,
// catalogue_environment, catalogue_name, catalogue_dependency, catalogue_target, catalogue_source.
// thread: as the db; what writes, inside a transaction.
#pragma once

#include "delivery/catalogue.h"
#include "facts/db.h"

// The whole catalogue anew. file: its path; empty: from the API, which a file does not allow: ERR_EXISTS.
NODISCARD enum err catalogue_keep(struct db *d, const struct catalogue *c, struct str file,
                                  struct err_ctx *ctx);
NODISCARD enum err catalogue_keep_service(struct db *d, const struct catalogue_service *s,
                                          struct err_ctx *ctx);
// ERR_NOT_FOUND.
NODISCARD enum err catalogue_drop_service(struct db *d, struct str name, struct err_ctx *ctx);
// The file is no longer configured: its content stays, and the API may change it.
NODISCARD enum err catalogue_release(struct db *d);
// The file could not be read again; empty: it could. The catalogue stays as it is.
NODISCARD enum err catalogue_note_problem(struct db *d, struct str problem);

struct catalogue_source {
    struct str file, problem; // empty: from the API; no problem
};
NODISCARD enum err catalogue_load(struct db *d, struct arena *a, struct catalogue *out,
                                  struct catalogue_source *source);
// The tier of an environment of a service; empty: the catalogue does not say.
NODISCARD enum err catalogue_tier(struct db *d, struct arena *a, struct str service, struct str environment,
                                  struct str *out);
// The target that the service has set, else that of the team; false: neither. *whose: "service shop".
NODISCARD enum err catalogue_target_of(struct db *d, struct arena *a, struct str service, struct str team,
                                       enum measure m, double *out, struct str *whose);
