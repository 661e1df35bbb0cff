// SPDX-License-Identifier: Apache-2.0
// How the measures collect their rows: what the files of measures share. Private to this folder.
#pragma once

#include "delivery/measure.h"

bool measuring_in_window(const struct measuring *r, int64_t t); // 0 is in none
void measuring_see(struct measuring *r, struct measure_row row);
// `why` is a literal: reasons are told apart by its address.
void measuring_leave_out(struct measuring *r, struct measure_row row, const char *why);
void measuring_add_value(struct measuring *r, struct measure_row row, double v);
// A time between stamps of two clocks: a little below zero counts as 0, more is left out.
void measuring_add_time(struct measuring *r, struct measure_row row, int64_t from, int64_t to);
void measuring_add_case(struct measuring *r, struct measure_row row, bool hit);

void measuring_changes(struct measuring *r, const struct flow *f);
void measuring_runs(struct measuring *r, const struct flow *f);
void measuring_canary(struct measuring *r, const struct measure_canary *c);
void measuring_flag(struct measuring *r, const struct measure_flag *f);
