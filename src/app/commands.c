// SPDX-License-Identifier: Apache-2.0
// The smaller commands: load, trace, config, block stat.
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/reading.h"
#include "api/print.h"
#include "base/json.h"
#include "block/block.h"
#include "block/catalog.h"
#include "load/load.h"
#include "os/clock.h"
#include "os/thread.h"
#include "parquet/parquet.h"
#include "query/trace.h"

// --- load ------------------------------------------------------------------------------------------------

static atomic_bool load_stop;

static void on_signal(int sig) {
    (void)sig;
    load_stop = true;
}

static void print_progress(void *ctx, const struct load_stats *s) {
    (void)ctx;
    double seconds = (double)s->elapsed_ns / 1e9;
    (void)fprintf(stderr, "%6.0f s  %10llu spans sent  %10llu acknowledged  %8.0f spans/s\n", seconds,
                  (unsigned long long)s->spans, (unsigned long long)s->acked_spans,
                  seconds > 0 ? (double)s->acked_spans / seconds : 0);
}

static bool parse_seconds(struct str s, uint64_t *out_ns) {
    static const struct {
        char unit;
        uint64_t seconds;
    } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 } };
    uint64_t unit = 1, n;
    for (size_t i = 0; s.len && i < 3; i++)
        if (s.ptr[s.len - 1] == units[i].unit) {
            unit = units[i].seconds;
            s.len--;
            break;
        }
    if (!str_u64(s, &n) || n > UINT64_MAX / unit / 1000000000) return false;
    *out_ns = n * unit * 1000000000;
    return true;
}

// The shop's tools beside its spans.
struct teller {
    struct story_opts opts;
    struct thread thread;
    enum err err;
    struct err_ctx why;
};

static void tell(void *ctx) {
    struct teller *t = ctx;
    t->err = story_run(&t->opts, &load_stop, &t->why);
}

static enum err load_and_tell(struct load_opts *o, const char *ships, struct load_stats *stats,
                              struct err_ctx *ctx) {
    struct teller t = { .opts = { .url = ships, .seed = o->gen.seed } };
    if (ships) t.opts.start_ns = o->gen.ships_from_ns = clock_unix_ns(clock_real());
    if (ships) TRY(thread_start(&t.thread, "takt-story", tell, &t));
    enum err e = load_run(o, &load_stop, stats, ctx);
    load_stop = true;
    thread_join(&t.thread);
    if (e != ERR_OK || t.err == ERR_OK) return e;
    *ctx = t.why;
    return t.err;
}

static int load_flag(struct load_opts *o, const char **ships, const char *flag, const char *v) {
    struct str text = str_of(v);
    double rate;
    uint64_t n;
    if (strcmp(flag, "--target") == 0) {
        o->url = v;
    } else if (strcmp(flag, "--shape") == 0) {
        if (!load_shape_of(text, &o->gen.shape))
            return usage_error("load", "--shape %s: there is shop, wide, deep, sparse, orphans, skew", v);
    } else if (strcmp(flag, "--rate") == 0) {
        if (!json_f64(text, &rate) || rate < 0) return usage_error("load", "--rate %s is not a number", v);
        o->gen.rate = rate;
    } else if (strcmp(flag, "--duration") == 0) {
        if (!parse_seconds(text, &o->duration_ns))
            return usage_error("load", "--duration %s: try 30s or 5m", v);
    } else if (strcmp(flag, "--spans") == 0) {
        if (!str_u64(text, &n)) return usage_error("load", "--spans %s is not a number", v);
        o->gen.n_spans = n;
    } else if (strcmp(flag, "--ships") == 0) {
        *ships = v;
    } else if (strcmp(flag, "--seed") == 0) {
        if (!str_u64(text, &o->gen.seed)) return usage_error("load", "--seed %s is not a number", v);
    } else {
        return usage_error("load", "unknown flag %s", flag);
    }
    return EXIT_DONE;
}

