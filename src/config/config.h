// SPDX-License-Identifier: Apache-2.0
// The configuration: what config.def lists, from a YAML file, the environment (${VAR} in values) and
// flags of the command line, which win. Every mistake is an error with the file, the line and what
// was expected; nothing is ignored. thread: one at a time; constant once loaded.
#pragma once

#include "os/disk.h"

enum {
    CONFIG_FILE_MAX = 1 << 20, // bytes of a configuration file
    CONFIG_VALUE_MAX = 4096,   // bytes of one value after expansion
    CONFIG_LIST_MAX = 256,     // values of one list
};

struct config_address {
    bool off; // not to be listened on; text is then "off"
    uint16_t port;
    struct str text; // "host:port" as os/socket.h has it, NUL-terminated
};

struct config_list {
    struct str *items; // NUL-terminated
    uint32_t n;
};

enum config_when_full { CONFIG_WHEN_FULL_REFUSE, CONFIG_WHEN_FULL_DROP_OLDEST };

enum config_wal_compression { CONFIG_WAL_NONE, CONFIG_WAL_AUTO, CONFIG_WAL_LZ4 };

#define CONFIG_C_PATH struct str // NUL-terminated
#define CONFIG_C_STRING struct str
#define CONFIG_C_ADDRESS struct config_address
#define CONFIG_C_LIST struct config_list
#define CONFIG_C_SIZE uint64_t     // bytes
#define CONFIG_C_DURATION uint64_t // nanoseconds
#define CONFIG_C_COUNT uint64_t
#define CONFIG_C_BOOL bool
#define CONFIG_C_CHOICE uint32_t // index into the choices: enum config_when_full, enum log_level

struct config {
    struct arena arena; // owns what the fields point to
#define CONFIG(type, field, ...) CONFIG_C_##type field;
#include "config/config.def"
#undef CONFIG
};

// A flag of the command line, e.g. { "--http", STR("http.address"), … }; the flag is for messages.
struct config_override {
    const char *flag;
    struct str name, value;
};

struct config_source {
    const char *file; // its path (config_load) or its name in messages (config_parse); NULL = none
    struct str text;  // its content (config_parse)
    const struct config_override *overrides;
    size_t n_overrides;
    const char *(*env)(const char *name); // NULL = the environment of the process
};

// Defaults, then the file, then the overrides, then config_check. On an error *out is untouched and
// ctx->text is a whole message ("takt.yaml:3: unknown key …"); ERR_INVALID, ERR_LIMIT, ERR_NOMEM,
// and of config_load what opening and reading the file can give. Free with config_fini.
NODISCARD enum err config_parse(const struct config_source *src, struct config *out, struct err_ctx *ctx);
NODISCARD enum err config_load(struct disk *d, const struct config_source *src, struct config *out,
                               struct err_ctx *ctx);
void config_fini(struct config *c);

// Room in the disk budget beside the block being written: an empty facts.db with its journal, a log.
#define CONFIG_DISK_ROOM_LEAST (16ull << 20)
// The least disk budget, in bytes, with which data comes in at all.
uint64_t config_disk_least(const struct config *c);

// Do the settings fit together? ERR_INVALID and a message. (Files are not looked at.)
NODISCARD enum err config_check(const struct config *c, struct err_ctx *ctx);

// Every setting with its meaning, default and value, as YAML that loads to the same configuration.
// Secrets are left out. Errors are those of the buffer.
void config_print(const struct config *c, struct buf *out);
// docs/config.md.
void config_markdown(struct buf *out);
