// SPDX-License-Identifier: Apache-2.0
// Posts the requests of a workload file (see gen.py) to an OTLP/HTTP receiver on this machine, over
// several connections, each of which sends the next request when the last one is answered.
//
// All times are moved so that the last span ends now. A request is acknowledged when its answer is
// 2xx; 429 and 503 are retried after the time that Retry-After asks for. One JSON line of figures
// goes to stdout. Exit code: 0 when every request was acknowledged, 1 otherwise, 2 for bad usage.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static const char usage[] = "usage: replay -f FILE [options]\n"
                            "  -f FILE    the workload, from gen.py\n"
                            "  -p PORT    of the receiver on 127.0.0.1 (4318)\n"
                            "  -u PATH    of the receiver (/v1/traces)\n"
                            "  -c N       connections (4, at most 256)\n"
                            "  -r RATE    spans per second (as fast as they are acknowledged)\n"
                            "  -s N -n N  begin with request N; send N requests (all)\n"
                            "  -z         gzip the bodies\n"
                            "  -a FILE    write the number of each acknowledged request, a line each\n"
                            "  -e SECONDS the last span ends so many seconds from now (0)\n"
                            "  -S NS      move times by exactly so many nanoseconds instead\n"
                            "  -x HEX     exclusive-or of trace ids: other traces from the same file\n"
                            "  -w SECONDS wait so long for a receiver that went away (0: stop at once)\n";

enum { MAX_CONNS = 256, RETRY_AFTER_MAX_S = 30, ANSWER_MAX = 64 << 10 };

struct request {
    uint8_t *body;
    size_t len;
    uint32_t n_spans;
    float latency_s; // 0: not answered yet
};

static struct {
    const char *file, *path;
    int port, n_conns;
    double rate, end_s, wait_s;
    size_t first, count;
    bool gzip, has_shift;
    int64_t shift_ns;
    uint64_t salt;
    FILE *ack_log;
} opts = { .path = "/v1/traces", .port = 4318, .n_conns = 4, .count = SIZE_MAX };

static struct request *requests;
static size_t n_requests, next_request; // next_request: under `lock`
static uint64_t newest_end_ns;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    uint64_t acked_requests, acked_spans, refused, retries, connection_errors, codes[600];
    uint64_t spans_started; // what the rate counts
    char first_error[400];
} stats; // under `lock`
static atomic_bool stop;
static double began_s;

_Noreturn static void die(const char *what) {
    fprintf(stderr, "replay: %s: %s\n", what, strerror(errno));
    exit(2);
}

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void sleep_s(double seconds) {
    if (seconds <= 0) return;
    struct timespec t = { (time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9) };
    nanosleep(&t, NULL);
}

// --- The workload: walking OTLP protobuf in place -----------------------------------------------

enum level { REQUEST, RESOURCE_SPANS, SCOPE_SPANS, SPAN, EVENT, LINK, OTHER };

static enum level level_below(enum level level, unsigned field) {
    switch (level) {
    case REQUEST: return field == 1 ? RESOURCE_SPANS : OTHER;
    case RESOURCE_SPANS: return field == 2 ? SCOPE_SPANS : OTHER;
    case SCOPE_SPANS: return field == 2 ? SPAN : OTHER;
    case SPAN: return field == 11 ? EVENT : field == 13 ? LINK : OTHER;
    default: return OTHER;
    }
}

static uint64_t varint(uint8_t **p) {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
        uint8_t byte = *(*p)++;
        value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) return value;
    }
}

