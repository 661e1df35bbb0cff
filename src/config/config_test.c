// SPDX-License-Identifier: Apache-2.0
#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "config/config_internal.h"

static const char *fake_env(const char *name) {
    static const char *const rows[][2] = { { "HOST", "10.0.0.7" },
                                           { "DIR", "/srv/takt" },
                                           { "EMPTY", "" },
                                           { "AGE", "2d" },
                                           { "EVIL", "x\nlog: {level: debug}" },
                                           { "_A1", "$HOST ${HOST}" } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i][0], name) == 0) return rows[i][1];
    return NULL;
}

static enum err parse(const char *text, struct config *c, struct err_ctx *ctx) {
    struct config_source src = { .file = "takt.yaml", .text = test_exact(str_of(text)), .env = fake_env };
    return config_parse(&src, c, ctx);
}

static void load(const char *text, struct config *c) {
    struct err_ctx ctx = { 0 };
    enum err e = parse(text, c, &ctx);
    if (e != ERR_OK) printf("# %s\n", ctx.text);
    CHECK_OK(e);
}

TEST(config_defaults) {
    struct config c;
    load("", &c);
    CHECK_STR(c.data_dir, STR("./takt-data"));
    CHECK_STR(c.http_address.text, STR("127.0.0.1:3200"));
    CHECK(c.http_address.port == 3200 && !c.http_address.off);
    CHECK(c.otlp_grpc_address.port == 4317 && c.otlp_http_address.port == 4318);
    CHECK(c.otlp_http_cors_origins.n == 0); // a page is asked for, or may not send
    CHECK_U64(c.tls_cert_file.len, 0);
    CHECK_U64(c.memory_budget, 0);
    CHECK_U64(c.disk_budget, 0);
    CHECK_U64(c.disk_when_full, CONFIG_WHEN_FULL_REFUSE);
    CHECK_U64(c.retention, 30ull * 86400 * 1000000000);
    CHECK_U64(c.ingest_max_request_bytes, 16 << 20);
    CHECK_U64(c.ingest_max_decoded_bytes, 64 << 20);
    CHECK_U64(c.head_cut_spans, 250000);
    CHECK_U64(c.head_cut_bytes, 64 << 20);
    CHECK_U64(c.head_cut_age, 1800ull * 1000000000);
    CHECK_U64(c.wal_limit_bytes, 2ull << 30);
    CHECK(c.merge_enabled);
    CHECK_U64(c.query_timeout, 30ull * 1000000000);
    CHECK_U64(c.net_threads, 0);
    CHECK_U64(c.log_level, 1);
    config_fini(&c);
}

TEST(config_reads_every_type) {
    struct config c;
    load("# a comment\n"
         "data: {dir: /var/lib/takt}\n"
         "http:\n  address: ':3300'\n"
         "otlp:\n"
         "  grpc:\n    address: off\n"
         "  http:\n    address: \"[::1]:4318\"\n"
         "    cors_origins:\n    - https://a.example\n    - https://b.example\n"
         "tls:\n"
         "memory:\n  budget: 2GB\n"
         "disk:\n  budget: 1TiB\n  when_full: drop_oldest\n"
         "retention: 1w2d\n"
         "ingest: {max_request_bytes: 65536, max_decoded_bytes: 1 MiB}\n"
         "merge:\n  enabled: no\n"
         "query:\n  timeout: 1m30s500ms\n"
         "net:\n  threads: 3\n"
         "log:\n  level: warn\n",
         &c);
    CHECK_STR(c.data_dir, STR("/var/lib/takt"));
    CHECK(c.data_dir.ptr[c.data_dir.len] == '\0');
    CHECK_STR(c.http_address.text, STR(":3300"));
    CHECK(c.otlp_grpc_address.off);
    CHECK_STR(c.otlp_http_address.text, STR("[::1]:4318"));
    CHECK(c.otlp_http_cors_origins.n == 2);
    CHECK_STR(c.otlp_http_cors_origins.items[1], STR("https://b.example"));
    CHECK_U64(c.memory_budget, 2000000000);
    CHECK_U64(c.disk_budget, 1ull << 40);
    CHECK_U64(c.disk_when_full, CONFIG_WHEN_FULL_DROP_OLDEST);
    CHECK_U64(c.retention, 9ull * 86400 * 1000000000);
    CHECK_U64(c.ingest_max_request_bytes, 65536);
    CHECK_U64(c.ingest_max_decoded_bytes, 1 << 20);
    CHECK(!c.merge_enabled);
    CHECK_U64(c.query_timeout, 90500000000);
    CHECK_U64(c.net_threads, 3);
    CHECK_U64(c.log_level, 2);
    config_fini(&c);
}

