// SPDX-License-Identifier: Apache-2.0
// Where the time of what a rollout brought went.
import type { Rollout } from '../base/delivery';

interface Delivered { // a commit
  authored?: string;
  bot?: boolean;
  twin?: boolean;
}
interface Merged { // a change request
  opened?: string;
  merged?: string;
}

const middle = (values: readonly number[]): number | null => [...values].sort((a, b) => a - b)[(values.length - 1) >> 1] ?? null;
const passed = (from: string | undefined, to: string | undefined): number[] => (from && to && BigInt(to) >= BigInt(from) ? [Number(BigInt(to) - BigInt(from))] : []);

// The middle one of the lead times of its commits, by the rules of the measure, ns; null where none is known.
export function leadTime(d: { rollout: Rollout; commits: readonly Delivered[] }): number | null {
  const r = d.rollout;
  if (r.state !== 'success' || !['normal', 'hotfix'].includes(r.kind) || !['known', 'cut'].includes(r.commits_state)) return null;
  return middle(d.commits.flatMap((c) => (c.twin || c.bot ? [] : passed(c.authored, r.finished))));
}

// Where the time of its change requests went: open, then merged and waiting for it; ns.
export function waits(d: { rollout: Rollout; change_requests: readonly Merged[] }): { open: number; merged: number } | null {
  const [open, merged] = [middle(d.change_requests.flatMap((c) => passed(c.opened, c.merged))), middle(d.change_requests.flatMap((c) => passed(c.merged, d.rollout.finished)))];
  return open === null || merged === null ? null : { open, merged };
}
