// SPDX-License-Identifier: Apache-2.0
#include "intake/pipeline.h"

#include "base/test.h"

static struct pipeline_attributes own, resource;

static void has(struct pipeline_attributes *a, const char *key, const char *value) {
    pipeline_add(a, str_of(key), str_of(value));
}

static enum pipeline_what what(bool is_root, const char *name) {
    struct pipeline_span s = {
        .parent_id = !is_root, .name = str_of(name), .own = &own, .resource = &resource
    };
    enum pipeline_what w = pipeline_what(&s);
    own.n = resource.n = 0;
    return w;
}

TEST(pipeline_keys_mark_or_are_kept_or_neither) {
    CHECK(pipeline_key(STR("cicd.pipeline.run.id")) == PIPELINE_KEY_MARKS);
    CHECK(pipeline_key(STR("vcs.ref.head.revision")) == PIPELINE_KEY_KEPT);
    CHECK(pipeline_key(STR("service.name")) == PIPELINE_KEY_KEPT);
    CHECK(pipeline_key(STR("http.route")) == PIPELINE_KEY_NONE);
    CHECK(pipeline_key(STR("")) == PIPELINE_KEY_NONE);
}

TEST(pipeline_spans_are_told_from_others) {
    own.n = resource.n = 0;
    CHECK(what(true, "GET /") == PIPELINE_NOTHING);
    has(&resource, "cicd.pipeline.run.id", "7");
    CHECK(what(true, "RUN release") == PIPELINE_RUN);
    has(&resource, "cicd.pipeline.run.id", "7");
    CHECK(what(false, "a step") == PIPELINE_NOTHING);
    has(&resource, "cicd.pipeline.run.id", "7");
    has(&own, "cicd.pipeline.task.run.id", "7-1");
    CHECK(what(false, "tests") == PIPELINE_TASK);
    has(&own, "cicd.pipeline.task.run.id", "7-1");
    CHECK(what(false, "tests") == PIPELINE_NEEDS_RUN);
    has(&own, "test.case.name", "adds");
    CHECK(what(false, "adds") == PIPELINE_TEST);
    has(&own, "jenkins.pipeline.step.id", "8");
    has(&own, "jenkins.pipeline.step.type", "stage");
    CHECK(what(false, "Stage: Build") == PIPELINE_NEEDS_RUN);
    has(&own, "jenkins.pipeline.step.id", "9");
    has(&own, "jenkins.pipeline.step.type", "sh");
    CHECK(what(false, "sh") == PIPELINE_NOTHING);
}

// The resource names the job: its span is the one of that name, its steps are not jobs.
TEST(pipeline_steps_below_a_job_are_no_jobs) {
    for (int i = 0; i < 3; i++) {
        has(&resource, "cicd.pipeline.run.id", "30433642");
        has(&resource, "cicd.pipeline.task.run.id", "992");
        has(&resource, "cicd.pipeline.task.name", "test");
        if (i == 1) has(&own, "cicd.pipeline.task.name", "npm test");
        CHECK(what(false, i == 0   ? "test"
                          : i == 1 ? "npm test"
                                   : "queue-test") == (i == 0 ? PIPELINE_TASK : PIPELINE_NOTHING));
    }
}

TEST(pipeline_attributes_are_bounded) {
    static char large[PIPELINE_VALUE_MAX + 1];
    own.n = 0;
    memset(large, 'x', sizeof large);
    pipeline_add(&own, STR("cicd.pipeline.name"), (struct str){ large, sizeof large });
    CHECK(own.n == 0);
    for (unsigned i = 0; i < PIPELINE_ATTRIBUTES_MAX + 5; i++) has(&own, "cicd.pipeline.name", "x");
    CHECK(own.n == PIPELINE_ATTRIBUTES_MAX);
    own.n = 0;
}
