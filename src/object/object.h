// SPDX-License-Identifier: Apache-2.0
// Where blocks and catalog snapshots live: named byte strings that never change once they are
// there. Keys are relative paths ("blocks/single-tenant/01J…/spans.parquet"), at most
// OBJECT_KEY_MAX bytes, made of letters, digits, and ._-/ ; no empty, "." or ".." part, none longer
// than OBJECT_PART_MAX. A key that is also the folder of another is left undefined.
// Backends: file (a directory through os/disk) and mem (for tests); S3 later.
// Errors: ERR_NOT_FOUND, ERR_EXISTS, ERR_LIMIT (full), ERR_IO, ERR_NOMEM, ERR_INVALID (a bad key).
// thread: any.
#pragma once

#include "base/str.h"

enum { OBJECT_KEY_MAX = 512, OBJECT_PART_MAX = 255 };

struct object_store;
struct object_writer;

struct object_ops {
    // Streams a new object. It may become visible before `finish`, and is durable (bytes, folder
    // and parent folders) once finish returned ERR_OK. abort removes what was written; so does a
    // finish that fails. ERR_EXISTS if the key is taken.
    enum err (*create)(struct object_store *s, struct str key, struct object_writer **out);
    enum err (*write)(struct object_writer *w, const void *src, size_t n);
    enum err (*finish)(struct object_writer *w); // frees w, whatever it returns
    void (*abort)(struct object_writer *w);

    // Creates the object whole or not at all, and durably; ERR_EXISTS if somebody else was first.
    // After another error it may be there or not (but whole): read it to know.
    enum err (*put_if_absent)(struct object_store *s, struct str key, struct str content);

    // Reads exactly n bytes at off; fewer there: ERR_CORRUPT.
    enum err (*read)(struct object_store *s, struct str key, uint64_t off, void *dst, size_t n);
    enum err (*size)(struct object_store *s, struct str key, uint64_t *out);
    // Gone already: ERR_OK. After a crash a removed object may be there again.
    enum err (*remove)(struct object_store *s, struct str key);
    // Calls each for the keys that begin with prefix, in byte order, until it returns an error.
    // `after` (may be "") skips the keys <= it.
    enum err (*list)(struct object_store *s, struct str prefix, struct str after, void *ctx,
                     enum err (*each)(void *ctx, struct str key, uint64_t size_bytes));
    void (*close)(struct object_store *s);
};

struct object_store {
    const struct object_ops *ops;
};

struct disk;
// Keys are files below a directory, which is created if it is not there. Opening and reading change
// nothing else; the first put_if_absent removes temporary files that a crash left behind.
NODISCARD enum err object_file_open(struct disk *disk, const char *dir, struct object_store **out);
NODISCARD enum err object_mem_open(struct object_store **out);
