// SPDX-License-Identifier: Apache-2.0
// Settings as data: a table that says where each value lies in a struct. The functions work on any
// table, so that tests can bring their own.
#pragma once

#include "config/config.h"

enum setting_type {
    SETTING_PATH,
    SETTING_STRING,
    SETTING_ADDRESS,
    SETTING_LIST,
    SETTING_SIZE,
    SETTING_DURATION,
    SETTING_COUNT,
    SETTING_BOOL,
    SETTING_CHOICE,
    SETTING_SECRET, // a string that is never shown
    SETTING_TYPE_COUNT
};
#define CONFIG_C_SECRET struct str

struct setting {
    const char *name; // "otlp.http.address"
    enum setting_type type;
    size_t offset; // of its value
    const char *initial;
    uint64_t least, most;
    const char *choices; // "a|b"
    const char *help;
};

enum { SETTING_DEPTH_MAX = 8 }; // of sections inside each other

struct settings {
    const struct setting *rows;
    size_t n;
};
extern const struct settings config_settings;

// What is wrong with a value: "expected a size such as 256MiB, found \"x\"".
struct reason {
    char text[200];
};

static inline void *setting_slot(const struct setting *s, void *base) {
    return (char *)base + s->offset;
}
static inline const void *setting_value(const struct setting *s, const void *base) {
    return (const char *)base + s->offset;
}

// Parses text into the setting's place in base; strings are copied to the arena. A list takes text
// as values with commas between them.
enum err setting_parse(const struct setting *s, struct str text, struct arena *a, void *base,
                       struct reason *why);
// Adds one value to a list.
enum err setting_append(const struct setting *s, struct str text, struct arena *a, void *base,
                        struct reason *why);
enum err settings_default(struct settings t, struct arena *a, void *base);
// The value as YAML, such that it is read back the same.
void setting_print(const struct setting *s, const void *base, struct buf *out);

// Reads the YAML of src->text into base.
enum err settings_read_yaml(struct settings t, const struct config_source *src, struct arena *a, void *base,
                            struct err_ctx *ctx);
void settings_print(struct settings t, const void *base, struct buf *out);
void settings_markdown(struct settings t, struct buf *out);

// Appends text with ${VAR}, ${VAR:-default} and $$ resolved. out has room for CONFIG_VALUE_MAX bytes
// already, which is its limit; a longer value is ERR_INVALID.
enum err config_expand(struct str text, const char *(*env)(const char *name), struct buf *out,
                       struct reason *why);
