// SPDX-License-Identifier: Apache-2.0
#include "delivery/file_parts.h"

#include "base/test.h"

static struct arena arena;

static struct str parts(const char *path, const char *old, const char *new) {
    struct file_parts f;
    struct buf b;
    CHECK_OK(file_parts_of(&arena, file_kind_of(str_of(path)), str_of(path), test_exact(str_of(old)),
                           test_exact(str_of(new)), &f));
    buf_init(&b, 1 << 16);
    for (uint32_t i = 0; i < f.n; i++)
        buf_fmt(&b, "%s%c %.*s(%.*s>%.*s)", i ? " " : "", "MAD"[f.items[i].how], STR_ARG(f.items[i].name),
                STR_ARG(f.items[i].old), STR_ARG(f.items[i].new));
    struct str s = str_dup(&arena, buf_view(&b));
    buf_fini(&b);
    return s;
}

TEST(file_parts_are_keys_and_dependencies) {
    static const struct {
        const char *path, *old, *new, *want;
    } rows[] = {
        { "values.yaml", "a: 1\nb:\n  c: secret\n  d: [1, 2]\n",
          "a: 1\nb:\n  c: other\n  d: [1, 2, 3]\ne: x\n", "M b.c(>) A b.d.2(>) A e(>)" },
        { "app.json", "{\"a\":{\"b\":1},\"c\":[]}", "{\"c\":[]}", "D a.b(>)" },
        { "values.yaml", "", "a: 1\n", "A a(>)" },
        { "values.yaml", "a: [\n", "a: 1\n", "" }, // cannot be read
        { "main.tf", "a", "b", "" },               // of another format
        { "package.json", "{\"name\":\"x\",\"dependencies\":{\"a\":\"^1\",\"b\":\"2\"}}",
          "{\"name\":\"y\",\"dependencies\":{\"a\":\"^2\"},\"devDependencies\":{\"c\":\"3\"}}",
          "M a(^1>^2) D b(2>) A c(>3)" },
        { "x/go.mod", "module m\n\ngo 1.22\n\nrequire (\n\ta.org/x v1.0.0\n\tb.org/y v2.0.0 // indirect\n)\n",
          "module m\n\ngo 1.23\n\nrequire a.org/x v1.1.0\n", "M a.org/x(v1.0.0>v1.1.0) D b.org/y(v2.0.0>)" },
        { "requirements.txt", "a==1 # why\nb[x]>=2\n-r other.txt\n", "a==1\r\nb[x]>=3\nc\n",
          "M b([x]>=2>[x]>=3) A c(>)" },
        { "requirements.txt", "p @ git+https://TOKEN@host/p\ngit+https://TOKEN@host/q\n",
          "p @ git+https://OTHER@host/p\ngit+https://OTHER@host/q\n", "M p(>)" },
        { "package.json", "{\"dependencies\":{\"a\":\"git+https://u:pw@host/a\"}}",
          "{\"dependencies\":{\"a\":\"1\"}}", "M a(>1)" },
        { "go.sum", "a v1 h1:x\n", "a v2 h1:y\n", "" },
    };
    arena_init(&arena, SIZE_MAX, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_STR(parts(rows[i].path, rows[i].old, rows[i].new), str_of(rows[i].want));
    arena_fini(&arena);
}

TEST(file_parts_of_a_large_file_are_none) {
    struct buf b;
    arena_init(&arena, SIZE_MAX, NULL);
    buf_init(&b, 1 << 20);
    for (unsigned i = 0; i <= FILE_PARTS_MAX; i++) buf_fmt(&b, "k%u: 1\n", i);
    buf_char(&b, '\0');
    CHECK_STR(parts("a.yaml", "", b.ptr), STR(""));
    buf_fini(&b);
    arena_fini(&arena);
}