int run_load(int argc, char **argv) {
    struct args a = { "load", argc, argv, 0, NULL };
    struct load_opts o = { .gen = { .rate = 1000, .seed = 1 },
                           .url = "http://127.0.0.1:4318",
                           .progress = print_progress };
    struct load_stats stats = { 0 };
    struct err_ctx ctx = { 0 };
    const char *ships = NULL;
    for (const char *flag; (flag = args_flag(&a));) {
        const char *v = args_value(&a, flag);
        int bad = v ? load_flag(&o, &ships, flag, v) : EXIT_USAGE;
        if (bad) return bad;
    }
    if (ships && (o.gen.n_spans || o.gen.shape != LOAD_SHOP))
        return usage_error("load", "--ships is for the open shop, without --spans and --shape");
    if (a.at < argc) return usage_error("load", "\"%s\" is one word too many", argv[a.at]);
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    signal(SIGPIPE, SIG_IGN);
    enum err e = load_and_tell(&o, ships, &stats, &ctx);
    print_progress(NULL, &stats);
    printf("{\"spans\":%llu,\"acked_spans\":%llu,\"rejected_spans\":%llu,\"requests\":%llu,\"bytes\":%llu,"
           "\"refused_requests\":%llu,\"retries\":%llu,\"seconds\":%.3f}\n",
           (unsigned long long)stats.spans, (unsigned long long)stats.acked_spans,
           (unsigned long long)stats.rejected_spans, (unsigned long long)stats.requests,
           (unsigned long long)stats.bytes, (unsigned long long)stats.refused_requests,
           (unsigned long long)stats.retries, (double)stats.elapsed_ns / 1e9);
    if (e == ERR_UNAVAILABLE)
        return failed(
            "load",
            "%s\nIs a receiver of OTLP running there? Start takt serve, or give the address of another "
            "one with --target URL.",
            ctx.text);
    if (e != ERR_OK) return failed("load", "%s", ctx.text[0] ? ctx.text : err_text(e));
    return stats.refused_requests ? EXIT_FAILED : EXIT_DONE;
}

// --- trace -------------------------------------------------------------------------------------------------

static int trace_of_dir(const char *dir, const uint8_t id[16], bool json) {
    struct reading r;
    struct err_ctx ctx = { 0 };
    struct trace t;
    enum err e = reading_open(&r, dir, &ctx);
    if (e != ERR_OK) {
        reading_close(&r);
        return failed("trace", "%s", ctx.text[0] ? ctx.text : err_text(e));
    }
    struct view *v = ingest_view(r.ingest);
    e = trace_load(v, id, &(struct trace_limits){ 0 }, &t);
    view_unref(v);
    int result = EXIT_DONE;
    if (e != ERR_OK)
        result = failed("trace", "the trace cannot be read: %s", err_text(e));
    else {
        struct buf out;
        buf_init(&out, SIZE_MAX);
        if (t.n == 0)
            result = failed("trace", "no such trace in %s", dir);
        else
            e = json ? print_trace_json(&t, (struct otlp_steps){ 0 }, &out) : print_trace_tree(&t, &out);
        if (e != ERR_OK) result = failed("trace", "the trace cannot be written: %s", err_text(e));
        (void)fwrite(out.ptr, 1, out.len, stdout);
        buf_fini(&out);
        trace_fini(&t);
    }
    reading_close(&r);
    return result;
}

static int trace_of_server(const char *server, const char *id, bool json) {
    char path[128];
    struct buf body;
    (void)snprintf(path, sizeof path, "/api/takt/traces/%s/%s", id, json ? "json" : "tree");
    int result = ask_server("trace", server, path, &body);
    if (result == EXIT_DONE) (void)fwrite(body.ptr, 1, body.len, stdout);
    buf_fini(&body);
    return result;
}