// With move = false counts spans and finds the newest end; with true moves times and salts ids.
static void walk(uint8_t *p, uint8_t *end, enum level level, struct request *r, bool move) {
    while (p < end) {
        uint64_t tag = varint(&p);
        unsigned field = (unsigned)(tag >> 3), wire = tag & 7;
        if (wire == 0) {
            varint(&p);
        } else if (wire == 5) {
            p += 4;
        } else if (wire == 1) {
            uint64_t ns;
            memcpy(&ns, p, 8);
            bool is_time = (level == SPAN && (field == 7 || field == 8)) || (level == EVENT && field == 1);
            if (!move && level == SPAN && is_time && ns > newest_end_ns) newest_end_ns = ns;
            ns += (uint64_t)opts.shift_ns;
            if (move && is_time) memcpy(p, &ns, 8);
            p += 8;
        } else {
            uint64_t len = varint(&p);
            enum level below = level_below(level, field);
            if (below == SPAN && !move) r->n_spans++;
            if (below != OTHER) walk(p, p + len, below, r, move);
            if (move && field == 1 && len == 16 && (level == SPAN || level == LINK)) {
                uint64_t id;
                memcpy(&id, p, 8);
                id ^= opts.salt;
                memcpy(p, &id, 8);
            }
            p += len;
        }
    }
}

static void load(void) {
    int fd = open(opts.file, O_RDONLY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st)) die(opts.file);
    size_t size = (size_t)st.st_size;
    uint8_t *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (data == MAP_FAILED) die(opts.file);
    close(fd);
    size_t cap = 0, number = 0;
    for (size_t pos = 0; pos + 4 <= size; number++) {
        uint32_t len;
        memcpy(&len, data + pos, 4);
        if (number >= opts.first && n_requests < opts.count) {
            if (n_requests == cap) requests = realloc(requests, (cap = cap * 2 + 1024) * sizeof *requests);
            if (!requests) die("memory");
            requests[n_requests++] = (struct request){ .body = data + pos + 4, .len = len };
        }
        pos += 4 + len;
    }
    for (size_t i = 0; i < n_requests; i++)
        walk(requests[i].body, requests[i].body + requests[i].len, REQUEST, &requests[i], false);
}

static void move_times(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    int64_t now_ns = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    if (!opts.has_shift) opts.shift_ns = now_ns + (int64_t)(opts.end_s * 1e9) - (int64_t)newest_end_ns;
    for (size_t i = 0; i < n_requests; i++)
        walk(requests[i].body, requests[i].body + requests[i].len, REQUEST, &requests[i], true);
}

static void compress_bodies(void) {
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(6); // what zlib does by default
    for (size_t i = 0; i < n_requests; i++) {
        size_t bound = libdeflate_gzip_compress_bound(c, requests[i].len);
        uint8_t *out = malloc(bound);
        if (!out) die("memory");
        requests[i].len = libdeflate_gzip_compress(c, requests[i].body, requests[i].len, out, bound);
        requests[i].body = realloc(out, requests[i].len);
    }
    libdeflate_free_compressor(c);
}

// --- HTTP/1.1 -----------------------------------------------------------------------------------

struct answer {
    int code;
    bool close;
    double retry_after_s;
    char text[200];
};

static int dial(void) {
    int s = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)opts.port) };
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1;
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct timeval patience = { 60, 0 };
    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(s, (struct sockaddr *)&to, sizeof to) == 0) return s;
    close(s);
    return -1;
}

