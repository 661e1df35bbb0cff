// SPDX-License-Identifier: Apache-2.0
// The relational store: one SQLite file, opened with the settings that Takt needs. Durable commits
// (WAL, synchronous=FULL), statements that are prepared once, values bound and never glued.
//
// SQL texts are literals (or built from names of our own tables), so a statement is known by the
// address of its text. Errors: ERR_CORRUPT (not a data base, or a damaged one), ERR_EXISTS (a
// constraint), ERR_LIMIT (disk full, a value too big), ERR_AGAIN (locked by another process),
// ERR_NOMEM, ERR_IO. thread: a db is used by one thread at a time.
#pragma once

#include "base/mem.h"
#include "base/str.h"

enum { DB_VALUE_MAX = 64 << 20 }; // bytes of one value or row

struct db;
struct db_row; // a statement that is being bound or read

enum db_mode {
    DB_WRITE,  // created when it is not there; to be opened by one writer
    DB_READ,   // must exist; writes nothing, also beside a writer of another process
    DB_MEMORY, // of this process only; the path is not used
};

// path: NUL-terminated. The context says what is wrong with the file.
NODISCARD enum err db_open(const char *path, enum db_mode mode, struct db **out, struct err_ctx *ctx);
void db_close(struct db *d); // NULL is fine
// Another connection on the same file, to read beside the writer.
NODISCARD enum err db_again(const struct db *d, struct db **out);

// Migrations, numbered from 1: text of one or more statements. Each runs once, in order, in a
// transaction with the number that it raises. ERR_UNSUPPORTED: the file is of a newer Takt.
NODISCARD enum err db_migrate(struct db *d, const char *const *texts, unsigned n, struct err_ctx *ctx);

NODISCARD enum err db_begin(struct db *d); // a transaction that writes
NODISCARD enum err db_commit(struct db *d);
void db_rollback(struct db *d); // nothing happens outside a transaction
// A part of a transaction: what is written after db_save goes again unless it is kept.
NODISCARD enum err db_save(struct db *d);
NODISCARD enum err db_save_end(struct db *d, bool keep);
NODISCARD enum err db_run(struct db *d, const char *sql); // statements without values
// Moves what stands in the log into the file and cuts the log, as far as readers let it. Outside
// transactions.
NODISCARD enum err db_fold(struct db *d);
// What the last error of this connection was, for people.
const char *db_error(const struct db *d);

// A statement, reset and without values. It stays the store's: use it again by asking again.
NODISCARD enum err db_prepare(struct db *d, const char *sql, struct db_row **out);
// Values are numbered from 1. Text and blobs must live until the last step.
void db_bind_i64(struct db_row *r, int at, int64_t v);
void db_bind_f64(struct db_row *r, int at, double v);
void db_bind_text(struct db_row *r, int at, struct str v);
void db_bind_blob(struct db_row *r, int at, struct str v);
void db_bind_null(struct db_row *r, int at);
// The highest number of a value that the statement has: those above it may not be bound.
int db_values(struct db_row *r);
// *out_row: there is one to read. After the last, and after an error, the statement is reset.
NODISCARD enum err db_step(struct db_row *r, bool *out_row);
// Calls for each row that is left. The first error of a call ends it, with the statement reset.
NODISCARD enum err db_each(struct db_row *r, enum err (*each)(void *ctx, struct db_row *r), void *ctx);
NODISCARD enum err db_done(struct db_row *r); // steps once, expects no row
void db_reset(struct db_row *r);              // before the last row
// Columns are numbered from 0. Texts live until the next step or reset.
bool db_is_null(struct db_row *r, int at);
int64_t db_i64(struct db_row *r, int at);
double db_f64(struct db_row *r, int at);
struct str db_text(struct db_row *r, int at); // text or blob; empty for NULL
// Pages of so many MiB are kept in memory; 0: as many as at first. For work that touches all of them.
NODISCARD enum err db_cache(struct db *d, unsigned mib);
// The number in the first column of the only row of a statement without values; 0 for none, or NULL.
NODISCARD enum err db_number(struct db *d, const char *sql, int64_t *out);
int64_t db_last_id(const struct db *d);
uint64_t db_changes(const struct db *d); // rows of the last statement

// A copy of the whole store into a new file, consistent, while writers go on. ERR_EXISTS when the
// file is there. progress may be NULL; pages done and in all.
NODISCARD enum err db_backup(struct db *d, const char *path, void (*progress)(void *ctx, int done, int all),
                             void *ctx);
// The same, in memory.
NODISCARD enum err db_to_memory(struct db *d, struct db **out);
// The store's own check of its pages and indices. The first problem goes into ctx.
NODISCARD enum err db_check(struct db *d, struct err_ctx *ctx);
