// SPDX-License-Identifier: Apache-2.0
// The catalogue of services: who owns what, where its code lies, which environments are for what, and
// the targets that a team or service has set for itself. Read from a YAML file or from JSON of the same
// shape; docs/delivery.md describes it. Every key that is not known is an error. Pure.
// thread: any; constant once read.
#pragma once

#include "base/document.h"
#include "delivery/measure.h"

enum {
    CATALOGUE_SERVICES_MAX = 10000, // and teams
    CATALOGUE_LIST_MAX = 256,       // items of one list
    CATALOGUE_TEXT_MAX = 1000,      // bytes of one text
    CATALOGUE_TIER_MAX = 9,
};

struct catalogue_list {
    struct str *items;
    uint32_t n, cap;
};
struct catalogue_environment {
    struct str name, tier; // in lower case; production, staging, testing, development, other
};
struct catalogue_environments {
    struct catalogue_environment *items;
    uint32_t n, cap;
};
struct catalogue_name {           // what another tool calls a service
    struct str name, environment; // environment: where the name says one; else empty
};
struct catalogue_names {
    struct catalogue_name *items;
    uint32_t n, cap;
};
struct catalogue_target {
    enum measure measure;
    double value; // as measure_info.target has it: negative: at least its absolute value
};
struct catalogue_targets {
    struct catalogue_target *items;
    uint32_t n, cap;
};
struct catalogue_service {
    struct str name, owner, team, product, runbook, on_call; // empty: not told
    struct str rollback;                                     // a template; rollback.h
    uint32_t tier;                                           // 1 is the most important; 0: not told
    struct catalogue_list repositories;                      // as vcs/repo.h spells them
    struct catalogue_list paths;      // folders and files in a repository of several services
    struct catalogue_list depends_on; // names of services
    struct catalogue_names names;     // in other tools
    struct catalogue_environments environments;
    struct catalogue_targets targets;
};
struct catalogue_team {
    struct str name;
    struct catalogue_targets targets;
};
struct catalogue {
    struct catalogue_service *services; // by name
    uint32_t n_services;
    struct catalogue_team *teams; // by name
    uint32_t n_teams;
    struct catalogue_environments environments; // of every service that says nothing else
};

// ERR_INVALID: the place, what was found and what was expected. Everything lies in the document's arena.
NODISCARD enum err catalogue_read(struct document *d, struct catalogue *out);
// One service, as it stands under its name. The name is checked too.
NODISCARD enum err catalogue_read_service(struct document *d, struct str name, struct catalogue_service *out);
// file: for messages. Errors as yaml_read and catalogue_read.
NODISCARD enum err catalogue_read_yaml(struct str text, const char *file, struct arena *a,
                                       struct catalogue *out, struct err_ctx *ctx);
// As JSON of the same shape.
void catalogue_print(const struct catalogue *c, struct json_writer *w);
