// SPDX-License-Identifier: Apache-2.0
// A git repository on this machine, opened for reading. Nothing in it is written, no hook and no
// command of its configuration is run, nothing is fetched. What it holds may be hostile: every object
// is checked against its name, and its size before it is unpacked.
// thread: one at a time for each repository; different ones in parallel.
#pragma once

#include "vcs/sha.h"

enum {
    REPO_TIPS_MAX = 100000,          // branches that repo_tips names
    REPO_REFS_BYTES_MAX = 256 << 20, // of the file packed-refs
    REPO_CACHE_BYTES_MAX = 64 << 20, // of unpacked objects, of all repositories together
    REPO_MAPPED_BYTES_MAX = 1 << 30, // of packs in memory maps, of all repositories together
    REPO_URL_MAX = 1024,             // bytes of a remote's address that is taken for an identity
    REPO_NAME_MAX = 1024,            // bytes of a name (a branch, a tag) that is looked at
};

struct repo;

// The path of a bare repository, of a folder with .git in it, or of that .git.
//   ERR_NOT_FOUND    no repository there (parents of the path are not searched)
//   ERR_INVALID      it belongs to another user: the text says how to allow it
//   ERR_UNSUPPORTED  SHA-256 names, or another extension that cannot be read
//   ERR_CORRUPT, ERR_LIMIT (packed-refs too large), ERR_IO, ERR_NOMEM
NODISCARD enum err repo_open(const char *path, struct err_ctx *ctx, struct repo **out);
void repo_close(struct repo *r); // NULL is fine

// What the repository is called everywhere: the address of the remote `origin` as repo_url_normalise
// gives it, else the absolute path (of the work tree, if there is one). Lives as long as r.
struct str repo_identity(const struct repo *r);
struct str repo_path(const struct repo *r); // absolute
bool repo_is_bare(const struct repo *r);
bool repo_is_shallow(const struct repo *r); // the history was cut off when it was cloned

// The branch that origin/HEAD names, else the one that HEAD names; "" when HEAD names a commit.
// out_tip is written and true is returned when the branch has a commit. out_name lives as long as r.
bool repo_default_branch(struct repo *r, struct str *out_name, struct sha *out_tip);

struct repo_tips {
    struct sha *tips; // ascending, each once
    uint32_t n;
    uint32_t n_skipped; // branches that name nothing readable, or past REPO_TIPS_MAX
};
// The commits that HEAD and all branches (local and remote) name. Results live in a.
NODISCARD enum err repo_tips(struct arena *a, struct repo *r, struct err_ctx *ctx, struct repo_tips *out);

// The object that a full or short name of a branch or tag, or at least 7 digits of a commit's sha,
// stands for; an annotated tag gives its commit. ERR_NOT_FOUND, ERR_INVALID (several commits begin so).
NODISCARD enum err repo_resolve(struct repo *r, struct str name, struct sha *out);

// One spelling for the addresses of one repository, without user, password and transport:
//   git@github.com:acme/shop.git, ssh://git@GitHub.com:22/acme/shop, https://u:p@github.com/acme/shop/
//   all give https://github.com/acme/shop
// The host is lower case, the path as spelt; a port stays only when http(s) needs it. false (and out
// untouched) for what names no host: paths, file://. Pure; the result lives in a; an empty out->ptr
// (NULL) means that memory ran out.
bool repo_url_normalise(struct arena *a, struct str url, struct str *out);
