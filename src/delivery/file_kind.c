// SPDX-License-Identifier: Apache-2.0
#include "delivery/file_kind.h"

const char *file_kind_text(enum file_kind k) {
    static const char *const texts[FILE_KIND_COUNT] = { "config", "dependency", "migration", "code",
                                                        "test",   "build",      "document",  "other" };
    return texts[k];
}

enum where { NAME, BEGINS, ENDS, FOLDER };

static const struct rule {
    enum file_kind kind;
    enum where where;
    struct str text;
} rules[] = {
#define RULE(kind, where, text) { FILE_##kind, where, STR(text) },
#include "delivery/file_kind.def"
#undef RULE
};

static bool is_within(struct str folders, struct str wanted) {
    struct str one;
    while (folders.len) {
        (void)str_cut(folders, '/', &one, &folders);
        if (str_eq_nocase(one, wanted)) return true;
    }
    return false;
}

static bool holds(const struct rule *r, struct str folders, struct str name) {
    size_t n = r->text.len;
    switch (r->where) {
    case NAME: return str_eq_nocase(name, r->text);
    case BEGINS: return str_eq_nocase(str_sub(name, 0, n), r->text);
    case ENDS: return name.len > n && str_eq_nocase(str_sub(name, name.len - n, n), r->text);
    case FOLDER: return is_within(folders, r->text);
    }
    return false;
}

// "V12__add_tax.sql", as Flyway numbers them.
static bool is_numbered(struct str name) {
    size_t i = 1;
    if (!name.len || !strchr("VvUuRr", name.ptr[0]) || !str_ends(name, STR(".sql"))) return false;
    while (i < name.len && ((name.ptr[i] >= '0' && name.ptr[i] <= '9') || strchr("._", name.ptr[i]))) i++;
    return i > 2 && name.ptr[i - 1] == '_' && name.ptr[i - 2] == '_';
}

enum file_kind file_kind_of(struct str path) {
    size_t at = path.len;
    while (at && path.ptr[at - 1] != '/') at--;
    struct str folders = str_sub(path, 0, at ? at - 1 : 0), name = str_sub(path, at, path.len);
    if (is_numbered(name)) return FILE_MIGRATION;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (holds(&rules[i], folders, name)) return rules[i].kind;
    return FILE_OTHER;
}
