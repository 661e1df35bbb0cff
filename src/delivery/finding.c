// SPDX-License-Identifier: Apache-2.0
#include "delivery/finding.h"

#include <stdio.h>

const char *finding_answer_text(enum finding_answer a) {
    static const char *const texts[] = { "cannot know", "no", "yes" };
    return texts[a];
}

struct finding finding_begin(const char *name, const char *text, const char *step) {
    return (struct finding){ .name = name, .text = text, .step = step, .due = FINDING_YES };
}

void finding_uses(struct finding *f, enum measure m) {
    if (f->n_figures < FINDING_FIGURES_MAX) f->figures[f->n_figures++] = m;
}

void finding_says(struct finding *f, struct arena *a, enum finding_answer answer, const char *fmt, ...) {
    char text[1024];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    f->answer = answer;
    char *copy = arena_copy(a, text, len);
    f->evidence = copy ? (struct str){ copy, len } : STR("");
}

void finding_cannot_know(struct finding *f, struct arena *a, const char *why) {
    finding_says(f, a, FINDING_UNKNOWN, "%s", why);
}

enum finding_answer finding_when(bool it_does) {
    return it_does ? FINDING_YES : FINDING_NO;
}

bool finding_share_known(struct finding_share s) {
    return s.n >= MEASURE_SMALL;
}

double finding_share_of(struct finding_share s) {
    return s.n ? (double)s.k / (double)s.n : 0;
}