TEST(config_names_the_line_and_the_mistake) {
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "dta:\n", "takt.yaml:1: unknown key \"dta\" (did you mean \"data\"?)" },
        { "http:\n  adress: x\n", "takt.yaml:2: unknown key \"adress\" (did you mean \"address\"?)" },
        { "otlp:\n  htpp:\n    address: x\n", "takt.yaml:2: unknown key \"htpp\" (did you mean \"http\"?)" },
        { "cors_origins: x\n", "unknown key \"cors_origins\" (did you mean \"otlp.http.cors_origins\"?)" },
        { "zzzzzzzz: 1\n", "takt.yaml:1: unknown key \"zzzzzzzz\"" },
        { "\n\nretention: 30\n",
          "takt.yaml:3: retention: expected a duration such as 30d, 1h30m or 500ms, found \"30\"" },
        { "retention: -1d\n", "expected a duration" },
        { "retention: 1.5h\n", "expected a duration" },
        { "retention: 3M\n", "expected a duration" },
        { "retention: 99999999999w\n", "expected a duration" },
        { "retention: 5m\n", "takt.yaml:1: retention: 5m is less than 1h, the least" },
        { "retention: 0\n", "less than 1h" },
        { "retention: ''\n", "expected a duration" },
        { "query:\n  timeout: 2h\n", "takt.yaml:2: query.timeout: 2h is more than 1h, the most" },
        { "memory:\n  budget: 1MB\n", "memory.budget: 1MB is less than 64MiB" },
        { "memory:\n  budget: 12 parsecs\n", "expected a size such as 256MiB or 2GB, found \"12 parsecs\"" },
        { "memory:\n  budget: 99999999TiB\n", "expected a size" },
        { "memory:\n  budget: 1.5GB\n", "expected a size" },
        { "net:\n  threads: two\n", "net.threads: expected a whole number, found \"two\"" },
        { "net:\n  threads: 1000\n", "1000 is more than 256" },
        { "merge:\n  enabled: maybe\n", "expected true or false, found \"maybe\"" },
        { "disk:\n  when_full: explode\n", "expected one of refuse|drop_oldest, found \"explode\"" },
        { "http:\n  address: 3200\n", "expected an address such as 127.0.0.1:3200" },
        { "http:\n  address: localhost:65536\n", "expected an address" },
        { "http:\n  address: 'a b:80'\n", "expected an address" },
        { "http:\n  address: '[::1:80'\n", "expected an address" },
        { "http:\n  address: 'host:'\n", "expected an address" },
        { "data:\n  dir: ''\n", "data.dir: expected a path" },
        { "data:\n  dir: \"a\\nb\"\n", "without control characters" },
        { "data:\n  dir: \"a\\0b\"\n", "without control characters" },
        { "data: x\n", "takt.yaml:1: data: expected a section, found a value" },
        { "data: [x]\n", "data: expected a section" },
        { "retention:\n  x: 1\n", "retention: expected a value, found a section" },
        { "retention: [1d]\n", "retention: expected one value, found a list" },
        { "otlp: {http: {cors_origins: [[a]]}}\n", "expected a list of plain values" },
        { "otlp: {http: {cors_origins: [a, '']}}\n", "expected a value in the list" },
        { "retention: 1d\nretention: 2d\n", "takt.yaml:2: the key \"retention\" comes twice" },
        { "http: {}\nhttp: {}\n", "the key \"http\" comes twice" },
        { "http: {address: off, address: off}\n", "the key \"address\" comes twice" },
        { "data: &a\n  dir: x\n", "anchors (&name) are not allowed" },
        { "data:\n  dir: *a\n", "aliases (*name) are not allowed" },
        { "retention: !!str 1d\n", "tags (!name) are not allowed" },
        { "? [a]\n: b\n", "expected a key" },
        { "- a\n", "expected \"key: value\" lines" },
        { "text", "expected \"key: value\" lines" },
        { "retention: 1d\n---\nretention: 2d\n", "takt.yaml:2: expected one document, found a second" },
        { "data:\n\tdir: x\n", "takt.yaml:2: this is not YAML" },
        { "data: {dir: x\n", "this is not YAML" },
        { "a: b: c\n", "takt.yaml:1:" },
        { "data:\n  dir: \xff\n", "this is not YAML" },
        { "data:\n  dir: ${NOPE}\n", "takt.yaml:2: data.dir: the environment variable NOPE is not set" },
        { "data:\n  dir: ${DIR\n", "no closing brace" },
        { "data:\n  dir: ${1X}\n", "\"1X\" is no name" },
        { "data:\n  dir: ${}\n", "\"\" is no name" },
        { "log:\n  level: ${EVIL}\n", "expected one of" }, // a variable is a value, never structure
        { "tls:\n  cert_file: a\n", "belong together" },
        { "tls:\n  client_ca_file: a\n", "needs tls.cert_file" },
        { "http:\n  address: :4317\notlp:\n  grpc:\n    address: :4317\n", "are the same" },
        { "ingest:\n  max_decoded_bytes: 1MiB\n", "is less than ingest.max_request_bytes" },
        { "wal:\n  limit_bytes: 64MiB\n", "at least twice" },
        { "disk:\n  budget: 64MiB\n",
          "disk.budget (64 MiB) leaves no room for data: head.cut_bytes (64 MiB) of it" },
        { "disk:\n  budget: 79MiB\n", "set disk.budget to 80 MiB or more" },
        { "disk: {budget: 79MiB}\nhead: {cut_bytes: 67108863}\n", "set disk.budget to 80 MiB or more" },
        { "disk: {budget: 64MiB}\nmemory: {budget: 400MiB}\n", "set disk.budget to 66 MiB or more" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct config c;
        struct err_ctx ctx = { 0 };
        enum err e = parse(rows[i].text, &c, &ctx);
        if (e != ERR_INVALID || !strstr(ctx.text, rows[i].want))
            printf("# %s -> %s\n", rows[i].text, ctx.text);
        CHECK(e == ERR_INVALID && strstr(ctx.text, rows[i].want));
    }
}

