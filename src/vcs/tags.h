// SPDX-License-Identifier: Apache-2.0
// The tags of a repository: what they point to, when they were made, the date that a name spells, and the
// patterns that names follow. thread: one at a time for each repository.
#pragma once

#include "vcs/commit.h"
#include "vcs/repo.h"

enum {
    TAGS_MAX = 200000,         // tags whose objects are read; a caller with more filters by name
    TAG_SHAPES_MAX = 500,      // patterns that are told apart
    TAG_SHAPE_BYTES_MAX = 256, // longer names have no pattern
};

// --- names. Pure. ------------------------------------------------------------------------------------

struct tag_date {
    int64_t ns; // UTC; midnight when no time is spelt
    bool has_time;
};
// The first date that is spelt in a name. YYYY from 1990 to 2099, MM and DD always two digits:
//   date          2024-05-01  2024.05.01  2024_05_01  20240501
//   then a time   one of - _ T t, then 1230  123005  12-30  12-30-05  12.30  12.30.05  12_30  12_30_05
//   as one number 202405011230  20240501123005
// A Z or z after the time changes nothing. No digit may stand right before or behind. A date that does not
// exist (2024-02-30) is none; a time that does not exist is not read, and the date stands alone.
// 23:59:60 is the next midnight.
bool tag_name_date(struct str name, struct tag_date *out);

// --- tags --------------------------------------------------------------------------------------------

struct tag {
    struct str name;   // without refs/tags/; UTF-8
    struct sha commit; // through nested tags
    bool is_annotated; // a tag object, not just a name
    bool has_tagger;   // created_at is when it was tagged; else when the commit was committed
    struct stamp created_at;
    bool has_date; // the name spells one
    struct tag_date date;
};

// A pattern: names that differ only in numbers and in hexadecimal ids.
struct tag_shape {
    struct str regex;   // ^v\d+\.\d+\.\d+$   finds exactly its names (ids: and names that look like them)
    struct str example; // the last one by name
    uint32_t n;         // names
    uint32_t n_dated;   // of those, names that spell a date
};

struct tags_in {
    bool (*want)(void *ctx, struct str name); // NULL: all. Counts for `tags`, not for `shapes`
    void *ctx;
    int64_t now_ns;    // for STAMP_FUTURE
    uint32_t max_tags; // 0 = TAGS_MAX
};

struct tags {
    struct tag *tags; // by name, byte order
    uint32_t n;
    uint32_t n_names;      // tags in the repository
    uint32_t n_not_wanted; // `want` said no
    uint32_t n_not_commit; // of a tree or a file
    uint32_t n_unreadable; // missing or damaged
    uint32_t n_cut;        // not read, because TAGS_MAX were

    struct tag_shape *shapes; // most names first
    uint32_t n_shapes;
    uint32_t n_shapeless; // names in none of the shapes: too long, or past TAG_SHAPES_MAX
};

// ERR_CORRUPT, ERR_IO, ERR_NOMEM. Results live in a.
NODISCARD enum err tags_read(struct arena *a, struct repo *r, const struct tags_in *in, struct err_ctx *ctx,
                             struct tags *out);
