// SPDX-License-Identifier: Apache-2.0
// otlp_bench FILE: the requests in FILE (u32 length + protobuf) to JSON and back; the best of
// several rounds. Bytes are those of the JSON, except where said.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "otlp/json.h"

enum { REQUESTS_MAX = 4096, ROUNDS = 7 };

struct request {
    struct str pb, json;
};
static struct request requests[REQUESTS_MAX];
static uint32_t n_requests;
static uint64_t pb_bytes, json_bytes;

static double cpu_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static bool load(const char *path) {
    FILE *in = fopen(path, "rb");
    if (!in) return false;
    for (uint32_t len; n_requests < REQUESTS_MAX && fread(&len, 4, 1, in) == 1; n_requests++) {
        char *p = mem_alloc(len);
        if (!p || fread(p, 1, len, in) != len) return false;
        struct buf json;
        buf_init(&json, SIZE_MAX);
        requests[n_requests].pb = (struct str){ p, len };
        if (otlp_pb_to_json(&otlp_export_request, requests[n_requests].pb, OTLP_FLAVOUR_OTLP, &json))
            return false;
        requests[n_requests].json = buf_view(&json);
        pb_bytes += len;
        json_bytes += json.len;
    }
    (void)fclose(in);
    return n_requests > 0;
}

static bool tokens(struct str in, struct buf *out) {
    struct json j;
    struct err_ctx ctx = { 0 };
    (void)out;
    json_init(&j, in, OTLP_JSON_DEPTH_MAX, &ctx);
    while (json_next(&j) != JSON_END)
        if (j.err != ERR_OK) return false;
    return true;
}

static bool to_pb(struct str in, struct buf *out) {
    struct err_ctx ctx = { 0 };
    return otlp_json_to_pb(in, out, NULL, &ctx) == ERR_OK;
}

static bool to_json(struct str in, struct buf *out) {
    return otlp_pb_to_json(&otlp_export_request, in, OTLP_FLAVOUR_OTLP, out) == ERR_OK;
}

static bool to_tempo(struct str in, struct buf *out) {
    return otlp_pb_to_json(&otlp_batches, in, OTLP_FLAVOUR_TEMPO, out) == ERR_OK;
}

static void measure(const char *what, bool (*run)(struct str, struct buf *), bool from_pb) {
    double best = 1e9;
    struct buf out;
    buf_init(&out, SIZE_MAX);
    for (int round = 0; round < ROUNDS; round++) {
        double t0 = cpu_s();
        for (uint32_t i = 0; i < n_requests; i++) {
            buf_reset(&out);
            if (!run(from_pb ? requests[i].pb : requests[i].json, &out)) exit(1);
        }
        double s = cpu_s() - t0;
        if (s < best) best = s;
    }
    buf_fini(&out);
    printf("%-16s %7.0f MB/s of JSON %7.0f MB/s of protobuf\n", what, (double)json_bytes / best / 1e6,
           (double)pb_bytes / best / 1e6);
}

int main(int argc, char **argv) {
    if (argc != 2 || !load(argv[1])) {
        fprintf(stderr, "usage: %s FILE\n", argv[0]);
        return 2;
    }
    measure("tokens", tokens, false);
    measure("JSON to protobuf", to_pb, false);
    measure("protobuf to JSON", to_json, true);
    measure("... as Tempo has", to_tempo, true);
    return 0;
}
