// SPDX-License-Identifier: Apache-2.0
#include "delivery/answer_rollback.h"

#include "base/test.h"
#include "delivery/answer_deploy.h"
#include "delivery/fixture_test.h"

static struct delivery *shop;
static struct arena arena;
static unsigned events;

static void begin(void) {
    arena_init(&arena, SIZE_MAX, NULL);
    shop = fixture_delivery(test_dir());
}
static void end(void) {
    delivery_close(shop);
    arena_fini(&arena);
}

// source: of the hook; minute: after ten
static void deploy(const char *source, const char *version, int minute) {
    struct str body = str_fmt(
        &arena,
        "{\"specversion\":\"1.0\",\"id\":\"%u\",\"source\":\"t\",\"type\":\"dev.takt.deploy\",\"time\":"
        "\"2026-01-02T10:%02d:00Z\",\"data\":{\"key\":\"%s:%s\",\"service\":\"shop\",\"environment\":"
        "\"production\",\"version\":\"%s\",\"state\":\"success\",\"started_at\":\"2026-01-02T10:%02d:00Z\","
        "\"ended_at\":\"2026-01-02T10:%02d:30Z\"}}",
        ++events, minute, source, version, version, minute, minute);
    CHECK_U64(fixture_take(shop, "events", "", body, 1790000000000000000ll).aside, 0);
}

static enum err run_it(struct db *db, void *ctx) {
    return db_run(db, *(const char *const *)ctx);
}
static void run(const char *sql) {
    CHECK_OK(delivery_write(shop, run_it, &sql));
}

// The member "rollback", as it is written.
static struct str rollback_of(const char *key) {
    struct buf b;
    struct err_ctx ctx = { 0 };
    buf_init(&b, 1 << 20);
    struct json_writer w = json_writer_on(&b);
    CHECK_OK(answer_deploy(shop, str_of(key), &w, &ctx));
    struct str said = str_dup(&arena, buf_view(&b)), name = STR("\"rollback\":");
    buf_fini(&b);
    const char *at = memmem(said.ptr, said.len, name.ptr, name.len);
    CHECK(at != NULL);
    if (!at) return STR("");
    struct str tail = str_sub(said, (size_t)(at - said.ptr) + name.len, said.len);
    return str_sub(tail, 0, (size_t)str_find(tail, '}') + 1);
}

TEST(answer_rollback_is_the_catalogues_else_the_tools_own) {
    begin();
    deploy("takt", "v1", 0);
    CHECK_STR(rollback_of("takt:v1"), STR("{\"why\":\"nothing is known to have run before it\"}"));
    deploy("takt", "it's v2", 10);
    CHECK_STR(rollback_of("takt:it's v2"),
              STR("{\"unset\":true,\"why\":\"the catalogue has no command for this service\"}"));
    deploy("argocd", "v3", 20);
    CHECK_STR(rollback_of("argocd:v3"),
              STR("{\"unset\":true,\"by\":\"suggestion\",\"tool\":\"Argo CD\",\"command\":"
                  "\"argocd app rollback shop\"}"));
    CHECK_STR(rollback_of("takt:it's v2"), STR("{\"why\":\"v3 was rolled out after it\"}"));
    run("INSERT INTO catalogue(service, derives, rollback) VALUES('shop', '', "
        "'undo {version} to {previous}')");
    CHECK_STR(rollback_of("argocd:v3"),
              STR("{\"by\":\"catalogue\",\"command\":\"undo v3 to 'it'\\\\''s v2'\"}"));
    deploy("flux", "v4", 30);
    (void)rollback_of("flux:v4"); // settles
    run("UPDATE rollout SET failure = 'traces' WHERE version = 'v3'");
    CHECK_STR(rollback_of("flux:v4"), STR("{\"why\":\"what ran before it failed\"}"));
    run("UPDATE rollout SET failure = NULL, change_kind = 'config'");
    CHECK_STR(rollback_of("flux:v4"),
              STR("{\"why\":\"the command takes back the service, and this changed something else\"}"));
    run("UPDATE rollout SET change_kind = 'service'");
    run("UPDATE catalogue SET rollback = NULL");
    CHECK_STR(rollback_of("flux:v4"), STR("{\"unset\":true,\"by\":\"suggestion\",\"tool\":\"Flux\",\"why\":"
                                          "\"{previous_sha}")); // cut at the first }: it is not known
    end();
}

TEST(answer_rollback_of_a_canary_of_argo_rollouts_is_a_suggestion) {
    begin();
    deploy("takt", "v1", 0);
    deploy("takt", "v2", 10);
    run("INSERT INTO canary(key, service) VALUES('argo-rollouts:u:h', 'shop')");
    CHECK_STR(rollback_of("takt:v2"),
              STR("{\"unset\":true,\"by\":\"suggestion\",\"tool\":\"Argo Rollouts\",\"command\":"
                  "\"kubectl argo rollouts undo shop\"}"));
    end();
}
