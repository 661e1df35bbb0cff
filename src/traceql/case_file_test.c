// SPDX-License-Identifier: Apache-2.0
#include "traceql/case_file_test.h"

#include "base/test.h"

struct str case_file_read(const char *name, char *room, size_t size) {
    char path[100];
    (void)snprintf(path, sizeof path, "tests/cases/traceql/%s.case", name);
    FILE *f = fopen(path, "rb");
    CHECK(f);
    size_t n = fread(room, 1, size, f);
    CHECK(n > 0 && n < size);
    (void)fclose(f);
    return (struct str){ room, n };
}

bool case_file_next(struct str *text, char mark, struct str *query, struct str *want) {
    const char *start = NULL;
    struct str line;
    while (text->len) {
        const char *at = text->ptr;
        (void)str_cut(*text, '\n', &line, text);
        if (!start && (line.len == 0 || str_starts(line, STR("# ")))) continue;
        if (!start) start = at;
        if (line.len == 0 || line.ptr[0] != mark || (line.len > 1 && line.ptr[1] != ' ')) continue;
        CHECK(at > start);
        *query = (struct str){ start, (size_t)(at - start) - 1 };
        *want = str_sub(line, 2, line.len);
        return true;
    }
    CHECK(!start);
    return false;
}