TEST(config_takes_a_disk_budget_with_room_beside_a_block) {
    static const char *const rows[] = { "disk: {budget: 80MiB}\n", "disk: {budget: 0}\n",
                                        "disk: {budget: 64MiB}\nhead: {cut_bytes: 48MiB}\n",
                                        "disk: {budget: 64MiB}\nmemory: {budget: 384MiB}\n" };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct config c;
        load(rows[i], &c);
        CHECK(c.disk_budget == 0 || c.disk_budget >= config_disk_least(&c));
        config_fini(&c);
    }
}

TEST(config_expands_the_environment) {
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "${DIR}", "/srv/takt" },
        { "${DIR}/x", "/srv/takt/x" },
        { "/a/${NOPE:-b}/c", "/a/b/c" },
        { "${EMPTY:-x}", "x" },
        { "${EMPTY}y", "y" },
        { "${DIR:-x}", "/srv/takt" },
        { "${NOPE:-a:-b}", "a:-b" },
        { "$$DIR $HOST $", "$DIR $HOST $" },
        { "$${DIR}", "${DIR}" },
        { "${_A1}", "$HOST ${HOST}" }, // what comes out is not looked at again
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[100];
        struct config c;
        (void)snprintf(text, sizeof text, "data: {dir: \"%s\"}", rows[i].text);
        load(text, &c);
        CHECK_STR(c.data_dir, str_of(rows[i].want));
        config_fini(&c);
    }
    struct config c;
    load("http: {address: '${HOST}:${PORT:-3200}'}\nretention: ${AGE}\notlp: {http: {cors_origins: "
         "['${HOST}']}}",
         &c);
    CHECK_STR(c.http_address.text, STR("10.0.0.7:3200"));
    CHECK_U64(c.retention, 2ull * 86400 * 1000000000);
    CHECK_STR(c.otlp_http_cors_origins.items[0], STR("10.0.0.7"));
    config_fini(&c);
}

