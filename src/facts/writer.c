// SPDX-License-Identifier: Apache-2.0
#include "facts/writer.h"

#include "base/log.h"
#include "os/thread.h"

struct writer {
    struct db *db;
    struct thread thread;
    struct mutex lock;
    struct cond work, done;
    struct writer_job *first, **last; // of the queue
    uint32_t queued;
    bool stopping;
    uint64_t jobs, commits;
};

// A job of its own transaction inside the group's: what it wrote goes when it fails.
static enum err run_one(struct db *d, const struct writer_job *j) {
    TRY(db_save(d));
    enum err e = j->run(d, j->ctx);
    enum err end = db_save_end(d, e == ERR_OK);
    return e != ERR_OK ? e : end;
}

static void run_group(struct db *d, struct writer_job *group) {
    enum err e = db_begin(d);
    for (struct writer_job *j = group; j && e == ERR_OK; j = j->next) j->result = run_one(d, j);
    if (e == ERR_OK) e = db_commit(d);
    if (e == ERR_OK) return;
    log_error("facts.commit_failed", KV_Z("error", db_error(d)));
    db_rollback(d);
    for (struct writer_job *j = group; j; j = j->next)
        if (j->result == ERR_OK) j->result = e;
}

// The jobs that make the next group: all that wait, or one that is alone.
static struct writer_job *take_group(struct writer *w) {
    struct writer_job *group = w->first, *end = group;
    uint32_t n = 1;
    while (!end->alone && end->next && !end->next->alone && n < WRITER_BATCH_MAX) {
        end = end->next;
        n++;
    }
    w->first = end->next;
    if (!w->first) w->last = &w->first;
    w->queued -= n;
    end->next = NULL;
    return group;
}

// Without the lock. A job is its caller's again once it is finished: it is not looked at after that.
static void finish_group(struct writer *w, struct writer_job *group) {
    uint64_t n = 0;
    bool waited = false;
    for (struct writer_job *j = group, *next; j; j = next, n++) {
        next = j->next;
        if (j->done) {
            j->done(j->ctx, j->result);
            continue;
        }
        mutex_lock(&w->lock);
        waited = j->finished = true;
        mutex_unlock(&w->lock);
    }
    mutex_lock(&w->lock);
    w->jobs += n;
    w->commits++;
    mutex_unlock(&w->lock);
    if (waited) cond_broadcast(&w->done);
}

static void run_writer(void *arg) {
    struct writer *w = arg;
    mutex_lock(&w->lock);
    for (;;) {
        while (!w->first && !w->stopping) cond_wait(&w->work, &w->lock);
        if (!w->first) break;
        struct writer_job *group = take_group(w);
        mutex_unlock(&w->lock);
        if (group->alone)
            group->result = group->run(w->db, group->ctx);
        else
            run_group(w->db, group);
        finish_group(w, group);
        mutex_lock(&w->lock);
    }
    mutex_unlock(&w->lock);
}

enum err writer_start(struct db *d, struct writer **out) {
    struct writer *w = mem_zalloc(sizeof *w);
    if (!w) {
        db_close(d);
        return ERR_NOMEM;
    }
    w->db = d;
    w->last = &w->first;
    mutex_init(&w->lock);
    cond_init(&w->work);
    cond_init(&w->done);
    enum err e = thread_start(&w->thread, "facts", run_writer, w);
    if (e != ERR_OK)
        writer_stop(w);
    else
        *out = w;
    return e;
}

void writer_stop(struct writer *w) {
    if (!w) return;
    mutex_lock(&w->lock);
    w->stopping = true;
    cond_signal(&w->work);
    mutex_unlock(&w->lock);
    thread_join(&w->thread);
    db_close(w->db);
    cond_fini(&w->work);
    cond_fini(&w->done);
    mutex_fini(&w->lock);
    mem_free(w);
}

enum err writer_submit(struct writer *w, struct writer_job *j) {
    mutex_lock(&w->lock);
    bool full = w->queued == WRITER_QUEUE_MAX || w->stopping;
    if (!full) {
        j->finished = false;
        j->next = NULL;
        *w->last = j;
        w->last = &j->next;
        w->queued++;
        cond_signal(&w->work);
    }
    mutex_unlock(&w->lock);
    return full ? ERR_AGAIN : ERR_OK;
}

static enum err run_and_wait(struct writer *w, struct writer_job *j) {
    TRY(writer_submit(w, j));
    mutex_lock(&w->lock);
    while (!j->finished) cond_wait(&w->done, &w->lock);
    mutex_unlock(&w->lock);
    return j->result;
}

enum err writer_run(struct writer *w, enum err (*job)(struct db *d, void *ctx), void *ctx) {
    return run_and_wait(w, &(struct writer_job){ .run = job, .ctx = ctx });
}
enum err writer_run_alone(struct writer *w, enum err (*job)(struct db *d, void *ctx), void *ctx) {
    return run_and_wait(w, &(struct writer_job){ .run = job, .ctx = ctx, .alone = true });
}

struct writer_stats writer_stats(struct writer *w) {
    mutex_lock(&w->lock);
    struct writer_stats s = { w->jobs, w->commits, w->queued };
    mutex_unlock(&w->lock);
    return s;
}
