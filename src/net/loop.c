// SPDX-License-Identifier: Apache-2.0
// A turn: wait for events, take the mailbox, fire timers, let every connection that has something to do
// run, then free the connections that died. Handlers that answer at once post to the mailbox as
// everybody does; a second round in the same turn sends their answers.
#include "net/net_internal.h"

#include <stdio.h>
#include <time.h>

enum {
    ROUNDS = 4, // per turn, before the kernel is asked again
    DATE_LEN = 29,
};

static __thread struct loop *current;

bool loop_is_current(void) {
    return current != NULL;
}

static struct loop *loop_of_pause(struct timer *t) {
    return (struct loop *)((char *)t - offsetof(struct loop, pause));
}

static struct loop *loop_of_grace(struct timer *t) {
    return (struct loop *)((char *)t - offsetof(struct loop, grace));
}

static void listen_again(struct timer *t) {
    struct loop *l = loop_of_pause(t);
    if (l->phase > SERVER_RUNNING) return;
    for (unsigned i = 0; i < l->server->n_listeners; i++) {
        struct listener *ln = &l->server->listeners[i];
        poller_remove(&l->poller, ln->fd); // it may have come in before another one failed
        if (poller_add(&l->poller, ln->fd, EPOLLIN | EPOLLEXCLUSIVE, ln) == ERR_OK) continue;
        timer_arm(&l->timers, &l->pause, TIMER_PAUSE, l->now_ns);
        return;
    }
}

static void grace_over(struct timer *t) {
    struct loop *l = loop_of_grace(t);
    for (struct conn *c = l->conns, *next; c; c = next) {
        next = c->next;
        if (c->phase == CONN_HTTP1)
            http1_drain(c);
        else if (c->phase == CONN_HTTP2)
            http2_drain(c, true);
        else if (c->phase != CONN_LINGER)
            conn_close(c);
    }
}

static void set_durations(struct loop *l) {
    const struct net_opts *o = &l->server->opts;
    const uint32_t ms[TIMER_KIND_COUNT] = {
        [TIMER_HEADER] = o->header_timeout_ms,
        [TIMER_BODY] = o->body_timeout_ms,
        [TIMER_ADMIT] = o->admit_wait_ms,
        [TIMER_IDLE] = o->idle_timeout_ms,
        [TIMER_WRITE] = o->write_timeout_ms,
        [TIMER_LINGER] = LINGER_MS,
        [TIMER_PAUSE] = PAUSE_MS,
        [TIMER_GRACE] = o->drain_grace_ms,
    };
    timers_init(&l->timers);
    for (int i = 0; i < TIMER_KIND_COUNT; i++) l->timers.after_ns[i] = (uint64_t)ms[i] * 1000000u;
}

enum err loop_init(struct loop *l, struct net_server *s) {
    *l = (struct loop){ .server = s, .wake.fd = -1, .poller.fd = -1 };
    l->ready_end = &l->ready;
    l->last = &l->first;
    l->pause.fire = listen_again;
    l->grace.fire = grace_over;
    l->phase = SERVER_RUNNING;
    l->now_ns = clock_mono_ns(s->clock);
    mutex_init(&l->lock);
    set_durations(l);
    buf_init(&l->out, 4 * OUT_BYTES);
    l->scratch = mem_alloc(SCRATCH_BYTES);
    if (!l->scratch) return ERR_NOMEM;
    TRY(poller_init(&l->poller));
    TRY(wake_init(&l->wake));
    return poller_add(&l->poller, l->wake.fd, EPOLLIN, &l->wake);
}

void loop_fini(struct loop *l) {
    poller_fini(&l->poller);
    wake_fini(&l->wake);
    mem_free(l->scratch);
    buf_fini(&l->out);
    mutex_fini(&l->lock);
}

// A loop that posts to itself is awake: it looks at the mailbox before it sleeps.
bool loop_post(struct loop *l, struct post *p) {
    mutex_lock(&l->lock);
    bool take = !p->queued && !l->ended;
    bool was_empty = l->first == NULL;
    if (take) {
        p->queued = true;
        p->next = NULL;
        *l->last = p;
        l->last = &p->next;
        // Under the lock: after it the loop may end and close the eventfd.
        if (was_empty && current != l) wake_signal(&l->wake);
    }
    mutex_unlock(&l->lock);
    return take;
}

// Posts that come while this runs wait for the next call, so it always ends.
static void run_posts(struct loop *l) {
    mutex_lock(&l->lock);
    struct post *p = l->first;
    l->first = NULL;
    l->last = &l->first;
    mutex_unlock(&l->lock);
    while (p) {
        struct post *next = p->next;
        mutex_lock(&l->lock);
        p->queued = false;
        mutex_unlock(&l->lock);
        p->run(p);
        p = next;
    }
}

