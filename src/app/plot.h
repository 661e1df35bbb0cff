// SPDX-License-Identifier: Apache-2.0
// Text for terminals: tables whose columns line up, and small plots of series. What senders wrote
// is printed without control characters and those that turn text around: a terminal must not obey
// them. thread: any.
#pragma once

#include "base/str.h"

enum { PLOT_WIDTH_MAX = 400, PLOT_HEIGHT_MAX = 40, TABLE_COLUMNS_MAX = 80, CELL_MAX = 60 };

struct plot {
    const double *values; // NaN = none
    uint32_t n;
    uint32_t width, height; // of the plotting area in characters; height 1: a line without axes
    bool unicode;           // block elements; else plain ASCII
    uint64_t start_ns, end_ns;
};
// A line chart with its axes. Of several values in one column the largest is drawn.
void plot_draw(const struct plot *p, struct buf *out);

// A number as people read it: 12, 0.5, 1.25k, 3.4M.
void plot_number(struct buf *out, double v);
// "2026-01-31 12:00:00.123", UTC.
void plot_time(struct buf *out, uint64_t unix_ns);
void plot_duration(struct buf *out, uint64_t ns);
void plot_text(struct buf *out, struct str s);       // without control characters
struct str plot_cell(struct arena *a, struct str s); // the same, cut after CELL_MAX characters
bool plot_unicode(void);                             // does the environment ask for UTF-8?
uint32_t plot_columns(void);                         // of the terminal; 100 when it is none

struct table {
    const struct str *cells;    // n_rows × n_columns, the first row are the heads
    uint32_t n_rows, n_columns; // at most TABLE_COLUMNS_MAX
};
void table_print(const struct table *t, struct buf *out);
