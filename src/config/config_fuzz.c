// SPDX-License-Identifier: Apache-2.0
// Any text as a configuration: refused with a message, or printed and loaded again to the same.
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *fixed_env(const char *name) {
    return name[0] == 'A' ? "value" : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct config c, again;
    struct err_ctx ctx = { 0 };
    struct config_source src = { .file = "fuzz", .text = { (const char *)data, size }, .env = fixed_env };
    if (config_parse(&src, &c, &ctx) != ERR_OK) {
        ASSERT(ctx.text[0]);
        return 0;
    }
    struct buf once, twice;
    buf_init(&once, 4 << 20);
    buf_init(&twice, 4 << 20);
    config_print(&c, &once);
    ASSERT(!once.failed);
    src.text = buf_view(&once);
    ASSERT(config_parse(&src, &again, &ctx) == ERR_OK);
    config_print(&again, &twice);
    ASSERT(str_eq(buf_view(&once), buf_view(&twice)));
    buf_fini(&once);
    buf_fini(&twice);
    config_fini(&c);
    config_fini(&again);
    return 0;
}
