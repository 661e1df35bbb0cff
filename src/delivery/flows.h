// SPDX-License-Identifier: Apache-2.0
// From facts to flows (flow.h): per repository and part, always from scratch. Which service a change or
// a run belongs to is said by the view `service_repo`: the services that ship the repository, or that the
// catalogue names for it.
//
// Tables: `stale_flow` (what is to be derived), `flow`, `flow_name` (apart, so that figures lie
// tight), `change_head` (all shas that were the head of a
// change), `rollout_merge` (merge commits that a rollout brought; they are no changes of their own).
// thread: as the db; inside a transaction.
#pragma once

#include "intake/fact.h"
#include "delivery/flow.h"

#define FLOWS_TABLES \
    "DROP VIEW IF EXISTS service_repo; DROP TABLE IF EXISTS stale_flow; DROP TABLE IF EXISTS flow;" \
    "DROP TABLE IF EXISTS change_head; DROP TABLE IF EXISTS rollout_merge; DROP TABLE IF EXISTS " \
    "delivered_before;" \
    "CREATE TABLE stale_flow(kind INTEGER NOT NULL, repo TEXT NOT NULL, part INTEGER NOT NULL, PRIMARY " \
    "KEY(kind, repo, part)) WITHOUT ROWID;" \
    "CREATE TABLE flow(kind INTEGER NOT NULL, repo TEXT NOT NULL, part INTEGER NOT NULL, figures BLOB NOT " \
    "NULL, PRIMARY KEY(kind, repo, part));" \
    "DROP TABLE IF EXISTS flow_name;" \
    "CREATE TABLE flow_name(kind INTEGER NOT NULL, repo TEXT NOT NULL, part INTEGER NOT NULL, names BLOB " \
    "NOT NULL, PRIMARY KEY(kind, repo, part));" \
    "CREATE TABLE change_head(repo TEXT NOT NULL, sha TEXT NOT NULL, change_key TEXT NOT NULL, PRIMARY " \
    "KEY(repo, sha, change_key)) WITHOUT ROWID;" \
    "CREATE TABLE rollout_merge(rollout INTEGER NOT NULL, sha BLOB NOT NULL, PRIMARY KEY(rollout, sha)) " \
    "WITHOUT ROWID;" \
    "CREATE INDEX rollout_merge_sha ON rollout_merge(sha);" \
    "CREATE INDEX rollout_commit_sha ON rollout_commit(sha);" \
    "CREATE TABLE delivered_before(sha BLOB NOT NULL, finished_at INTEGER, PRIMARY KEY(sha, finished_at)) " \
    "WITHOUT ROWID;" /* Histories and the catalogue name https://host/path, events host/path: both are \
                        meant. */ \
    "CREATE VIEW service_repo AS WITH ships(service, repo) AS (SELECT service, repo FROM series WHERE repo " \
    "<> '' UNION SELECT service, repo FROM catalogue_repo) SELECT service, repo FROM ships UNION SELECT " \
    "service, substr(repo, 9) FROM ships WHERE repo LIKE 'https://%';"

// Notes which parts a changed fact makes stale. For fact_apply.
NODISCARD enum err flows_note(struct db *d, const struct fact_change *c);
NODISCARD enum err flows_note_all(struct db *d);
// Before the rollouts of a service in an environment are derived anew, and afterwards: the changes
// whose delivery moved are noted.
NODISCARD enum err flows_before(struct db *d, struct str service, struct str environment);
NODISCARD enum err flows_after(struct db *d, struct str service, struct str environment);

// Derives at most n parts of what is stale. *out_left: more is.
NODISCARD enum err flows_some(struct db *d, unsigned n, bool *out_left);
