// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "app/app.h"

void print_help(const struct command *c) {
    printf("usage: takt %s%s%s\n\n%s\n", c->name, c->usage[0] ? " " : "", c->usage, c->about);
    if (c->help[0]) printf("\n%s", c->help);
    if (c->asks)
        puts("For a server whose certificate a private authority signed: --ca FILE (PEM), or $TAKT_CA.");
}

static void complain(const char *command, const char *fmt, va_list args) {
    (void)fprintf(stderr, "takt %s: ", command);
    (void)vfprintf(stderr, fmt, args);
    (void)fputc('\n', stderr);
}

int usage_error(const char *command, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    complain(command, fmt, args);
    va_end(args);
    (void)fprintf(stderr, "Try: takt %s --help\n", command);
    return EXIT_USAGE;
}

int failed(const char *command, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    complain(command, fmt, args);
    va_end(args);
    return EXIT_FAILED;
}

int failed_with(const char *command, struct str why) {
    while (str_ends(why, STR("\n"))) why.len--;
    return failed(command, "%.*s", STR_ARG(why));
}

const char *args_flag(struct args *a) {
    static char name[64]; // of --name=value
    if (a->at >= a->argc || strncmp(a->argv[a->at], "--", 2) != 0) return NULL;
    char *word = a->argv[a->at++], *equals = strchr(word, '=');
    a->value = NULL;
    if (!equals) return word;
    size_t len = (size_t)(equals - word) < sizeof name - 1 ? (size_t)(equals - word) : sizeof name - 1;
    memcpy(name, word, len);
    name[len] = '\0';
    a->value = equals + 1;
    return name;
}

const char *args_value(struct args *a, const char *flag) {
    if (a->value) return a->value;
    if (a->at < a->argc) return a->argv[a->at++];
    (void)usage_error(a->command, "%s needs a value", flag);
    return NULL;
}

void config_flag_add(struct config_flags *f, const char *flag, struct str name, struct str value) {
    if (f->n < OVERRIDES_MAX) f->overrides[f->n++] = (struct config_override){ flag, name, value };
}

static int set_flag(struct config_flags *f, struct args *a) {
    const char *v = args_value(a, "--set");
    struct str name, value;
    if (!v) return -1;
    if (!str_cut(str_of(v), '=', &name, &value)) {
        (void)usage_error(a->command, "--set wants NAME=VALUE, as in --set retention=7d");
        return -1;
    }
    config_flag_add(f, "--set", name, value);
    return 1;
}

int config_flag(struct config_flags *f, struct args *a, const char *flag) {
    static const struct {
        const char *flag, *name;
    } flags[] = { { "--data", "data.dir" },
                  { "--http", "http.address" },
                  { "--otlp-grpc", "otlp.grpc.address" },
                  { "--otlp-http", "otlp.http.address" } };
    if (strcmp(flag, "--config") == 0) {
        f->file = args_value(a, flag);
        return f->file ? 1 : -1;
    }
    if (strcmp(flag, "--set") == 0) return set_flag(f, a);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        if (strcmp(flag, flags[i].flag) != 0) continue;
        const char *v = args_value(a, flag);
        if (!v) return -1;
        config_flag_add(f, flags[i].flag, str_of(flags[i].name), str_of(v));
        return 1;
    }
    return 0;
}

bool config_of_flags(const struct config_flags *f, const char *command, struct config *out) {
    struct config_source src = { .file = f->file, .overrides = f->overrides, .n_overrides = f->n };
    struct err_ctx ctx = { 0 };
    enum err e = config_load(disk_real(), &src, out, &ctx);
    if (e == ERR_OK) return true;
    (void)failed(command, "%s", ctx.text[0] ? ctx.text : err_text(e));
    return false;
}