static bool has_posts(struct loop *l) {
    mutex_lock(&l->lock);
    bool some = l->first != NULL;
    mutex_unlock(&l->lock);
    return some;
}

static void run_ready(struct loop *l) {
    struct conn *c = l->ready;
    l->ready = NULL;
    l->ready_end = &l->ready;
    while (c) {
        struct conn *next = c->ready_next;
        c->is_ready = false;
        conn_run(c);
        c = next;
    }
}

static void free_dead(struct loop *l) {
    struct conn *keep = NULL;
    while (l->dead) {
        struct conn *c = l->dead;
        l->dead = c->next;
        if (c->is_ready) { // still in the list of those to run, which will find it dead
            c->next = keep;
            keep = c;
            continue;
        }
        conn_free(c);
    }
    l->dead = keep;
}

static int wait_ms(struct loop *l, int max_wait_ms) {
    if (l->ready || has_posts(l)) return 0;
    uint64_t at = timers_next(&l->timers);
    uint64_t ms = at == UINT64_MAX ? UINT64_MAX : at <= l->now_ns ? 0 : (at - l->now_ns + 999999) / 1000000;
    if (l->server->admission.n_waiting && ms > ADMIT_POLL_MS) ms = ADMIT_POLL_MS;
    if (max_wait_ms >= 0 && ms > (uint64_t)max_wait_ms) return max_wait_ms;
    return ms > 60000 ? 60000 : (int)ms;
}

static void stop_listening(struct loop *l) {
    for (unsigned i = 0; i < l->server->n_listeners; i++) {
        struct listener *ln = &l->server->listeners[i];
        conn_accept(l, ln); // who waits in the queue has connected already
        poller_remove(&l->poller, ln->fd);
    }
    timer_disarm(&l->pause);
}

static void follow_phase(struct loop *l) {
    uint32_t phase = l->server->phase;
    if (phase < SERVER_DRAINING || l->phase >= SERVER_DRAINING) return;
    stop_listening(l);
    l->phase = SERVER_DRAINING;
    timer_arm(&l->timers, &l->grace, TIMER_GRACE, l->now_ns);
    for (struct conn *c = l->conns; c; c = c->next)
        if (c->phase == CONN_HTTP2) http2_drain(c, false);
    mutex_lock(&l->server->lock);
    l->server->n_deaf++;
    cond_signal(&l->server->changed);
    mutex_unlock(&l->server->lock);
}

static void take_event(struct loop *l, const struct epoll_event *ev) {
    void *tag = ev->data.ptr;
    struct listener *first = l->server->listeners;
    if (tag == &l->wake) {
        wake_clear(&l->wake);
    } else if (tag >= (void *)first && tag < (void *)(first + LISTENERS_MAX)) {
        conn_accept(l, tag);
    } else {
        conn_event(tag, ev->events);
    }
}

void loop_turn(struct loop *l, int max_wait_ms) {
    struct epoll_event events[EVENTS_MAX];
    current = l;
    int n = poller_wait(&l->poller, events, EVENTS_MAX, wait_ms(l, max_wait_ms));
    l->now_ns = clock_mono_ns(l->server->clock);
    for (int i = 0; i < n; i++) take_event(l, &events[i]);
    follow_phase(l);
    timers_run(&l->timers, l->now_ns);
    admission_retry(&l->server->admission);
    for (int round = 0; round < ROUNDS; round++) {
        run_posts(l);
        if (!l->ready) break;
        run_ready(l);
    }
    free_dead(l);
    current = NULL;
}

void loop_main(void *arg) {
    thread_hurry(); // clients wait for each turn
    struct loop *l = arg;
    while (l->server->phase < SERVER_CUT) loop_turn(l, -1);
    loop_end(l);
}

void loop_end(struct loop *l) {
    current = l;
    for (bool ended = false; !ended;) {
        run_posts(l);
        while (l->conns) conn_close(l->conns);
        run_ready(l);
        free_dead(l);
        mutex_lock(&l->lock);
        ended = l->first == NULL;
        l->ended = ended;
        mutex_unlock(&l->lock);
    }
    current = NULL;
}

// Looked at four times a second at most: a date that is a quarter of a second late is none too old.
struct str loop_date(struct loop *l) {
    static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (l->date[0] && l->now_ns < l->date_until_ns) return (struct str){ l->date, DATE_LEN };
    l->date_until_ns = l->now_ns + 250000000u;
    time_t t = (time_t)(clock_unix_ns(l->server->clock) / 1000000000u);
    struct tm tm;
    (void)gmtime_r(&t, &tm);
    (void)snprintf(l->date, sizeof l->date, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT", days + 3 * tm.tm_wday,
                   (unsigned)tm.tm_mday % 100, months + 3 * tm.tm_mon, (unsigned)(tm.tm_year + 1900) % 10000,
                   (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
    return (struct str){ l->date, DATE_LEN };
}