static bool send_all(int s, struct iovec *iov, int n) {
    while (n) {
        struct msghdr m = { .msg_iov = iov, .msg_iovlen = (size_t)n };
        ssize_t sent = sendmsg(s, &m, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return false;
        while (n && (size_t)sent >= iov->iov_len) sent -= (ssize_t)iov->iov_len, iov++, n--;
        if (n) iov->iov_base = (char *)iov->iov_base + sent, iov->iov_len -= (size_t)sent;
    }
    return true;
}

// The value of a header, or NULL. head is NUL-terminated and ends with the empty line.
static const char *header(const char *head, const char *name) {
    const char *at = strcasestr(head, name);
    return at ? at + strlen(name) : NULL;
}

static bool receive(int s, struct answer *out) {
    char in[ANSWER_MAX + 1];
    size_t got = 0, need = SIZE_MAX, head_len = 0;
    while (got < need) {
        ssize_t n = read(s, in + got, ANSWER_MAX - got);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        got += (size_t)n;
        in[got] = '\0';
        char *end = head_len ? NULL : strstr(in, "\r\n\r\n");
        if (!end) continue;
        head_len = (size_t)(end + 4 - in);
        char first_of_body = *(end + 4);
        *(end + 4) = '\0';
        const char *length = header(in, "\r\ncontent-length:"), *after = header(in, "\r\nretry-after:");
        need = head_len + (length ? strtoul(length, NULL, 10) : 0);
        if (need > ANSWER_MAX) return false;
        out->code = atoi(in + strlen("HTTP/1.1 "));
        out->close = header(in, "\r\nconnection: close") != NULL;
        out->retry_after_s = after ? atof(after) : 0.1;
        *(end + 4) = first_of_body;
    }
    snprintf(out->text, sizeof out->text, "%s", in + head_len);
    return out->code >= 100 && out->code < 600;
}

static bool post(int s, const struct request *r, struct answer *out) {
    char head[512];
    int n = snprintf(head, sizeof head,
                     "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/x-protobuf\r\n"
                     "%sContent-Length: %zu\r\n\r\n",
                     opts.path, opts.port, opts.gzip ? "Content-Encoding: gzip\r\n" : "", r->len);
    struct iovec iov[2] = { { head, (size_t)n }, { r->body, r->len } };
    return send_all(s, iov, 2) && receive(s, out);
}

// --- Connections --------------------------------------------------------------------------------

// Takes the next request, at the time that the rate allows. NULL: there is none.
static struct request *take(void) {
    pthread_mutex_lock(&lock);
    struct request *r = next_request < n_requests && !stop ? &requests[next_request++] : NULL;
    double due_s = r && opts.rate > 0 ? began_s + (double)stats.spans_started / opts.rate : 0;
    if (r) stats.spans_started += r->n_spans;
    pthread_mutex_unlock(&lock);
    if (due_s > 0) sleep_s(due_s - now_s());
    return r;
}

// Counts an answer; true when the request has to be sent again.
static bool account(struct request *r, const struct answer *a, double took_s) {
    bool again = a->code == 429 || a->code == 503;
    pthread_mutex_lock(&lock);
    stats.codes[a->code]++;
    r->latency_s = (float)took_s;
    if (a->code / 100 == 2) {
        stats.acked_requests++;
        stats.acked_spans += r->n_spans;
        if (opts.ack_log) fprintf(opts.ack_log, "%zu\n", opts.first + (size_t)(r - requests));
        if (opts.ack_log) fflush(opts.ack_log);
    } else {
        stats.refused++;
        if (!stats.first_error[0])
            snprintf(stats.first_error, sizeof stats.first_error, "%d %s", a->code, a->text);
    }
    stats.retries += again;
    pthread_mutex_unlock(&lock);
    return again;
}

// Dials until the receiver answers or has been away for too long. -1: it has.
static int dial_patiently(void) {
    double give_up_s = now_s() + opts.wait_s;
    for (;;) {
        int s = dial();
        if (s >= 0) return s;
        pthread_mutex_lock(&lock);
        stats.connection_errors++;
        pthread_mutex_unlock(&lock);
        if (now_s() >= give_up_s || stop) return -1;
        sleep_s(0.02);
    }
}

static void *connection(void *unused) {
    (void)unused;
    int s = -1;
    for (struct request *r = take(); r;) {
        if (s < 0) s = dial_patiently();
        if (s < 0) {
            stop = true;
            break;
        }
        struct answer a = { 0 };
        double sent_s = now_s();
        bool answered = post(s, r, &a);
        if (!answered || a.close) close(s), s = -1;
        if (!answered) {
            pthread_mutex_lock(&lock);
            stats.connection_errors++;
            pthread_mutex_unlock(&lock);
            if (opts.wait_s > 0) continue; // was it stored? unknown: it is sent again
            stop = true;
            break;
        }
        if (account(r, &a, now_s() - sent_s))
            sleep_s(a.retry_after_s < RETRY_AFTER_MAX_S ? a.retry_after_s : RETRY_AFTER_MAX_S);
        else
            r = take();
    }
    if (s >= 0) close(s);
    return NULL;
}

// --- The report ---------------------------------------------------------------------------------

static int by_size(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void print_text(const char *text) {
    for (; *text; text++) putchar(*text < 32 || *text > 126 || *text == '"' || *text == '\\' ? ' ' : *text);
}

static void report(double wall_s) {
    float *latencies = malloc((n_requests + 1) * sizeof *latencies);
    if (!latencies) die("memory");
    size_t n = 0, bytes = 0;
    uint64_t spans = 0;
    for (size_t i = 0; i < n_requests; i++) {
        if (requests[i].latency_s > 0) latencies[n++] = requests[i].latency_s;
        spans += requests[i].n_spans;
        bytes += requests[i].len;
    }
    qsort(latencies, n, sizeof *latencies, by_size);
    struct timespec cpu;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    printf(
        "{\"wall_s\":%.3f,\"cpu_s\":%.3f,\"requests\":%zu,\"spans\":%lu,\"bytes\":%zu,\"acked_requests\":%lu,"
        "\"acked_spans\":%lu,\"spans_per_s\":%.0f,\"refused\":%lu,\"retries\":%lu,\"connection_errors\":%lu,"
        "\"shift_ns\":%ld,\"end_ns\":%lu",
        wall_s, (double)cpu.tv_sec + (double)cpu.tv_nsec * 1e-9, n_requests, spans, bytes,
        stats.acked_requests, stats.acked_spans, (double)stats.acked_spans / wall_s, stats.refused,
        stats.retries, stats.connection_errors, opts.shift_ns, newest_end_ns + (uint64_t)opts.shift_ns);
    static const struct {
        const char *name;
        double part;
    } quantiles[] = { { "p50_ms", .5 }, { "p95_ms", .95 }, { "p99_ms", .99 }, { "max_ms", 1 } };
    for (int i = 0; i < 4; i++) {
        size_t at = (size_t)((double)n * quantiles[i].part);
        printf(",\"%s\":%.3f", quantiles[i].name, n ? (double)latencies[at < n ? at : n - 1] * 1e3 : 0);
    }
    printf(",\"first_error\":\"");
    print_text(stats.first_error);
    printf("\",\"codes\":{");
    const char *comma = "";
    for (int i = 0; i < 600; i++)
        if (stats.codes[i]) printf("%s\"%d\":%lu", comma, i, stats.codes[i]), comma = ",";
    printf("}}\n");
    free(latencies);
}

static void parse(int argc, char **argv) {
    for (int c; (c = getopt(argc, argv, "f:p:u:c:r:s:n:za:e:S:x:w:")) != -1;) switch (c) {
        case 'f': opts.file = optarg; break;
        case 'p': opts.port = atoi(optarg); break;
        case 'u': opts.path = optarg; break;
        case 'c': opts.n_conns = atoi(optarg); break;
        case 'r': opts.rate = atof(optarg); break;
        case 's': opts.first = strtoul(optarg, NULL, 10); break;
        case 'n': opts.count = strtoul(optarg, NULL, 10); break;
        case 'z': opts.gzip = true; break;
        case 'a':
            if (!(opts.ack_log = fopen(optarg, "w"))) die(optarg);
            break;
        case 'e': opts.end_s = atof(optarg); break;
        case 'S': opts.shift_ns = strtoll(optarg, NULL, 10), opts.has_shift = true; break;
        case 'x': opts.salt = strtoull(optarg, NULL, 16); break;
        case 'w': opts.wait_s = atof(optarg); break;
        default: opts.file = NULL, optind = argc;
        }
    if (opts.file && opts.n_conns >= 1 && opts.n_conns <= MAX_CONNS && optind == argc) return;
    fputs(usage, stderr);
    exit(2);
}

int main(int argc, char **argv) {
    parse(argc, argv);
    load();
    move_times();
    if (opts.gzip) compress_bodies();
    fprintf(stderr, "replay: %zu requests loaded\n", n_requests); // from here on only sending takes time
    began_s = now_s();
    pthread_t threads[MAX_CONNS];
    for (int i = 0; i < opts.n_conns; i++)
        if (pthread_create(&threads[i], NULL, connection, NULL)) die("thread");
    for (int i = 0; i < opts.n_conns; i++) pthread_join(threads[i], NULL);
    report(now_s() - began_s);
    if (opts.ack_log) fclose(opts.ack_log);
    return stats.acked_requests == n_requests ? 0 : 1;
}
