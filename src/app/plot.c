// SPDX-License-Identifier: Apache-2.0
#include "app/plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { LABEL_WIDTH = 9, EIGHTHS = 8, COLUMNS_DEFAULT = 100 };

// --- words -----------------------------------------------------------------------------------------------

void plot_number(struct buf *out, double v) {
    static const struct {
        double from;
        const char *unit;
    } units[] = { { 1e12, "T" }, { 1e9, "G" }, { 1e6, "M" }, { 1e3, "k" } };
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (fabs(v) >= units[i].from && isfinite(v)) {
            buf_fmt(out, "%.3g%s", v / units[i].from, units[i].unit);
            return;
        }
    buf_fmt(out, "%.3g", v);
}

void plot_time(struct buf *out, uint64_t unix_ns) {
    time_t s = (time_t)(unix_ns / 1000000000);
    struct tm tm;
    char text[32];
    (void)gmtime_r(&s, &tm);
    (void)strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
    buf_fmt(out, "%s.%03u", text, (unsigned)(unix_ns % 1000000000 / 1000000));
}

void plot_duration(struct buf *out, uint64_t ns) {
    if (ns < 1000)
        buf_fmt(out, "%llu ns", (unsigned long long)ns);
    else if (ns < 1000000)
        buf_fmt(out, "%.3g us", (double)ns / 1e3);
    else if (ns < 1000000000)
        buf_fmt(out, "%.3g ms", (double)ns / 1e6);
    else
        buf_fmt(out, "%.4g s", (double)ns / 1e9);
}

void plot_text(struct buf *out, struct str s) {
    while (s.len) {
        size_t n = str_utf8_len(s);
        if (n == 0 || str_is_unseen(str_sub(s, 0, n)))
            buf_char(out, '?');
        else
            buf_add(out, s.ptr, n);
        s = str_sub(s, n ? n : 1, s.len);
    }
}

struct str plot_cell(struct arena *a, struct str s) {
    struct buf b;
    size_t n = 0;
    buf_init(&b, 64 << 10);
    plot_text(&b, s);
    s = buf_view(&b);
    for (uint32_t i = 0; i < CELL_MAX && n < s.len; i++) n += str_utf8_len(str_sub(s, n, s.len));
    s = n < s.len ? str_fmt(a, "%.*s...", (int)n, s.ptr) : str_dup(a, s);
    buf_fini(&b);
    return s;
}

bool plot_unicode(void) {
    static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
    for (size_t i = 0; i < 3; i++) {
        const char *v = getenv(names[i]);
        if (!v || !*v) continue;
        return strcasestr(v, "utf-8") || strcasestr(v, "utf8");
    }
    return false;
}

uint32_t plot_columns(void) {
    struct winsize w;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col >= 40) return w.ws_col;
    return COLUMNS_DEFAULT;
}

// --- plots -----------------------------------------------------------------------------------------------

struct scale {
    double low, high;
};

static double column_value(const struct plot *p, uint32_t x) {
    uint32_t from = (uint32_t)((uint64_t)x * p->n / p->width);
    uint32_t to = (uint32_t)((x + 1ull) * p->n / p->width);
    double most = NAN;
    if (to == from) to = from + 1; // fewer values than columns: each is drawn wide
    for (uint32_t i = from; i < to && i < p->n; i++)
        if (isnan(most) || p->values[i] > most) most = p->values[i];
    return most;
}

// From 0 where nothing is below it, so that heights can be compared.
static struct scale scale_of(const struct plot *p) {
    struct scale s = { 0, 0 };
    for (uint32_t i = 0; i < p->n; i++) {
        if (!isfinite(p->values[i])) continue;
        if (p->values[i] < s.low) s.low = p->values[i];
        if (p->values[i] > s.high) s.high = p->values[i];
    }
    if (s.high == s.low) s.high = s.low + 1;
    return s;
}

// Eighths of a row that are filled, of all rows together.
static uint32_t fill_of(const struct scale *s, uint32_t height, double v) {
    double top = (double)(height * EIGHTHS);
    if (isnan(v)) return 0;
    if (!isfinite(v)) return v > 0 ? height * EIGHTHS : 0;
    double filled = round((v - s->low) / (s->high - s->low) * top);
    if (filled < 1 && v > s->low) filled = 1; // little is not nothing
    return filled < 0 ? 0 : filled > top ? height * EIGHTHS : (uint32_t)filled;
}

