// SPDX-License-Identifier: Apache-2.0
// Linked with the placeholder page (UI=off), so that tests of C need no Node.
#include "api/assets.h"

#include <libdeflate.h>

#include "base/test.h"

TEST(assets_are_found_by_path) {
    const struct asset *a = asset_find(STR("/index.html"));
    CHECK(a != NULL && a == asset_find(STR("index.html")));
    CHECK_STR(a->mime, STR("text/html; charset=utf-8"));
    CHECK(a->etag.len == 18 && a->etag.ptr[0] == '"' && !a->immutable);
    CHECK(!asset_find(STR("")) && !asset_find(STR("/")) && !asset_find(STR("index.htm")));
    CHECK(!asset_find(STR("//index.html")) && !asset_find(STR("../Makefile")));
}

TEST(assets_hold_every_file_whole) {
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    for (size_t i = 0; i < asset_table_n; i++) {
        const struct asset *a = &asset_table[i];
        CHECK(i == 0 || str_cmp(asset_table[i - 1].path, a->path) < 0);
        char *text = mem_alloc(a->size);
        size_t n = 0;
        CHECK(text && libdeflate_gzip_decompress(d, a->gz.ptr, a->gz.len, text, a->size, &n) == 0);
        CHECK_U64(n, a->size);
        CHECK(str_starts((struct str){ text, n }, STR("<!doctype html>")));
        mem_free(text);
    }
    libdeflate_free_decompressor(d);
}

TEST(assets_have_a_shell_for_each_depth) {
    CHECK(asset_page(STR("/")) && asset_page(STR("/traces")) && asset_page(STR("/t/ab")));
    CHECK(asset_page(STR("/a/b/c")) && !asset_page(STR("/a/b/c/d")));
}