int run_trace(int argc, char **argv) {
    struct args a = { "trace", argc, argv, 0, NULL };
    const char *server = default_server(), *dir = NULL, *id = NULL;
    bool json = false;
    uint8_t bytes[16];
    while (a.at < argc) {
        const char *flag = args_flag(&a);
        if (!flag && id) return usage_error("trace", "\"%s\" is one word too many", argv[a.at]);
        if (!flag)
            id = argv[a.at++];
        else if (strcmp(flag, "--json") == 0)
            json = true;
        else if (strcmp(flag, "--server") == 0)
            server = args_value(&a, flag);
        else if (strcmp(flag, "--data") == 0)
            dir = args_value(&a, flag);
        else
            return usage_error("trace", "unknown flag %s", flag);
        if (!server || (flag && strcmp(flag, "--data") == 0 && !dir)) return EXIT_USAGE;
    }
    if (!id) return usage_error("trace", "a trace id is missing");
    if (!print_parse_trace_id(str_of(id), bytes))
        return usage_error("trace", "\"%s\" is not a trace id: up to 32 hexadecimal digits are expected", id);
    return dir ? trace_of_dir(dir, bytes, json) : trace_of_server(server, id, json);
}

// --- config ------------------------------------------------------------------------------------------------

static int config_command(const char *name, int argc, char **argv, bool print, bool *out_markdown,
                          struct config *out) {
    struct args a = { name, argc, argv, 0, NULL };
    struct config_flags flags = { .n = 0 };
    *out_markdown = false;
    for (const char *flag; (flag = args_flag(&a));) {
        int taken = config_flag(&flags, &a, flag);
        if (taken < 0) return EXIT_USAGE;
        if (taken == 0 && print && strcmp(flag, "--markdown") == 0)
            *out_markdown = true;
        else if (taken == 0)
            return usage_error(name, "unknown flag %s", flag);
    }
    if (a.at < argc) flags.file = argv[a.at++];
    if (a.at < argc) return usage_error(name, "\"%s\" is one word too many", argv[a.at]);
    return config_of_flags(&flags, name, out) ? EXIT_DONE : EXIT_FAILED;
}

int run_config_check(int argc, char **argv) {
    struct config c;
    bool markdown;
    int result = config_command("config check", argc, argv, false, &markdown, &c);
    if (result != EXIT_DONE) return result;
    config_fini(&c);
    puts("the configuration is valid");
    return EXIT_DONE;
}

int run_config_print(int argc, char **argv) {
    struct config c;
    struct buf out;
    bool markdown;
    int result = config_command("config print", argc, argv, true, &markdown, &c);
    if (result != EXIT_DONE) return result;
    buf_init(&out, 1 << 20);
    if (markdown)
        config_markdown(&out);
    else
        config_print(&c, &out);
    (void)fwrite(out.ptr, 1, out.len, stdout);
    buf_fini(&out);
    config_fini(&c);
    return EXIT_DONE;
}

// --- block stat --------------------------------------------------------------------------------------------

struct stat_source {
    struct object_store *store;
    char key[512];
};

static enum err stat_read(void *ctx, uint64_t off, void *dst, size_t n) {
    struct stat_source *s = ctx;
    return s->store->ops->read(s->store, str_of(s->key), off, dst, n);
}

struct column_sum {
    struct str file, name;
    uint64_t bytes, plain, values;
};

struct stat_sums {
    struct object_store *store;
    struct arena arena;
    struct column_sum *columns;
    uint32_t n, cap;
    uint64_t spans;
};

static enum err sum_column(struct stat_sums *s, struct str file, struct str name,
                           const struct pq_chunk_meta *m) {
    uint32_t i = 0;
    while (i < s->n && !(str_eq(s->columns[i].file, file) && str_eq(s->columns[i].name, name))) i++;
    if (i == s->n) {
        if (s->n == s->cap) {
            uint32_t cap = s->cap ? s->cap * 2 : 256;
            struct column_sum *more = ARENA_ARRAY(&s->arena, cap, struct column_sum);
            if (!more) return ERR_NOMEM;
            if (s->n) memcpy(more, s->columns, s->n * sizeof *more);
            s->columns = more;
            s->cap = cap;
        }
        s->columns[s->n++] =
            (struct column_sum){ .file = str_dup(&s->arena, file), .name = str_dup(&s->arena, name) };
    }
    s->columns[i].bytes += m->pages.len + m->bloom.len + m->offset_index.len + m->column_index.len;
    s->columns[i].plain += m->bytes_plain;
    return ERR_OK;
}

