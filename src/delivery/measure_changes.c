// SPDX-License-Identifier: Apache-2.0
// The stages of a change: coding, pickup, review, deploy. Each is told from the next by a moment that
// somebody's tool told; where a moment is missing, the stage is left out and said.
#include "delivery/measuring.h"

static void see_stage(struct measuring *r, struct measure_row row, int64_t from, int64_t to,
                      const char *unknown) {
    if (!measuring_in_window(r, to)) return;
    if (row.change->flags & FLOW_BOT)
        measuring_leave_out(r, row, "change of a bot");
    else if (!from)
        measuring_leave_out(r, row, unknown);
    else
        measuring_add_time(r, row, from, to);
}

static void see_lead(struct measuring *r, struct measure_row row, bool of_bots) {
    const struct flow_change *c = row.change;
    if (!measuring_in_window(r, c->deployed)) return;
    if (!of_bots) {
        see_stage(r, row, c->first_commit, c->deployed, "its first commit is not known");
    } else if (c->flags & FLOW_BOT) {
        if (c->first_commit || c->opened)
            measuring_add_time(r, row, c->first_commit ? c->first_commit : c->opened, c->deployed);
        else
            measuring_leave_out(r, row, "its beginning is not known");
    }
}

// Waits for the first look of another person; what is merged without one waited until then.
static void see_pickup(struct measuring *r, struct measure_row row) {
    const struct flow_change *c = row.change;
    see_stage(r, row, c->opened, c->first_review ? c->first_review : c->merged, "its opening is not known");
}

static void see_review(struct measuring *r, struct measure_row row) {
    see_stage(r, row, row.change->first_review, row.change->merged, "merged without a review");
}

static void see_unreviewed(struct measuring *r, struct measure_row row) {
    if (!measuring_in_window(r, row.change->merged)) return;
    if (row.change->flags & FLOW_BOT)
        measuring_leave_out(r, row, "change of a bot");
    else
        measuring_add_case(r, row, !row.change->first_review);
}

static void see_rounds(struct measuring *r, struct measure_row row) {
    if (!measuring_in_window(r, row.change->merged)) return;
    if (row.change->flags & FLOW_BOT)
        measuring_leave_out(r, row, "change of a bot");
    else if (!row.change->first_review)
        measuring_leave_out(r, row, "merged without a review");
    else
        measuring_add_value(r, row, row.change->rounds);
}

// Merged before the end of the window and not deployed by then: how long ago.
static void see_waiting(struct measuring *r, struct measure_row row) {
    const struct flow *f = row.flow;
    const struct flow_change *c = row.change;
    int64_t until = r->ask.to < r->ask.now ? r->ask.to : r->ask.now;
    if (!c->merged || c->merged >= until || (c->deployed && c->deployed < until)) return;
    if (f->n_series == 0)
        measuring_leave_out(r, row, "of no service that is known to be deployed");
    else if (!c->deployed && (!f->first_success || c->merged <= f->first_success))
        measuring_leave_out(r, row, "merged before the first rollout: a baseline");
    else if (!c->deployed && c->merged <= f->unknown_until)
        measuring_leave_out(r, row, "it is not known what the rollouts since then brought");
    else
        measuring_add_time(r, row, c->merged, until);
}

static void see_ci(struct measuring *r, struct measure_row row, int64_t ns) {
    if (!measuring_in_window(r, row.change->merged)) return;
    if (row.change->flags & FLOW_BOT)
        measuring_leave_out(r, row, "change of a bot");
    else if (!row.change->n_runs)
        measuring_leave_out(r, row, "no run of its commits is known");
    else
        measuring_add_value(r, row, (double)ns / 1e9);
}

static void see_change(struct measuring *r, struct measure_row row) {
    const struct flow_change *c = row.change;
    switch (r->ask.measure) {
    case MEASURE_CHANGE_LEAD_TIME: see_lead(r, row, false); break;
    case MEASURE_BOT_CHANGE_LEAD_TIME: see_lead(r, row, true); break;
    case MEASURE_CODING_TIME:
        see_stage(r, row, c->first_commit, c->opened, "its first commit is not known");
        break;
    case MEASURE_PICKUP_TIME: see_pickup(r, row); break;
    case MEASURE_REVIEW_TIME: see_review(r, row); break;
    case MEASURE_MERGE_WAIT: see_stage(r, row, c->approved, c->merged, "merged without an approval"); break;
    case MEASURE_DEPLOY_TIME: see_stage(r, row, c->merged, c->deployed, "its merge is not known"); break;
    case MEASURE_REVIEW_ROUNDS: see_rounds(r, row); break;
    case MEASURE_UNREVIEWED_RATE: see_unreviewed(r, row); break;
    case MEASURE_WAITING_CHANGES: see_waiting(r, row); break;
    case MEASURE_CI_TIME: see_ci(r, row, c->ci_ns); break;
    case MEASURE_CI_COST: see_ci(r, row, c->ci_sum_ns); break;
    default: break;
    }
}

void measuring_changes(struct measuring *r, const struct flow *f) {
    for (uint32_t i = 0; i < f->n_changes; i++)
        see_change(
            r, (struct measure_row){
                   .rollout = ROLLOUT_NONE, .commit = ROLLOUT_NONE, .flow = f, .change = &f->changes[i] });
}
