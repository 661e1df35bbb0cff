// SPDX-License-Identifier: Apache-2.0
#include "app/plot.h"

#include <math.h>

#include "base/test.h"

static void check_plot(struct plot p, const char *want) {
    struct buf out;
    buf_init(&out, 10000);
    plot_draw(&p, &out);
    CHECK_STR(buf_view(&out), str_of(want));
    buf_fini(&out);
}

TEST(plot_lines) {
    static const double up[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8 };
    static const double gap[] = { 8, NAN, 0, INFINITY };
    static const double below[] = { -4, 0, 4 };
    static const double many[] = { 0, 8, 0, 0, 4, 0, 0, 0 };
    check_plot((struct plot){ .values = up, .n = 9, .width = 9, .height = 1, .unicode = true }, " ▁▂▃▄▅▆▇█");
    check_plot((struct plot){ .values = up, .n = 9, .width = 9, .height = 1 }, " ..::||##");
    check_plot((struct plot){ .values = gap, .n = 4, .width = 8, .height = 1, .unicode = true }, "██    ██");
    check_plot((struct plot){ .values = below, .n = 3, .width = 3, .height = 1, .unicode = true }, " ▄█");
    check_plot((struct plot){ .values = many, .n = 8, .width = 4, .height = 1, .unicode = true }, "█ ▄ ");
    check_plot((struct plot){ .values = up, .n = 0, .width = 9, .height = 1 }, "");
}

TEST(plot_axes) {
    static const double up[] = { 1000, 2000, 1500, 500 };
    check_plot((struct plot){ .values = up,
                              .n = 4,
                              .width = 50,
                              .height = 2,
                              .start_ns = 1700000000000000000,
                              .end_ns = 1700000060500000000 },
               "       2k |             ############:::::::::::::\n"
               "        0 |######################################::::::::::::\n"
               "          +--------------------------------------------------\n"
               "           2023-11-14 22:13:20.000    2023-11-14 22:14:20.500\n");
}

static struct str said(void (*put)(struct buf *out, uint64_t v), uint64_t v) {
    static char text[64];
    struct buf b;
    buf_init(&b, sizeof text);
    put(&b, v);
    memcpy(text, b.ptr, b.len);
    struct str s = { text, b.len };
    buf_fini(&b);
    return s;
}

TEST(plot_words) {
    static const struct {
        double v;
        const char *text;
    } numbers[] = { { 0, "0" },        { 0.125, "0.125" },    { 999, "999" },
                    { 1234, "1.23k" }, { -2500000, "-2.5M" }, { 3e9, "3G" },
                    { 5e13, "50T" },   { INFINITY, "inf" },   { NAN, "nan" } };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct buf b;
        buf_init(&b, 100);
        plot_number(&b, numbers[i].v);
        CHECK_STR(buf_view(&b), str_of(numbers[i].text));
        buf_fini(&b);
    }
    CHECK_STR(said(plot_duration, 999), STR("999 ns"));
    CHECK_STR(said(plot_duration, 1500), STR("1.5 us"));
    CHECK_STR(said(plot_duration, 260000000), STR("260 ms"));
    CHECK_STR(said(plot_duration, 61500000000), STR("61.5 s"));
}

TEST(plot_a_terminal_is_told_nothing_by_senders) {
    struct buf b;
    buf_init(&b, 100);
    plot_text(&b, STR("a\x1b[2J\n\xc2\x9b\xff\x7f é€ \u202egnp.exe\u2069\u200b"));
    CHECK_STR(buf_view(&b), STR("a?[2J???? é€ ?gnp.exe??"));
    buf_fini(&b);
}

TEST(plot_tables) {
    struct str cells[] = { STR("A"), STR("B"),   STR("C"),  STR("long"), STR(""),
                           STR("x"), STR("日é"), STR("bb"), STR("") };
    struct table t = { cells, 3, 3 };
    struct buf b;
    buf_init(&b, 1000);
    table_print(&t, &b);
    CHECK_STR(buf_view(&b), STR("A     B   C\nlong      x\n日é   bb\n"));
    buf_fini(&b);
}