static enum err stat_file(void *ctx, struct str key, uint64_t size) {
    struct stat_sums *s = ctx;
    struct stat_source src = { .store = s->store };
    struct pq_source source = { stat_read, &src, size };
    struct pq_reader_opts opts = { .budget = NULL };
    struct pq_reader *r;
    struct err_ctx why = { 0 };
    size_t slash = key.len;
    if (!str_ends(key, STR(".parquet")) || key.len >= sizeof src.key) return ERR_OK;
    memcpy(src.key, key.ptr, key.len);
    while (slash > 0 && key.ptr[slash - 1] != '/') slash--;
    struct str file = str_sub(key, slash, key.len - slash - STR(".parquet").len);
    TRY(pq_reader_open(&source, &opts, &r, &why));
    enum err e = ERR_OK;
    uint64_t in_columns = 0;
    for (size_t g = 0; g < r->n_groups; g++)
        for (size_t c = 0; c < r->n_columns && e == ERR_OK; c++) {
            const struct pq_chunk_meta *m = &r->groups[g].chunks[c];
            in_columns += m->pages.len + m->bloom.len + m->offset_index.len + m->column_index.len;
            e = sum_column(s, file, r->columns[c].name, m);
        }
    if (e == ERR_OK)
        e = sum_column(s, file, STR("(footer)"),
                       &(struct pq_chunk_meta){ .pages = { 0, size - in_columns } });
    if (str_eq(file, STR("spans"))) s->spans += r->n_rows;
    pq_reader_close(r);
    return e;
}

static int by_bytes(const void *x, const void *y) {
    const struct column_sum *a = x, *b = y;
    return (a->bytes < b->bytes) - (a->bytes > b->bytes);
}

static void print_sums(const struct stat_sums *s, bool json) {
    double spans = s->spans ? (double)s->spans : 1, total = 0;
    struct buf out;
    buf_init(&out, 16 << 20);
    struct json_writer w = json_writer_on(&out);
    jw_object(&w);
    jw_key(&w, STR("spans"));
    jw_u64(&w, s->spans);
    jw_key(&w, STR("columns"));
    jw_array(&w);
    for (uint32_t i = 0; i < s->n; i++) {
        const struct column_sum *c = &s->columns[i];
        total += (double)c->bytes;
        if (!json)
            printf("%-10.*s %-44.*s %12llu B %8.3f B/span\n", STR_ARG(c->file), STR_ARG(c->name),
                   (unsigned long long)c->bytes, (double)c->bytes / spans);
        jw_object(&w);
        jw_key(&w, STR("file"));
        jw_str(&w, c->file);
        jw_key(&w, STR("column"));
        jw_str(&w, c->name);
        jw_key(&w, STR("bytes"));
        jw_u64(&w, c->bytes);
        jw_key(&w, STR("bytes_plain"));
        jw_u64(&w, c->plain);
        jw_object_end(&w);
    }
    jw_array_end(&w);
    jw_object_end(&w);
    if (json)
        printf("%.*s\n", (int)out.len, out.ptr);
    else
        printf("%-10s %-44s %12.0f B %8.3f B/span\n", "all", "", total, total / spans);
    buf_fini(&out);
}

int run_block_stat(int argc, char **argv) {
    struct args a = { "block stat", argc, argv, 0, NULL };
    struct stat_sums s = { .n = 0 };
    bool json = false;
    const char *dir = "./takt-data";
    while (a.at < argc) {
        const char *flag = args_flag(&a);
        if (!flag)
            dir = argv[a.at++];
        else if (strcmp(flag, "--json") == 0)
            json = true;
        else
            return usage_error("block stat", "unknown flag %s", flag);
    }
    arena_init(&s.arena, SIZE_MAX, NULL);
    enum err e = object_file_open(disk_real(), dir, &s.store);
    if (e == ERR_OK) e = s.store->ops->list(s.store, STR("blocks/"), STR(""), &s, stat_file);
    if (e == ERR_OK) {
        if (s.n > 1) qsort(s.columns, s.n, sizeof *s.columns, by_bytes);
        print_sums(&s, json);
    }
    if (s.store) s.store->ops->close(s.store);
    arena_fini(&s.arena);
    return e == ERR_OK ? EXIT_DONE : failed("block stat", "%s: %s", dir, err_text(e));
}
