// SPDX-License-Identifier: Apache-2.0
// A pattern, a line break, and a text: a pattern is refused with its place, or matches within its limits,
// and the quick forms say what PCRE says.
#include "traceql/regex_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str all = { (const char *)data, size }, pattern, text;
    struct ql_regex *r = NULL;
    struct err_ctx ctx = { 0 };
    bool quick = false, slow = false;
    if (size > 512) return 0;
    (void)str_cut(all, '\n', &pattern, &text);
    enum err e = ql_regex_new(pattern, &r, &ctx);
    if (e != ERR_OK) {
        ASSERT(e != ERR_NOMEM && ctx.text[0] && ctx.column > 0);
        return 0;
    }
    e = ql_regex_match(r, text, &quick);
    ASSERT(e == ERR_OK || e == ERR_LIMIT);
    if (r->form != REGEX_PCRE) {
        r->form = REGEX_PCRE;
        e = ql_regex_match(r, text, &slow);
        ASSERT(e == ERR_LIMIT || (e == ERR_OK && quick == slow));
    }
    ql_regex_free(r);
    return 0;
}
