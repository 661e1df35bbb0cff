// SPDX-License-Identifier: Apache-2.0
// Any bytes as a template of a rollback: refused, or a command in which what was put in stands within single
// quotes alone, as a shell reads it.
#include "delivery/rollback.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MARK "\xc3\xbf" // in every value, and in no template that is looked at
#define VALUE MARK "';\"$(" MARK

static void check_quotes(struct str command) {
    char quote = 0;
    for (size_t i = 0; i < command.len; i++) {
        char c = command.ptr[i];
        if (str_starts(str_sub(command, i, command.len), STR(MARK))) ASSERT(quote == '\'');
        if (quote == '\'' || !quote)
            if (c == '\'') quote = quote ? 0 : '\'';
        if (quote == '\'') continue;
        if (c == '\\')
            i++;
        else if (c == '"')
            quote = quote ? 0 : '"';
        if (c != '$' || i + 1 == command.len) continue;
        char next = command.ptr[i + 1];
        ASSERT(next != '[' && !(quote && (next == '(' || next == '{'))); // quotes would nest
    }
    ASSERT(!quote);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str template = { (const char *)data, size }, command;
    struct rollback_values v;
    struct err_ctx ctx = { 0 };
    struct arena a;
    if (memmem(data, size, MARK, 2)) return 0;
    for (unsigned i = 0; i < ROLLBACK_NAMES; i++) v.of[i] = STR(VALUE);
    arena_init(&a, 1 << 20, NULL);
    enum err checked = rollback_check(template, &ctx),
             written = rollback_write(&a, template, &v, &command, &ctx);
    ASSERT(checked == written && (checked == ERR_OK || checked == ERR_INVALID));
    if (written == ERR_OK) check_quotes(command);
    arena_fini(&a);
    return 0;
}