TEST(config_flags_win) {
    struct config_override o[] = { { "--http", STR("http.address"), STR(":1") },
                                   { "--data", STR("data.dir"), STR("${DIR}") },
                                   { "--cors", STR("otlp.http.cors_origins"), STR("https://a, https://b") } };
    struct config_source src = {
        .file = "f", .text = STR("http: {address: ':2'}"), .overrides = o, .n_overrides = 3
    };
    struct config c;
    struct err_ctx ctx = { 0 };
    CHECK_OK(config_parse(&src, &c, &ctx));
    CHECK_STR(c.http_address.text, STR(":1"));
    CHECK_STR(c.data_dir, STR("${DIR}")); // the shell has expanded already
    CHECK(c.otlp_http_cors_origins.n == 2);
    CHECK_STR(c.otlp_http_cors_origins.items[1], STR("https://b"));
    config_fini(&c);
    o[0].value = STR("nowhere");
    CHECK(config_parse(&src, &c, &ctx) == ERR_INVALID);
    CHECK(strstr(ctx.text, "--http: expected an address"));
    ctx = (struct err_ctx){ 0 };
    o[0].name = STR("http.nothing");
    CHECK(config_parse(&src, &c, &ctx) == ERR_INVALID);
    CHECK(strcmp(ctx.text, "--http: there is no setting \"http.nothing\"") == 0);
}

TEST(config_limits) {
    char *text = malloc(CONFIG_FILE_MAX + 2);
    struct config c;
    struct err_ctx ctx = { 0 };
    CHECK(text);
    memset(text, '#', CONFIG_FILE_MAX + 1);
    text[CONFIG_FILE_MAX] = '\0';
    CHECK_OK(parse(text, &c, &ctx));
    config_fini(&c);
    text[CONFIG_FILE_MAX] = '#';
    text[CONFIG_FILE_MAX + 1] = '\0';
    CHECK(parse(text, &c, &ctx) == ERR_LIMIT);
    ctx = (struct err_ctx){ 0 };
    (void)strcpy(text, "tls: {cert_file: ");
    memset(text + strlen(text), 'x', 5000);
    (void)strcpy(text + 5000, "}");
    CHECK(parse(text, &c, &ctx) == ERR_INVALID && strstr(ctx.text, "longer than 4096"));
    ctx = (struct err_ctx){ 0 };
    (void)strcpy(text, "otlp: {http: {cors_origins: [");
    for (int i = 0; i <= CONFIG_LIST_MAX; i++) (void)strcat(text, "a,");
    (void)strcat(text, "]}}");
    CHECK(parse(text, &c, &ctx) == ERR_INVALID && strstr(ctx.text, "at most 256"));
    free(text);
}

// --- printing ----------------------------------------------------------------------------------

