// SPDX-License-Identifier: Apache-2.0
#include "impact/presence.h"

#include "base/test.h"

// 0.0005 is 2^-10.97: of arms alike, eleven traces are enough for one thing, fifteen for ten, more for a
// small arm.
TEST(presence_is_absence_only_where_chance_would_hardly_leave_it_out) {
    static const struct {
        uint64_t old, new;
        struct presence_arms arms;
        enum presence want;
        const char *why;
    } rows[] = {
        { 11, 0, { 1000, 1000, 1, 1 }, PRESENCE_GONE, "2^-11 is less" },
        { 10, 0, { 1000, 1000, 1, 1 }, PRESENCE_UNSURE, "2^-10 is more" },
        { 14, 0, { 1000, 1000, 1, 10 }, PRESENCE_UNSURE, "ten were looked at: 0.00005 is 2^-14.3" },
        { 15, 0, { 1000, 1000, 1, 10 }, PRESENCE_GONE, "" },
        { 79, 0, { 9000, 1000, 1, 1 }, PRESENCE_GONE, "a canary of a tenth: 0.9^73 is the edge" },
        { 72, 0, { 9000, 1000, 1, 1 }, PRESENCE_UNSURE, "of it 8 were expected" },
        { 4, 0, { 1, 100000, 1, 1 }, PRESENCE_UNSURE, "fewer than say anything" },
        { 5, 0, { 1, 100000, 1, 1 }, PRESENCE_GONE, "" },
        { 20, 0, { 1000, 1000, 2, 1 }, PRESENCE_UNSURE, "as good as ten" },
        { 22, 0, { 1000, 1000, 2, 1 }, PRESENCE_GONE, "" },
        { 11, 0, { 1000, 1000, 0, 1 }, PRESENCE_GONE, "not known how much more: as chance" },
        { 500, 0, { 1000, 0, 1, 1 }, PRESENCE_UNSURE, "the new one serves nothing" },
        { 500, 1, { 1000, 1000, 1, 1 }, PRESENCE_SAME, "once is enough" },
        { 0, 11, { 1000, 1000, 1, 1 }, PRESENCE_NEW, "" },
        { 0, 10, { 1000, 1000, 1, 1 }, PRESENCE_UNSURE, "" },
        { 0, 0, { 1000, 1000, 1, 1 }, PRESENCE_UNSURE, "" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_STR(str_of(presence_text(presence_of(rows[i].old, rows[i].new, &rows[i].arms))),
                  str_of(presence_text(rows[i].want)));
}