static void put_cell(struct buf *out, uint32_t eighths, bool unicode) {
    static const char *const blocks[] = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
    static const char ascii[] = " ..::||##";
    if (unicode)
        buf_str(out, str_of(blocks[eighths]));
    else
        buf_char(out, ascii[eighths]);
}

static void put_label(struct buf *out, double v) {
    struct buf text;
    buf_init(&text, 64);
    plot_number(&text, v);
    for (size_t i = text.len; i < LABEL_WIDTH; i++) buf_char(out, ' ');
    buf_str(out, buf_view(&text));
    buf_fini(&text);
}

static void put_row(const struct plot *p, const struct scale *s, uint32_t row, struct buf *out) {
    uint32_t below = (p->height - 1 - row) * EIGHTHS; // eighths under this row
    for (uint32_t x = 0; x < p->width; x++) {
        uint32_t filled = fill_of(s, p->height, column_value(p, x));
        uint32_t here = filled > below ? filled - below : 0;
        put_cell(out, here < EIGHTHS ? here : EIGHTHS, p->unicode);
    }
}

static void put_times(const struct plot *p, struct buf *out) {
    struct buf from, to;
    buf_init(&from, 64);
    buf_init(&to, 64);
    plot_time(&from, p->start_ns);
    plot_time(&to, p->end_ns);
    for (uint32_t i = 0; i < LABEL_WIDTH + 2; i++) buf_char(out, ' ');
    buf_str(out, buf_view(&from));
    for (size_t i = from.len + to.len; i < p->width; i++) buf_char(out, ' ');
    if (from.len + to.len >= p->width) buf_char(out, ' ');
    buf_str(out, buf_view(&to));
    buf_char(out, '\n');
    buf_fini(&from);
    buf_fini(&to);
}

void plot_draw(const struct plot *p, struct buf *out) {
    struct scale s = scale_of(p);
    if (p->n == 0 || p->width == 0 || p->height == 0) return;
    if (p->height == 1) {
        put_row(p, &s, 0, out);
        return;
    }
    for (uint32_t row = 0; row < p->height; row++) {
        if (row == 0)
            put_label(out, s.high);
        else if (row == p->height - 1)
            put_label(out, s.low);
        else
            for (uint32_t i = 0; i < LABEL_WIDTH; i++) buf_char(out, ' ');
        buf_str(out, str_of(p->unicode ? " │" : " |"));
        put_row(p, &s, row, out);
        while (out->len && out->ptr[out->len - 1] == ' ') out->len--;
        buf_char(out, '\n');
    }
    for (uint32_t i = 0; i < LABEL_WIDTH; i++) buf_char(out, ' ');
    buf_str(out, str_of(p->unicode ? " └" : " +"));
    for (uint32_t i = 0; i < p->width; i++) buf_str(out, str_of(p->unicode ? "─" : "-"));
    buf_char(out, '\n');
    put_times(p, out);
}

// --- tables ----------------------------------------------------------------------------------------------

void table_print(const struct table *t, struct buf *out) {
    size_t widest[TABLE_COLUMNS_MAX] = { 0 };
    ASSERT(t->n_columns <= TABLE_COLUMNS_MAX);
    for (size_t i = 0; i < (size_t)t->n_rows * t->n_columns; i++) {
        size_t w = str_columns(t->cells[i]), *most = &widest[i % t->n_columns];
        if (w > *most) *most = w;
    }
    for (uint32_t row = 0; row < t->n_rows; row++) {
        size_t gap = 0; // owed in front of the next cell, so that lines end without spaces
        for (uint32_t c = 0; c < t->n_columns; c++) {
            struct str cell = t->cells[(size_t)row * t->n_columns + c];
            if (cell.len)
                for (; gap; gap--) buf_char(out, ' ');
            buf_str(out, cell);
            gap += widest[c] - str_columns(cell) + 2;
        }
        buf_char(out, '\n');
    }
}
