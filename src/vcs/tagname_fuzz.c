// SPDX-License-Identifier: Apache-2.0
// Names of tags and addresses of remotes: a date lies in its years, a pattern describes each name once, and
// an address that was made uniform stays as it is when that is done again.
#include "vcs/repo.h"
#include "vcs/tag_shapes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_date(struct str name) {
    struct tag_date d;
    if (!tag_name_date(name, &d)) return;
    ASSERT(d.ns >= 631152000ll * 1000000000 && d.ns <= 4102444800ll * 1000000000 && d.ns % 1000000000 == 0);
}

static void check_url(struct arena *a, struct str url) {
    struct str once, twice;
    if (!repo_url_normalise(a, url, &once)) return;
    ASSERT(str_starts(once, STR("https://")) && str_is_utf8(once));
    if (once.len > REPO_URL_MAX || !repo_url_normalise(a, once, &twice)) return;
    ASSERT(twice.len <= once.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str rest = { (const char *)data, size }, name;
    struct tag_shapes shapes;
    struct tag_shape *list;
    struct arena a;
    uint32_t n, n_names = 0, n_seen;
    arena_init(&a, 1 << 24, NULL);
    tag_shapes_init(&shapes);
    while (rest.len) {
        (void)str_cut(rest, '\n', &name, &rest);
        check_date(name);
        check_url(&a, name);
        ASSERT(tag_shapes_add(&shapes, name) == ERR_OK);
        n_names++;
    }
    ASSERT(tag_shapes_list(&shapes, &a, &list, &n) == ERR_OK);
    n_seen = shapes.n_shapeless;
    for (uint32_t i = 0; i < n; i++) n_seen += list[i].n;
    ASSERT(n_seen == n_names);
    tag_shapes_fini(&shapes);
    arena_fini(&a);
    return 0;
}
