// SPDX-License-Identifier: Apache-2.0
#include "intake/signature.h"

#include "base/test.h"

static struct str hex_of(enum signature_hash hash, struct str key, struct str body, char *out) {
    unsigned char mac[SIGNATURE_HMAC_MAX];
    size_t n = signature_hmac(hash, key, &body, 1, mac);
    hex_encode(mac, n, out);
    return (struct str){ out, 2 * n };
}

// RFC 4231 (test cases 1, 2 and 6), RFC 2202 (case 2), and GitHub's documentation.
TEST(signature_published_vectors) {
    char out[64], key1[20], key6[131];
    memset(key1, 0x0b, sizeof key1);
    memset(key6, 0xaa, sizeof key6);
    CHECK_STR(hex_of(SIGNATURE_SHA256, (struct str){ key1, 20 }, STR("Hi There"), out),
              STR("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"));
    CHECK_STR(hex_of(SIGNATURE_SHA256, STR("Jefe"), STR("what do ya want for nothing?"), out),
              STR("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
    CHECK_STR(hex_of(SIGNATURE_SHA256, (struct str){ key6, 131 },
                     STR("Test Using Larger Than Block-Size Key - Hash Key First"), out),
              STR("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"));
    CHECK_STR(hex_of(SIGNATURE_SHA1, STR("Jefe"), STR("what do ya want for nothing?"), out),
              STR("effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"));
    CHECK_STR(hex_of(SIGNATURE_SHA256, STR("It's a Secret to Everybody"), STR("Hello, World!"), out),
              STR("757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"));
}

struct check {
    const char *source, *name, *value, *query, *body, *secret;
    const char *want; // NULL: taken
};
#define GITHUB_BODY "Hello, World!"
#define GITHUB_MAC "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
#define GITHUB_SECRET "It's a Secret to Everybody"

static const struct check checks[] = {
    { "github", "X-Hub-Signature-256", "sha256=" GITHUB_MAC, "", GITHUB_BODY, GITHUB_SECRET, NULL },
    { "github", "x-hub-signature-256", "sha256=" GITHUB_MAC, "", GITHUB_BODY, GITHUB_SECRET, NULL },
    { "github", "X-Hub-Signature-256", "sha256=" GITHUB_MAC, "", GITHUB_BODY "!", GITHUB_SECRET,
      "the signature in X-Hub-Signature-256 does not fit the body" },
    { "github", "X-Hub-Signature-256", "sha256=" GITHUB_MAC "00", "", GITHUB_BODY, GITHUB_SECRET,
      "the signature in X-Hub-Signature-256 does not fit the body" },
    { "github", "X-Hub-Signature-256", "sha256=75", "", GITHUB_BODY, GITHUB_SECRET,
      "the signature in X-Hub-Signature-256 does not fit the body" },
    { "github", "X-Hub-Signature-256", GITHUB_MAC, "", GITHUB_BODY, GITHUB_SECRET,
      "the signature in X-Hub-Signature-256 does not fit the body" },
    { "github", "X-Hub-Signature", "sha1=effcdf6ae5eb2fa2d27416d5f184df9c259a7c79", "",
      "what do ya want for nothing?", "Jefe", NULL },
    { "github", "Authorization", "Bearer " GITHUB_SECRET, "", GITHUB_BODY, GITHUB_SECRET,
      "the request is not signed: there is no X-Hub-Signature-256 or X-Hub-Signature" },
    { "pagerduty", "X-PagerDuty-Signature", "v1=00,v1=" GITHUB_MAC, "", GITHUB_BODY, GITHUB_SECRET, NULL },
    { "pagerduty", "X-PagerDuty-Signature", "v1=00, v2=" GITHUB_MAC, "", GITHUB_BODY, GITHUB_SECRET,
      "the signature in X-PagerDuty-Signature does not fit the body" },
    { "launchdarkly", "X-LD-Signature", GITHUB_MAC, "", GITHUB_BODY, GITHUB_SECRET, NULL },
    { "flux", "X-Signature", "sha256=" GITHUB_MAC, "", GITHUB_BODY, GITHUB_SECRET, NULL },
    { "grafana", "X-Grafana-Alerting-Signature", GITHUB_MAC, "", GITHUB_BODY, GITHUB_SECRET, NULL },
    { "grafana", "Authorization", "Bearer word", "", "{}", "word", NULL },
    { "grafana", "Authorization", "bearer  word", "", "{}", "word", NULL },
    { "grafana", "Authorization", "Basic dGFrdDp3b3Jk", "", "{}", "word", NULL }, // takt:word
    { "grafana", "Authorization", "Basic dGFrdDp3b3Jk", "", "{}", "words",
      "the token in Authorization is not a secret of this source" },
    { "unleash", "Authorization", "word", "", "{}", "word", NULL },
    { "gitlab", "X-Gitlab-Token", "word", "", "{}", "word", NULL },
    { "gitlab", "X-Gitlab-Token", "wor", "", "{}", "word",
      "the token in X-Gitlab-Token is not a secret of this source" },
    { "gitlab", "X-Other", "word", "", "{}", "word",
      "the request is not signed: there is no webhook-signature or X-Gitlab-Token" },
    { "jenkins", "X-Other", "word", "tok=word", "{}", "word",
      "the request is not signed: there is no Authorization or X-Takt-Token or token in the URL" },
    { "jenkins", "X-Takt-Token", "word", "", "{}", "word", NULL },
    { "jenkins", "X-Other", "", "a=b&token=w%6frd%21", "{}", "word!", NULL },
    { "jenkins", "X-Other", "", "token=word%2", "{}", "word",
      "the token in the URL is not a secret of this source" },
    { "jenkins", "Authorization", "Bearer ", "", "{}", "",
      "the token in Authorization is not a secret of this source" },
};

TEST(signature_each_source_checks_its_own) {
    for (unsigned i = 0; i < sizeof checks / sizeof *checks; i++) {
        const struct check *c = &checks[i];
        struct intake_header h = { str_of(c->name), test_exact(str_of(c->value)) };
        struct intake_request r = { .source = str_of(c->source),
                                    .query = test_exact(str_of(c->query)),
                                    .headers = &h,
                                    .n_headers = 1,
                                    .body = test_exact(str_of(c->body)) };
        struct intake_secret secrets[] = { { STR("the old one") }, { str_of(c->secret) } };
        struct err_ctx ctx = { 0 };
        enum err e = intake_check(&r, secrets, 2, &ctx);
        CHECK_STR(str_of(ctx.text), str_of(c->want ? c->want : ""));
        CHECK(e == (c->want ? ERR_INVALID : ERR_OK));
        CHECK(intake_check(&r, secrets, 1, &ctx) == ERR_INVALID); // the new one alone
        CHECK_OK(intake_check(&r, NULL, 0, &ctx));
    }
}

// The vector that the Standard Webhooks libraries test themselves with.
TEST(signature_of_standard_webhooks) {
    struct intake_header headers[] = {
        { STR("webhook-id"), STR("msg_p5jXN8AQM9LWM0D4loKWxJek") },
        { STR("webhook-timestamp"), STR("1614265330") },
        { STR("webhook-signature"), STR("v1,bm9wZQ== v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=") },
    };
    struct intake_request r = {
        .source = STR("gitlab"), .headers = headers, .n_headers = 3, .body = STR("{\"test\": 2432232314}")
    };
    struct intake_secret secret = { STR("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw") }, bad = { STR("whsec_!") };
    struct err_ctx ctx = { 0 };
    CHECK_OK(intake_check(&r, &secret, 1, &ctx));
    CHECK(intake_check(&r, &bad, 1, &ctx) == ERR_INVALID);
    headers[1].value = STR("1614265331");
    CHECK(intake_check(&r, &secret, 1, &ctx) == ERR_INVALID);
}

// While a hook of GitLab has both, either secret will do.
TEST(signature_of_either_form) {
    struct intake_header headers[] = {
        { STR("webhook-signature"), STR("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=") },
        { STR("X-Gitlab-Token"), STR("word") },
    };
    struct intake_request r = {
        .source = STR("gitlab"), .headers = headers, .n_headers = 2, .body = STR("{}")
    };
    struct intake_secret secret = { STR("word") }, other = { STR("another") };
    struct err_ctx ctx = { 0 };
    CHECK_OK(intake_check(&r, &secret, 1, &ctx));
    CHECK(intake_check(&r, &other, 1, &ctx) == ERR_INVALID);
    CHECK_STR(str_of(ctx.text), STR("the signature in webhook-signature does not fit the body"));
}

// Grafana puts the time in front when a header for it is configured.
TEST(signature_with_a_time) {
    char mac[64];
    struct str signed_text = STR("1781524800:{}");
    struct intake_header headers[] = {
        { STR("X-Grafana-Alerting-Timestamp"), STR("1781524800") },
        { STR("X-Grafana-Alerting-Signature"), hex_of(SIGNATURE_SHA256, STR("word"), signed_text, mac) },
    };
    struct intake_request r = {
        .source = STR("grafana"), .headers = headers, .n_headers = 2, .body = STR("{}")
    };
    struct intake_secret secret = { STR("word") };
    struct err_ctx ctx = { 0 };
    CHECK_OK(intake_check(&r, &secret, 1, &ctx));
    headers[0].value = STR("1781524801");
    CHECK(intake_check(&r, &secret, 1, &ctx) == ERR_INVALID);
}

TEST(signature_digests_know_where_parts_end) {
    unsigned char a[32], b[32];
    struct str one[] = { STR("ab"), STR("c") }, two[] = { STR("a"), STR("bc") };
    CHECK(signature_digest(one, 2, a) && signature_digest(two, 2, b) && memcmp(a, b, 32) != 0);
}
