// SPDX-License-Identifier: Apache-2.0
// Structured log lines on stderr: a stable event name and typed fields, one line an event:
//   2026-11-20T18:00:00.123Z warn wal.tail_cut segment=7 offset=8192
// error = a person must act; warn = degraded but handled; info = lifecycle; debug = off by default.
// Text of users goes only into KV_STR fields, quoted and cut at 200 bytes. thread: any.
#pragma once

#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF };

struct log_field {
    const char *key;
    enum { LOG_KV_U64, LOG_KV_I64, LOG_KV_STR } kind;
    uint64_t num;
    struct str text;
};
#define KV_U64(k, v) ((struct log_field){ .key = (k), .kind = LOG_KV_U64, .num = (uint64_t)(v) })
#define KV_I64(k, v) ((struct log_field){ .key = (k), .kind = LOG_KV_I64, .num = (uint64_t)(int64_t)(v) })
#define KV_STR(k, v) ((struct log_field){ .key = (k), .kind = LOG_KV_STR, .text = (v) })
#define KV_Z(k, v) KV_STR((k), str_of(v))

void log_level_set(enum log_level level);
void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t n);

#define LOG_AT(level, event, ...) \
    do { \
        struct log_field log_f_[] = { { .key = NULL }, ##__VA_ARGS__ }; \
        log_write((level), (event), log_f_ + 1, sizeof log_f_ / sizeof *log_f_ - 1); \
    } while (0)
#define log_error(event, ...) LOG_AT(LOG_ERROR, event, ##__VA_ARGS__)
#define log_warn(event, ...) LOG_AT(LOG_WARN, event, ##__VA_ARGS__)
#define log_info(event, ...) LOG_AT(LOG_INFO, event, ##__VA_ARGS__)
#define log_debug(event, ...) LOG_AT(LOG_DEBUG, event, ##__VA_ARGS__)
