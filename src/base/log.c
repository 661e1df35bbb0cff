// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 1024, TEXT_MAX_BYTES = 200 };

static _Atomic int threshold = LOG_INFO;

void log_level_set(enum log_level level) {
    threshold = (int)level;
}

static void add_text(char *line, size_t *len, struct str s) {
    line[(*len)++] = '"';
    for (size_t i = 0; i < s.len && i < TEXT_MAX_BYTES && *len < LINE_MAX_BYTES - 8; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c == '"' || c == '\\') line[(*len)++] = '\\';
        line[(*len)++] = c < 0x20 || c == 0x7f ? '?' : (char)c;
    }
    line[(*len)++] = '"';
}

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t n) {
    static const char *const names[] = { "debug", "info", "warn", "error" };
    if ((int)level < atomic_load_explicit(&threshold, memory_order_relaxed)) return;
    char line[LINE_MAX_BYTES];
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    size_t len = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &tm);
    len += (size_t)snprintf(line + len, sizeof line - len, ".%03dZ %s %s", (int)(now.tv_nsec / 1000000),
                            names[level], event);
    for (size_t i = 0; i < n && len < sizeof line - 300; i++) {
        const struct log_field *f = &fields[i];
        const char *fmt = f->kind == LOG_KV_U64 ? " %s=%llu" : f->kind == LOG_KV_I64 ? " %s=%lld" : " %s=";
        len += (size_t)snprintf(line + len, sizeof line - len, fmt, f->key, (unsigned long long)f->num);
        if (f->kind == LOG_KV_STR) add_text(line, &len, f->text);
    }
    line[len++] = '\n';
    // One write, so that lines of several threads never mix. A lost log line is no reason to stop.
    if (write(STDERR_FILENO, line, len) < 0) return;
}