static void check_prints_the_same(const struct config *c) {
    struct buf once, twice;
    struct err_ctx ctx = { 0 };
    struct config again;
    buf_init(&once, 1 << 20);
    buf_init(&twice, 1 << 20);
    config_print(c, &once);
    CHECK(!once.failed);
    struct config_source src = { .file = "printed", .text = buf_view(&once), .env = fake_env };
    enum err e = config_parse(&src, &again, &ctx);
    if (e != ERR_OK) printf("# %s\n%.*s\n", ctx.text, STR_ARG(buf_view(&once)));
    CHECK_OK(e);
    config_print(&again, &twice);
    CHECK_STR(buf_view(&twice), buf_view(&once));
    for (size_t i = 0; i < config_settings.n; i++) { // and the values themselves, not only their text
        const struct setting *s = &config_settings.rows[i];
        if (s->type != SETTING_SIZE && s->type != SETTING_DURATION && s->type != SETTING_COUNT) continue;
        CHECK_U64(*(const uint64_t *)setting_value(s, c), *(const uint64_t *)setting_value(s, &again));
    }
    CHECK_STR(again.data_dir, c->data_dir);
    config_fini(&again);
    buf_fini(&once);
    buf_fini(&twice);
}

TEST(config_print_loads_again) {
    struct config c;
    load("", &c);
    check_prints_the_same(&c);
    struct buf out;
    buf_init(&out, 1 << 20);
    config_print(&c, &out);
    buf_char(&out, '\0');
    static const char *const parts[] = { "\ndata:\n  # The directory",
                                         "\n  dir: \"./takt-data\"\n",
                                         "\notlp:\n  grpc:\n    # Where",
                                         "\n  http:\n    # Where traces",
                                         "    cors_origins: []\n",
                                         "\nretention: 30d\n",
                                         "# Default: 16MiB (size, at least 64KiB, at most 1GiB)\n",
                                         "  cut_age: 30m\n",
                                         "  when_full: refuse\n",
                                         "(refuse or drop_oldest)" };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (!strstr(out.ptr, parts[i])) printf("# missing: %s in\n%s", parts[i], out.ptr);
        CHECK(strstr(out.ptr, parts[i]));
    }
    buf_fini(&out);
    config_fini(&c);
}

TEST(config_print_keeps_odd_values) {
    struct config c;
    load("data: {dir: 'a \"b\" \\ $${HOST} gr\xc3\xbc\xc3\x9f: #x'}\nhttp: {address: off}\n"
         "otlp: {http: {cors_origins: []}}\nretention: 1d1ns\nmemory: {budget: 67108865}\n"
         "query: {timeout: 1h}\nwal: {limit_bytes: 3000000KB}",
         &c);
    CHECK_STR(c.data_dir, STR("a \"b\" \\ ${HOST} gr\xc3\xbc\xc3\x9f: #x"));
    check_prints_the_same(&c);
    config_fini(&c);
    for (int round = 0; round < 300; round++) {
        load("", &c);
        for (size_t i = 0; i < config_settings.n; i++) {
            const struct setting *s = &config_settings.rows[i];
            if (s->type != SETTING_SIZE && s->type != SETTING_DURATION && s->type != SETTING_COUNT) continue;
            uint64_t top = s->most ? s->most : UINT64_MAX, v = test_rand() >> test_below(64);
            if (v < s->least) v = s->least;
            *(uint64_t *)setting_slot(s, &c) = v > top ? top : v;
        }
        c.ingest_max_decoded_bytes = 2ull << 30; // what config_check asks for
        c.wal_limit_bytes |= 1ull << 32;
        c.disk_budget |= 1ull << 40;
        check_prints_the_same(&c);
        config_fini(&c);
    }
}

struct pocket {
    struct str token, name;
};
static const struct setting pocket_rows[] = {
    { "api.token", SETTING_SECRET, offsetof(struct pocket, token), "", 0, 0, "", "A token." },
    { "api.name", SETTING_STRING, offsetof(struct pocket, name), "", 0, 0, "", "A name." },
};

