// SPDX-License-Identifier: Apache-2.0
// What the log costs: records of 400 KB, one or eight a commit, and the replay of them.
//   wal_bench [DIR] [MEGABYTES]
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "os/clock.h"
#include "os/disk.h"
#include "wal/wal.h"

enum { RECORD_BYTES = 400 << 10 };

static double cpu_s(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}
static double wall_s(void) {
    return (double)clock_mono_ns(clock_real()) / 1e9;
}

static void show(const char *what, uint64_t bytes, double wall, double cpu) {
    printf("%-24s %8.1f MB/s  %6.3f CPU s/GB\n", what, (double)bytes / 1e6 / wall, cpu * 1e9 / (double)bytes);
}

static enum err run(const char *dir, uint64_t total, size_t group) {
    struct wal_opts opts = { .disk = disk_real(), .dir = dir };
    struct wal_replay replay;
    struct wal_record recs[8];
    struct wal_stats st;
    struct wal *w;
    char *body = mem_alloc(RECORD_BYTES), name[64];
    if (!body) return ERR_NOMEM;
    for (size_t i = 0; i < RECORD_BYTES; i++) body[i] = (char)(i * 2654435761u >> 13);
    TRY(wal_open(&opts, 0, NULL, NULL, &replay, &w));
    double wall = wall_s(), cpu = cpu_s();
    for (uint64_t done = 0; done < total; done += group * RECORD_BYTES) {
        for (size_t i = 0; i < group; i++)
            recs[i] =
                (struct wal_record){ .tenant = STR("single-tenant"), .payload = { { body, RECORD_BYTES } } };
        TRY(wal_commit(w, recs, group));
    }
    wall = wall_s() - wall, cpu = cpu_s() - cpu;
    wal_stats(w, &st);
    (void)snprintf(name, sizeof name, "commit, %zu record%s", group, group > 1 ? "s" : "");
    show(name, st.bytes_written_total, wall, cpu);
    printf("%-24s %8.3f ms\n", "  mean fdatasync", (double)st.sync_ns_total / 1e6 / (double)st.sync_count);
    wal_close(w);
    wall = wall_s(), cpu = cpu_s();
    TRY(wal_open(&opts, 0, NULL, NULL, &replay, &w));
    show("replay", replay.bytes, wall_s() - wall, cpu_s() - cpu);
    enum err e = wal_trim(w, replay.last_seq);
    wal_close(w);
    mem_free(body);
    return e;
}

int main(int argc, char **argv) {
    const char *base = argc > 1 ? argv[1] : "/tmp";
    uint64_t total = (argc > 2 ? strtoull(argv[2], NULL, 10) : 512) << 20;
    char dir[256], command[300];
    static const size_t groups[] = { 1, 1, 8 };
    puts("(the first pass fills the page cache and does not count)");
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(dir, sizeof dir, "%s/takt-wal-bench-%zu", base, groups[i]);
        enum err e = run(dir, total, groups[i]);
        if (e != ERR_OK) fprintf(stderr, "wal_bench: %s\n", err_text(e));
        (void)snprintf(command, sizeof command, "rm -r '%s'", dir);
        if (system(command) != 0 || e != ERR_OK) return 1;
    }
    return 0;
}
