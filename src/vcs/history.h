// SPDX-License-Identifier: Apache-2.0
// The commits reachable from given tips, read once into columns. Parents come before children; the order
// does not depend on the order of the tips. A caller that has commits already says so, and the walk stops
// there: a second run costs only what is new.
// As git reads them, but without replace references and grafts. thread: one at a time for each repository.
#pragma once

#include "vcs/commit.h"
#include "vcs/graph.h"
#include "vcs/repo.h"

enum {
    HISTORY_COMMITS_MAX = 2000000,      // of one run
    HISTORY_COMMIT_BYTES_MAX = 8 << 20, // a larger commit object is HISTORY_TOO_LARGE
    HISTORY_PEOPLE_MAX = 1000000,
    HISTORY_SUBJECT_MAX = 512, // bytes; longer ones are cut
    HISTORY_NAME_MAX = 256,    // bytes of a name or an address
};

struct history_in {
    const struct sha *tips; // of commits; see repo_tips, tags_read
    uint32_t n_tips;
    // Has the caller this commit? ERR_OK (and its generation, 0 when not known) or ERR_NOT_FOUND; other
    // errors end the run. NULL: it has none. Called once for each commit that the walk meets.
    enum err (*known)(void *ctx, const struct sha *id, uint32_t *out_generation);
    void *ctx;
    int64_t now_ns;       // for STAMP_FUTURE
    uint32_t max_commits; // 0 = HISTORY_COMMITS_MAX
};

enum history_why {
    HISTORY_KNOWN,      // the caller has it
    HISTORY_MISSING,    // not in the repository: a shallow clone, a tip of another repository
    HISTORY_DAMAGED,    // there, but its bytes are not what its name says, or no commit
    HISTORY_TOO_LARGE,  // over HISTORY_COMMIT_BYTES_MAX
    HISTORY_NOT_COMMIT, // a tree, a file, a tag
    HISTORY_WHY_COUNT
};

// A commit that is named (by a tip, as a parent) but has no row.
struct history_outside {
    struct sha sha;
    enum history_why why;
    uint32_t generation; // of a known one
};

struct history_person {
    struct str name, email; // UTF-8
    uint64_t key;           // the same in every run: hash of the address in lower case, else of the name
};

struct history_trailer {
    enum trailer_kind kind;
    uint8_t n_hex;   // as in struct trailer
    uint32_t number; // of the reverted change
    uint32_t person; // the co-author
    struct sha sha;
};

// Columns of n rows, and what they point to. Lives in the arena.
struct history {
    uint32_t n;
    const struct sha *sha;
    const struct stamp *author_at, *commit_at;
    const uint32_t *author, *committer; // → people
    const struct graph_node *nodes;     // → parents
    const uint32_t *generation;         // 1 + the greatest of the parents, 1 without parents
    const struct str *subject;          // UTF-8
    const uint32_t *change;             // number of the pull or merge request, 0 = none (vcs/commit.h)
    const uint32_t *trailer_at;         // n + 1; of row i: trailers[trailer_at[i] .. trailer_at[i + 1])

    uint32_t n_parents, n_people, n_trailers, n_outside;
    const uint32_t *parents; // below n: a row; else outside[p - n]
    const struct history_person *people;
    const struct history_trailer *trailers;
    const struct history_outside *outside;
    const uint32_t *tips;              // of history_in, as parents
    uint32_t n_why[HISTORY_WHY_COUNT]; // of outside
};

// ERR_LIMIT: more than max_commits (the text says so); ERR_IO; ERR_CORRUPT: commits form a circle;
// ERR_NOMEM; what `known` returned.
// Commits that cannot be read are no error: they are outside, and counted in n_why.
NODISCARD enum err history_read(struct arena *a, struct repo *r, const struct history_in *in,
                                struct err_ctx *ctx, struct history *out);

static inline struct graph_view history_graph(const struct history *h) {
    return (struct graph_view){ h->n, h->n_parents, h->nodes, h->parents };
}
// Adds all rows to a graph, which may hold those that the caller had already; what is missing stays absent.
// ERR_LIMIT, ERR_NOMEM; then some rows were added.
NODISCARD enum err history_to_graph(const struct history *h, struct graph *g);
