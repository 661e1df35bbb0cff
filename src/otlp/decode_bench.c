// SPDX-License-Identifier: Apache-2.0
// decode_bench FILE: check and decode of every request in FILE (u32 length + body), per span.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "otlp/check.h"
#include "otlp/decode.h"
#include "span/canon.h"

static double cpu_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void report(const char *what, double s, uint64_t n, uint64_t bytes) {
    printf("%-8s %8.0f ns/span %8.0f MB/s\n", what, s * 1e9 / (double)n, (double)bytes / s / 1e6);
}

int main(int argc, char **argv) {
    FILE *in = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!in) {
        fprintf(stderr, "usage: %s FILE\n", argv[0]);
        return 2;
    }
    struct span_table t;
    struct otlp_decoder *d;
    struct arena a;
    struct err_ctx ctx = { 0 };
    double check_s = 0, decode_s = 0;
    uint64_t n = 0, bytes = 0;
    span_table_init(&t, SIZE_MAX, NULL);
    arena_init(&a, SIZE_MAX, NULL);
    if (otlp_decoder_new(&t, &d) != ERR_OK) return 1;
    for (uint32_t len; fread(&len, 4, 1, in) == 1 && n < 250000;) {
        char *p = mem_alloc(len + 32);
        if (!p || fread(p, 1, len, in) != len) return 1;
        struct str body = { p, len };
        struct otlp_check c;
        uint32_t added;
        double t0 = cpu_s();
        if (otlp_check(body, &a, &c, &ctx) != ERR_OK) return 1;
        double t1 = cpu_s();
        if (otlp_decode(d, body, c.refused, c.n_refused, &added) != ERR_OK) return 1;
        decode_s += cpu_s() - t1;
        check_s += t1 - t0;
        n += added;
        bytes += len;
        mem_free(p);
        arena_reset(&a);
    }
    span_table_publish(&t);
    report("check", check_s, n, bytes);
    report("decode", decode_s, n, bytes);
    struct buf out;
    buf_init(&out, SIZE_MAX);
    double t0 = cpu_s();
    for (uint32_t row = 0; row < t.n; row++) {
        buf_reset(&out);
        if (canon_span(&t, row, &a, &out) != ERR_OK) return 1;
        arena_reset(&a);
    }
    report("encode", cpu_s() - t0, n, bytes);
    printf("table    %8.0f B/span, %u columns, %u shapes, %u resources, %u traces\n",
           (double)t.arena.used / (double)n, t.attrs.n_columns, dict_count(&t.attrs.shapes), t.n_resources,
           t.n_traces);
    return 0;
}
