// SPDX-License-Identifier: Apache-2.0
// The files of the web app, inside the binary and compressed. tools/assets writes the table.
// thread: any.
#pragma once

#include "base/str.h"

struct asset {
    struct str path; // without a slash in front: assets/main-1A2B3C4D.js
    struct str mime;
    struct str etag; // with its quotes, of the content before compression
    struct str gz;   // the content in gzip
    size_t size;     // of the content before compression
    bool immutable;  // the name changes with the content: may be cached for ever
};

extern const struct asset asset_table[]; // by path, in byte order
extern const size_t asset_table_n;

// The file of a request's path (with or without a slash in front), or NULL.
const struct asset *asset_find(struct str path);

// The shell for a page of the app. It refers to its parts relative to the root, so there is one for
// each depth: /traces, /t/ID, /a/b/c. NULL for a deeper path.
const struct asset *asset_page(struct str path);
