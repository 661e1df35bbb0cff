// SPDX-License-Identifier: Apache-2.0
// Where reading commands get their answers: from a server, or straight from a data directory.
// thread: main.
#pragma once

#include "app/app.h"
#include "ingest/ingest.h"

// The store of a directory, read without a lock and without writing anything.
struct reading {
    struct object_store *store;
    struct ingest *ingest;
    char wal_dir[1024];
};
// To be closed also after an error.
NODISCARD enum err reading_open(struct reading *r, const char *dir, struct err_ctx *ctx);
void reading_close(struct reading *r);

// The authorities that servers are trusted by from now on (--ca); without it $TAKT_CA, else the system's.
void trust_ca(const char *file);
// $TAKT_SERVER, or the usual address on this machine.
const char *default_server(void);
// GET of a path. The body is the caller's to free, whatever comes back. What a server refuses goes to stderr
// as it is. Returns an exit code.
int ask_server(const char *command, const char *server, const char *path, struct buf *body);
// DELETE of a path.
int delete_at_server(const char *command, const char *server, const char *path, struct buf *body);
// POST, with the bearer token of $TAKT_TOKEN when there is one.
int tell_server(const char *command, const char *server, const char *path, const char *content_type,
                struct str post, struct buf *body);
