// SPDX-License-Identifier: Apache-2.0
// The levels of the yearly DORA reports, as closed partitions: the reports name ranges with holes and
// overlaps (they come from clusters of answers), and a value in a hole takes the worse neighbour.
// Reports without levels (2025) have none here. A level is of one measure, never of a team.
#pragma once

#include "delivery/measure.h"

enum band { BAND_NONE, BAND_ELITE, BAND_HIGH, BAND_MEDIUM, BAND_LOW };
const char *band_text(enum band b);

enum { BAND_YEARS = 4 };
extern const unsigned band_years[BAND_YEARS];

// BAND_NONE: the year's report has no level for it.
enum band band_of(unsigned year, enum measure m, double value);
bool band_known(unsigned year, enum measure m); // the year's report has levels for it
// Does the value lie between the ranges that the report names? Its band is then the worse neighbour.
bool band_between(unsigned year, enum measure m, double value);
// The levels that the interval reaches into: *worst = *best where it crosses no edge.
void band_range(unsigned year, enum measure m, const struct measure_result *r, enum band *best,
                enum band *worst);
