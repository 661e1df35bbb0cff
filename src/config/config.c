// SPDX-License-Identifier: Apache-2.0
#include "config/config.h"

#include "config/config_internal.h"

static const struct setting rows[] = {
#define CONFIG(type, field, name, initial, least, most, choices, help) \
    { name, SETTING_##type, offsetof(struct config, field), initial, least, most, choices, help },
#include "config/config.def"
#undef CONFIG
};
const struct settings config_settings = { rows, sizeof rows / sizeof *rows };

enum { CONFIG_ARENA_MAX = 4 << 20 };

void config_fini(struct config *c) {
    arena_fini(&c->arena);
}

static enum err apply_override(const struct config_override *o, struct config *c, struct err_ctx *ctx) {
    struct reason why = { "" };
    for (size_t i = 0; i < config_settings.n; i++) {
        if (!str_eq(str_of(rows[i].name), o->name)) continue;
        enum err e = o->value.len >= CONFIG_VALUE_MAX ? ERR_LIMIT
                                                      : setting_parse(&rows[i], o->value, &c->arena, c, &why);
        if (e == ERR_LIMIT) return err_set(ctx, e, "%s: the value is longer than 4096 bytes", o->flag);
        if (e != ERR_INVALID) return e;
        return strcmp(o->flag, "--set") == 0 ? err_set(ctx, e, "%s %s: %s", o->flag, rows[i].name, why.text)
                                             : err_set(ctx, e, "%s: %s", o->flag, why.text);
    }
    return err_set(ctx, ERR_INVALID, "%s: there is no setting \"%.*s\"", o->flag,
                   STR_ARG(str_sub(o->name, 0, 60)));
}

static enum err parse(const struct config_source *src, struct config *c, struct err_ctx *ctx) {
    TRY(settings_default(config_settings, &c->arena, c));
    if (src->text.len > CONFIG_FILE_MAX)
        return err_set(ctx, ERR_LIMIT, "%s: a configuration of more than 1 MiB", src->file);
    if (src->text.len) TRY(settings_read_yaml(config_settings, src, &c->arena, c, ctx));
    for (size_t i = 0; i < src->n_overrides; i++) TRY(apply_override(&src->overrides[i], c, ctx));
    return config_check(c, ctx);
}

enum err config_parse(const struct config_source *src, struct config *out, struct err_ctx *ctx) {
    struct config c = { 0 };
    arena_init(&c.arena, CONFIG_ARENA_MAX, NULL);
    enum err e = parse(src, &c, ctx);
    if (e == ERR_NOMEM && c.arena.used > CONFIG_ARENA_MAX / 2) e = ERR_LIMIT;
    if (e == ERR_OK)
        *out = c;
    else
        arena_fini(&c.arena);
    return e;
}

static enum err read_file(struct disk *d, const char *path, struct buf *out, struct err_ctx *ctx) {
    struct disk_file *f;
    struct disk_stat st;
    if (d->ops->stat(d, path, &st) == ERR_OK && st.is_dir)
        return err_set(ctx, ERR_INVALID, "%.180s is a directory; name a file in it", path);
    TRY(d->ops->open(d, path, DISK_READ, &f));
    size_t n = 0;
    enum err e = buf_reserve(out, CONFIG_FILE_MAX + 1) ? ERR_OK : ERR_NOMEM;
    if (e == ERR_OK) e = d->ops->read(f, 0, out->ptr, CONFIG_FILE_MAX + 1, &n);
    d->ops->close(f);
    if (e == ERR_OK) out->len = n;
    return e;
}

enum err config_load(struct disk *d, const struct config_source *src, struct config *out,
                     struct err_ctx *ctx) {
    struct config_source whole = *src;
    struct buf text;
    buf_init(&text, CONFIG_FILE_MAX + 1);
    enum err e = src->file ? read_file(d, src->file, &text, ctx) : ERR_OK;
    if (e != ERR_OK) {
        if (!ctx->text[0]) (void)err_set(ctx, e, "cannot read %.180s: %s", src->file, err_text(e));
    } else {
        whole.text = buf_view(&text);
        e = config_parse(&whole, out, ctx);
    }
    buf_fini(&text);
    return e;
}

static bool same_place(const struct config_address *a, const struct config_address *b) {
    return !a->off && !b->off && a->port != 0 && str_eq(a->text, b->text);
}

uint64_t config_disk_least(const struct config *c) {
    uint64_t cut = c->head_cut_bytes, share = c->memory_budget / 8; // a head holds no more of the memory
    return (share && share < cut ? share : cut) + CONFIG_DISK_ROOM_LEAST;
}

#define REFUSE(ctx, ...) return err_set((ctx), ERR_INVALID, __VA_ARGS__)

enum err config_check(const struct config *c, struct err_ctx *ctx) {
    if ((c->tls_cert_file.len == 0) != (c->tls_key_file.len == 0))
        REFUSE(ctx, "tls.cert_file and tls.key_file belong together: set both or none");
    if (c->tls_client_ca_file.len && c->tls_cert_file.len == 0)
        REFUSE(ctx, "tls.client_ca_file needs tls.cert_file and tls.key_file");
    if (same_place(&c->http_address, &c->otlp_grpc_address))
        REFUSE(ctx, "http.address and otlp.grpc.address are the same");
    if (same_place(&c->http_address, &c->otlp_http_address))
        REFUSE(ctx, "http.address and otlp.http.address are the same");
    if (same_place(&c->otlp_grpc_address, &c->otlp_http_address))
        REFUSE(ctx, "otlp.grpc.address and otlp.http.address are the same");
    if (c->ingest_max_decoded_bytes < c->ingest_max_request_bytes)
        REFUSE(ctx, "ingest.max_decoded_bytes is less than ingest.max_request_bytes");
    if (c->wal_limit_bytes / 2 < c->wal_segment_bytes)
        REFUSE(ctx, "wal.limit_bytes must be at least twice wal.segment_bytes");
    uint64_t disk = config_disk_least(c), room = CONFIG_DISK_ROOM_LEAST >> 20;
    if (c->disk_budget && c->disk_budget < disk)
        REFUSE(ctx,
               "disk.budget (%llu MiB) leaves no room for data: head.cut_bytes (%llu MiB) of it are kept "
               "free for "
               "the block being written; set disk.budget to %llu MiB or more, or head.cut_bytes to less",
               (unsigned long long)c->disk_budget >> 20, (unsigned long long)(disk >> 20) - room,
               (unsigned long long)(disk + (1 << 20) - 1) >> 20);
    return ERR_OK;
}

void config_print(const struct config *c, struct buf *out) {
    buf_str(out,
            STR("# Takt's configuration: every setting, with its value.\n"
                "# Sizes: 64MiB, 2GB. Durations: 30d, 1h30m, 500ms. ${VAR} and ${VAR:-default} in a value\n"
                "# are taken from the environment; $$ is a dollar.\n"));
    settings_print(config_settings, c, out);
}

void config_markdown(struct buf *out) {
    buf_str(
        out,
        STR("# Settings\n\n"
            "Takt needs no configuration. `takt serve --config FILE` reads one in YAML; names with dots\n"
            "are nested (`otlp.http.address` is `address` in `http` in `otlp`). `takt config print` writes "
            "a\n"
            "file with every setting, `takt config check FILE` reads one and says what is wrong.\n\n"
            "- Sizes: `64MiB`, `2GB`, or bytes. Durations: `30d`, `1h30m`, `500ms`.\n"
            "- Addresses: `127.0.0.1:3200`, `[::1]:3200`, `:3200` (every interface), or `off`.\n"
            "- `${VAR}` and `${VAR:-default}` in a value are taken from the environment; `$$` is a dollar.\n"
            "- A key that Takt does not know, a key that comes twice, anchors and tags are errors.\n\n"));
    settings_markdown(config_settings, out);
}
