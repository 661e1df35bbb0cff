// SPDX-License-Identifier: Apache-2.0
#include "api/assets.h"

const struct asset *asset_find(struct str path) {
    if (str_starts(path, STR("/"))) path = str_sub(path, 1, path.len);
    size_t lo = 0, hi = asset_table_n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = str_cmp(asset_table[mid].path, path);
        if (c == 0) return &asset_table[mid];
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

const struct asset *asset_page(struct str path) {
    static const char *const shells[] = { "index.html", "index-1.html", "index-2.html" };
    if (str_starts(path, STR("/"))) path = str_sub(path, 1, path.len);
    size_t depth = 0;
    for (size_t i = 0; i < path.len; i++) depth += path.ptr[i] == '/';
    if (depth >= sizeof shells / sizeof *shells) return NULL;
    const struct asset *shell = asset_find(str_of(shells[depth]));
    return shell ? shell : asset_find(STR("index.html")); // a page without parts fits every depth
}
