// SPDX-License-Identifier: Apache-2.0
#include "intake/pipeline.h"

#include <openssl/sha.h>
#include <stdio.h>

#include "base/json.h"

// Keys that make a span one of a pipeline, wherever they stand.
static const char *const marks[] = {
    "cicd.pipeline.name",
    "cicd.pipeline.run.id",
    "cicd.pipeline.task.name",
    "cicd.pipeline.task.run.id",
    "cicd.pipeline.result",
    "ci.pipeline.id",
    "ci.pipeline.run.number",
    "jenkins.pipeline.step.id",
    "github.run_id",
    "github.job.id",
    "test.case.name",
    "ci.github.workflow.run.id",
    "ci.github.workflow.job.id",
};
static const char *const kept[] = { "cicd.",    "ci.",      "vcs.",    "git.",    "scm.",  "deployment.",
                                    "service.", "jenkins.", "github.", "gitlab.", "test.", "error.type" };

enum pipeline_key pipeline_key(struct str key) {
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (str_eq(key, str_of(marks[i]))) return PIPELINE_KEY_MARKS;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (str_starts(key, str_of(kept[i]))) return PIPELINE_KEY_KEPT;
    return PIPELINE_KEY_NONE;
}

void pipeline_add(struct pipeline_attributes *a, struct str key, struct str value) {
    if (a->n == PIPELINE_ATTRIBUTES_MAX || pipeline_key(key) == PIPELINE_KEY_NONE) return;
    if (value.len > PIPELINE_VALUE_MAX || key.len > PIPELINE_VALUE_MAX) return;
    a->items[a->n++] = (struct pipeline_attribute){ key, value };
}

static struct str value_of(const struct pipeline_attributes *a, const char *key) {
    for (unsigned i = 0; a && i < a->n; i++)
        if (str_eq(a->items[i].key, str_of(key))) return a->items[i].value;
    return STR("");
}

static bool any(const struct pipeline_attributes *a, const char *const *keys) {
    for (; *keys; keys++)
        if (value_of(a, *keys).len) return true;
    return false;
}

// --- what a span is ----------------------------------------------------------------------------------------

static const char *const run_ids[] = { "cicd.pipeline.run.id",
                                       "github.run_id",
                                       "ci.pipeline.run.number",
                                       "ci.github.workflow.run.id",
                                       "github.job.run_id",
                                       "ci.github.workflow.job.run_id",
                                       NULL };
static const char *const task_ids[] = { "cicd.pipeline.task.run.id", "github.job.id",
                                        "ci.github.workflow.job.id", "jenkins.pipeline.step.id", NULL };

// The collector's receiver for GitHub makes the ids of a run's spans from its number. A job's span hangs
// below the root; steps and the wait for a runner hang below the job.
static bool is_below_root(const struct pipeline_span *s, struct str run_id) {
    enum { ATTEMPTS = 20 };
    char text[64];
    unsigned char digest[SHA256_DIGEST_LENGTH];
    if (run_id.len > 32) return false;
    for (int attempt = 1; attempt <= ATTEMPTS; attempt++) {
        int n = snprintf(text, sizeof text, "%.*s%ds", STR_ARG(run_id), attempt);
        (void)SHA256((const unsigned char *)text, (size_t)n, digest);
        if (memcmp(digest + 8, &s->parent_id, 8) == 0) return true;
    }
    return false;
}

static bool is_job_of_resource(const struct pipeline_span *s) {
    if (any(s->own, task_ids) || value_of(s->own, "cicd.pipeline.task.name").len) return false;
    struct str name = value_of(s->resource, "cicd.pipeline.task.name");
    return (name.len && str_eq(name, s->name)) ||
           is_below_root(s, value_of(s->resource, "cicd.pipeline.run.id"));
}

static bool is_task(const struct pipeline_span *s) {
    struct str step = value_of(s->own, "jenkins.pipeline.step.type");
    if (step.len) return str_eq(step, STR("stage"));
    if (any(s->resource, task_ids)) return is_job_of_resource(s);
    return any(s->own, task_ids) || value_of(s->own, "cicd.pipeline.task.name").len;
}

static bool is_run(const struct pipeline_span *s) {
    bool own = any(s->own, run_ids) || value_of(s->own, "cicd.pipeline.result").len;
    if (value_of(s->own, "jenkins.pipeline.step.id").len || any(s->resource, task_ids)) return false;
    return own || (s->parent_id == 0 && any(s->resource, run_ids));
}

static bool names_run(const struct pipeline_span *s) {
    return any(s->own, run_ids) || any(s->resource, run_ids) || any(s->root, run_ids);
}

enum pipeline_what pipeline_what(const struct pipeline_span *s) {
    bool task = is_task(s);
    if (value_of(s->own, "test.case.name").len) return PIPELINE_TEST;
    if (task) return names_run(s) ? PIPELINE_TASK : PIPELINE_NEEDS_RUN;
    return is_run(s) && names_run(s) ? PIPELINE_RUN : PIPELINE_NOTHING;
}

// --- the event ---------------------------------------------------------------------------------------------

static void put_attributes(struct json_writer *w, const char *name, const struct pipeline_attributes *a) {
    jw_key(w, str_of(name));
    jw_object(w);
    for (unsigned i = 0; a && i < a->n; i++) {
        jw_key(w, a->items[i].key);
        jw_str(w, a->items[i].value);
    }
    jw_object_end(w);
}

static void put_hex(struct json_writer *w, const char *name, const void *bytes, size_t n) {
    char hex[33];
    hex_encode(bytes, n, hex);
    jw_key(w, str_of(name));
    jw_str(w, (struct str){ hex, 2 * n });
}

static void put_stamp(struct json_writer *w, const char *name, uint64_t ns) {
    jw_key(w, str_of(name));
    jw_u64_str(w, ns);
}

void pipeline_write(const struct pipeline_span *s, enum pipeline_what what, struct buf *out) {
    static const char *const words[] = {
        [PIPELINE_RUN] = "run", [PIPELINE_TASK] = "task", [PIPELINE_TEST] = "test"
    };
    struct json_writer w = json_writer_on(out);
    jw_object(&w);
    jw_key(&w, STR("what"));
    jw_str(&w, str_of(words[what]));
    put_hex(&w, "trace", s->trace_id, 16);
    put_hex(&w, "span", &s->span_id, 8);
    put_stamp(&w, "start", s->start_ns);
    put_stamp(&w, "end", s->end_ns);
    jw_key(&w, STR("name"));
    jw_str(&w, s->name);
    jw_key(&w, STR("failed"));
    jw_bool(&w, s->failed);
    put_attributes(&w, "attributes", s->own);
    put_attributes(&w, "root", s->root);
    put_attributes(&w, "resource", s->resource);
    jw_object_end(&w);
}

const char *untold_label(enum untold why) {
    static const char *const labels[] = { [UNTOLD_CLOSED] = "closed",
                                          [UNTOLD_UNREAD] = "unread",
                                          [UNTOLD_COSTLY] = "costly",
                                          [UNTOLD_LOST] = "lost" };
    return labels[why];
}
