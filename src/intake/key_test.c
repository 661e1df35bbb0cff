// SPDX-License-Identifier: Apache-2.0
#include "intake/key.h"

#include "base/test.h"

TEST(key_repositories_have_one_name) {
    static const char *const urls[][2] = {
        { "https://github.com/owner/repo", "github.com/owner/repo" },
        { "https://GitHub.com/owner/Repo.git", "github.com/owner/Repo" },
        { "https://token@github.com:443/owner/repo/", "github.com/owner/repo" },
        { "git@github.com:owner/repo.git", "github.com/owner/repo" },
        { "ssh://git@gitlab.example.com:2222/a/b/c.git", "gitlab.example.com/a/b/c" },
        { "https://gitlab.com/a/b?x=1", "gitlab.com/a/b" },
        { "not a url", "" },
        { "https://github.com", "" },
        { "https:///x", "" },
        { "", "" },
    };
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    for (unsigned i = 0; i < sizeof urls / sizeof *urls; i++)
        CHECK_STR(key_repo(&a, test_exact(str_of(urls[i][0]))), str_of(urls[i][1]));
    CHECK_STR(key_prefix(&a, "github", STR("github.com/owner/repo")), STR("github:owner/repo"));
    CHECK_STR(key_prefix(&a, "github", STR("git.example.com/owner/repo")),
              STR("github:git.example.com/owner/repo"));
    CHECK_STR(key_task(&a, key_run(&a, STR("github:o/r"), STR("30"), 2), STR("44")),
              STR("github:o/r:run:30:2:task:44"));
    arena_fini(&a);
}

#define DIGEST "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define SHA "3f1e6a0c9b2d4e5f60718293a4b5c6d7e8f90123"

TEST(key_artifacts_from_images_and_packages) {
    static const char *const texts[][5] = {
        // text, key, version, digest, sha
        { "shop:v1", "shop:v1", "v1", "", "" },
        { "registry:5000/a/shop", "registry:5000/a/shop", "", "", "" },
        { "registry:5000/a/shop:v2@" DIGEST, DIGEST, "v2", DIGEST, "" },
        { "r/shop@" DIGEST, DIGEST, "", DIGEST, "" },
        { "shop:" SHA, "shop:" SHA, SHA, "", SHA },
        { "shop:sha-" SHA, "shop:sha-" SHA, "sha-" SHA, "", SHA },
        { DIGEST, DIGEST, "", DIGEST, "" },
        { "pkg:oci/"
          "shop@sha256%3A9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08?repository_url=r&"
          "tag=v3",
          DIGEST, "v3", DIGEST, "" },
        { "pkg:npm/%40scope/shop@1.2.3", "pkg:npm/%40scope/shop@1.2.3", "1.2.3", "", "" },
        { "pkg:npm/shop@1%2", "pkg:npm/shop@1%2", "1%2", "", "" },
        { "pkg:npm/shop@%ff#x", "pkg:npm/shop@%ff", "%ff", "", "" },
    };
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct key_artifact k = key_artifact(&a, test_exact(str_of(texts[i][0])));
        CHECK_STR(k.key, str_of(texts[i][1]));
        CHECK_STR(k.version, str_of(texts[i][2]));
        CHECK_STR(k.digest, str_of(texts[i][3]));
        CHECK_STR(k.sha, str_of(texts[i][4]));
    }
    arena_fini(&a);
}

TEST(key_shas) {
    CHECK(key_is_sha(STR(SHA)) && !key_is_sha(STR("main")) && !key_is_sha(STR("")));
    CHECK(!key_is_sha(STR("zf1e6a0c9b2d4e5f60718293a4b5c6d7e8f90123")));
}
