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
    if (f.why.len) buf_fmt(&b, "not read: %.*s", STR_ARG(f.why));
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
        { "x/values.yaml", "a: [\n", "a: 1\n",
          "not read: before: values.yaml:2: this is not YAML: did not find expected node content" },
        { "app.json", "", "{", "not read: line 1, column 2: this is not JSON" },
        { "app.json", "{\n \"password\": s3cret}", "",
          "not read: before: line 2, column 14: this is not JSON" },
        { "package.json", "", "{\"dependencies\":{\"a\":\"1\" \x01",
          "not read: line 1, column 26: this is not JSON" },
        { "main.tf", "a", "b", "" }, // of another format
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

static struct str repeated(const char *before, const char *item, unsigned n, const char *after) {
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_str(&b, str_of(before));
    for (unsigned i = 0; i < n; i++) buf_str(&b, str_of(item));
    buf_str(&b, str_of(after));
    buf_char(&b, '\0');
    struct str s = str_dup(&arena, buf_view(&b));
    buf_fini(&b);
    return s;
}

TEST(file_parts_of_a_large_file_are_not_read_with_a_reason) {
    char key[FILE_PARTS_NAME_MAX + 2];
    arena_init(&arena, SIZE_MAX, NULL);
    memset(key, 'k', sizeof key);
    const struct {
        const char *path;
        struct str text;
        const char *want;
    } rows[] = {
        { "a.yaml", repeated("[", "1,", FILE_PARTS_MAX + 1, "1]"), "not read: more than 5000 names" },
        { "a.yaml", repeated("[", "[1],", FILE_PARTS_VALUES_MAX / 2, "1]"),
          "not read: a.yaml:1: more than 20000 values" },
        { "a.json", repeated("[", "[1],", FILE_PARTS_VALUES_MAX / 2, "1]"), NULL },
        { "a.yaml", repeated("", " ", FILE_PARTS_BYTES_MAX, "\n"), "not read: more than 262144 bytes" },
        { "a.yaml", str_fmt(&arena, "%.*s: [1]%c", FILE_PARTS_NAME_MAX - 1, key, 0),
          "not read: more than 500 bytes in one name" },
        { "a.yaml",
          repeated(str_fmt(&arena, "%.*s: [%c", FILE_PARTS_NAME_MAX - 10, key, 0).ptr, "1,",
                   FILE_PARTS_MAX - 1, "1]"),
          "not read: more than 1048576 bytes of names" },
        { "go.mod", repeated("", "a v1\n", FILE_PARTS_MAX + 1, ""), "not read: more than 5000 names" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct str got = parts(rows[i].path, "", rows[i].text.ptr);
        if (rows[i].want)
            CHECK_STR(got, str_of(rows[i].want));
        else
            CHECK(str_starts(got, STR("not read: ")) && got.len > 10);
    }
    arena_fini(&arena);
}

// However its values are nested: as many files as an answer reads, within what it may take.
TEST(file_parts_of_the_worst_files_fit_into_an_answer) {
    enum { FILES = 20, ANSWER_MAX = 256 << 20 };
    arena_init(&arena, SIZE_MAX, NULL);
    const struct str worst[] = {
        repeated("[", "1,", FILE_PARTS_BYTES_MAX / 2 - 2, "1]"),
        repeated("", "- - - -\n", FILE_PARTS_BYTES_MAX / 8 - 1, ""),
        repeated("k: [", "[a],", FILE_PARTS_MAX - 1, "a]"),
    };
    for (size_t i = 0; i < sizeof worst / sizeof *worst; i++) {
        struct arena answer;
        struct file_parts f;
        arena_init(&answer, ANSWER_MAX, NULL);
        struct str text = str_sub(worst[i], 0, worst[i].len - 1);
        for (unsigned n = 0; n < FILES; n++)
            CHECK_OK(file_parts_of(&answer, FILE_CONFIG, STR("a.yaml"), text, text, &f));
        arena_fini(&answer);
    }
    arena_fini(&arena);
}