TEST(config_never_shows_a_secret) {
    struct settings t = { pocket_rows, 2 };
    struct pocket p = { .token = STR("hunter2"), .name = STR("n") };
    struct buf out;
    buf_init(&out, 4096);
    settings_print(t, &p, &out);
    settings_markdown(t, &out);
    buf_char(&out, '\0');
    CHECK(!strstr(out.ptr, "hunter2") && strstr(out.ptr, "# token: (set, not shown)"));
    struct arena a;
    struct err_ctx ctx = { 0 };
    arena_init(&a, 1 << 20, NULL);
    struct config_source src = { .file = "f", .text = STR("api: {token: \"hunter2\\n\"}") };
    CHECK(settings_read_yaml(t, &src, &a, &p, &ctx) == ERR_INVALID);
    CHECK(!strstr(ctx.text, "hunter2") && strstr(ctx.text, "api.token: expected"));
    src.text = STR("api: {token: other}");
    CHECK_OK(settings_read_yaml(t, &src, &a, &p, &ctx));
    CHECK_STR(p.token, STR("other"));
    arena_fini(&a);
    buf_fini(&out);
}

// docs/config.md is what the table says. TAKT_UPDATE=1 writes it anew.
TEST(config_docs_are_up_to_date) {
    struct buf want;
    char have[1 << 16];
    buf_init(&want, sizeof have);
    config_markdown(&want);
    CHECK(!want.failed);
    FILE *f = fopen("docs/config.md", getenv("TAKT_UPDATE") ? "w+" : "r");
    if (!f)
        test_fail(__FILE__, __LINE__, "docs/config.md is not there; run from the root, with TAKT_UPDATE=1");
    if (getenv("TAKT_UPDATE")) {
        (void)fwrite(want.ptr, 1, want.len, f);
        rewind(f);
    }
    size_t n = fread(have, 1, sizeof have, f);
    (void)fclose(f);
    if (!str_eq((struct str){ have, n }, buf_view(&want)))
        printf("# TAKT_UPDATE=1 writes docs/config.md anew\n");
    CHECK(str_eq((struct str){ have, n }, buf_view(&want)));
    buf_fini(&want);
}

// --- files and memory --------------------------------------------------------------------------

TEST(config_load_reads_a_file) {
    char path[300], missing[300];
    (void)snprintf(path, sizeof path, "%s/takt.yaml", test_dir());
    (void)snprintf(missing, sizeof missing, "%s/none.yaml", test_dir());
    FILE *f = fopen(path, "w");
    CHECK(f && fputs("retention: 5d\n", f) >= 0 && fclose(f) == 0);
    struct config c;
    struct err_ctx ctx = { 0 };
    struct config_source src = { .file = path };
    CHECK_OK(config_load(disk_real(), &src, &c, &ctx));
    CHECK_U64(c.retention, 5ull * 86400 * 1000000000);
    config_fini(&c);
    src.file = missing;
    CHECK(config_load(disk_real(), &src, &c, &ctx) == ERR_NOT_FOUND);
    CHECK(strstr(ctx.text, "cannot read ") && strstr(ctx.text, "none.yaml: not found"));
    ctx = (struct err_ctx){ 0 };
    src.file = "/";
    CHECK(config_load(disk_real(), &src, &c, &ctx) == ERR_INVALID);
    CHECK(strstr(ctx.text, "/ is a directory"));
    src.file = NULL;
    CHECK_OK(config_load(disk_real(), &src, &c, &ctx));
    config_fini(&c);
}

TEST(config_survives_memory_that_is_not_there) {
    bool done = false;
    for (uint64_t n = 1; !done && n < 2000; n++) {
        struct config c;
        struct err_ctx ctx = { 0 };
        mem_fail_at(n, true); // an arena that gets nothing asks again for less
        enum err e =
            parse("data: {dir: '${DIR}'}\notlp: {http: {cors_origins: [a, b, c]}}\nretention: 2d", &c, &ctx);
        done = mem_fail_seen() < n;
        mem_fail_at(0, false);
        if (e != (done ? ERR_OK : ERR_NOMEM))
            printf("# allocation %llu: %s %s\n", (unsigned long long)n, err_text(e), ctx.text);
        CHECK(e == (done ? ERR_OK : ERR_NOMEM));
        if (e == ERR_OK) config_fini(&c);
    }
    CHECK(done);
}
