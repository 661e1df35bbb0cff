// SPDX-License-Identifier: Apache-2.0
// How the services of the last half hour do, against the half hour before: the spans where requests come
// into a service, from metrics queries of one value each.
import { getJson } from '../base/api';
import { plain, type SeriesAnswer } from './answers';
import type { Stretch } from './ask';

export const HALF_HOUR = 1_800_000_000_000n;
const SURE_Z = 3; // standard errors between two shares that are no accident
const SURE_ERRORS = 5;

export interface Side {
  spans: number;
  errors: number;
  p95: number | null; // seconds
}
export interface Health {
  service: string;
  now: Side;
  before: Side;
}

const nobody = (): Side => ({ spans: 0, errors: 0, p95: null });

// counts: by service and status; slow: the p95 by service.
export function sidesOf(counts: SeriesAnswer, slow: SeriesAnswer): Map<string, Side> {
  const out = new Map<string, Side>();
  const label = (s: NonNullable<SeriesAnswer['series']>[number], key: string): string => plain(s.labels?.find((l) => l.key === key)?.value);
  const of = (name: string): Side => {
    if (!out.has(name)) out.set(name, nobody());
    return out.get(name)!;
  };
  for (const s of counts.series ?? []) {
    const side = of(label(s, 'resource.service.name'));
    side.spans += Number(s.value ?? 0);
    if (label(s, 'status') === 'error') side.errors += Number(s.value ?? 0);
  }
  for (const s of slow.series ?? []) if (Number.isFinite(Number(s.value))) of(label(s, 'resource.service.name')).p95 = Number(s.value);
  return out;
}

export const healthOf = (now: Map<string, Side>, before: Map<string, Side>): Health[] =>
  [...new Set([...now.keys(), ...before.keys()])].map((service) => ({ service, now: now.get(service) ?? nobody(), before: before.get(service) ?? nobody() }));

const shareOf = (s: Side): number => (s.spans ? s.errors / s.spans : 0);

// More errors than before, and not by accident: two shares, three standard errors apart.
export function rose({ now, before }: Health): boolean {
  if (now.errors < SURE_ERRORS || !now.spans || !before.spans) return false;
  const both = (now.errors + before.errors) / (now.spans + before.spans);
  const error = Math.sqrt(both * (1 - both) * (1 / now.spans + 1 / before.spans));
  return error > 0 && (shareOf(now) - shareOf(before)) / error >= SURE_Z;
}

// What wants to be seen first: errors that rose, then the largest share of errors, then the most requests.
export const byNeed = (a: Health, b: Health): number =>
  Number(rose(b)) - Number(rose(a)) || shareOf(b.now) - shareOf(a.now) || b.now.spans - a.now.spans || (a.service < b.service ? -1 : 1);

const ENTRY = '{ kind = server || kind = consumer || nestedSetParent < 0 }';

interface Asked {
  sides: Map<string, Side>;
  partial: string; // why not all was counted
}

async function ask(at: Stretch, stop: AbortSignal): Promise<Asked> {
  const of = (what: string): Promise<SeriesAnswer> =>
    getJson(`api/metrics/query?${new URLSearchParams({ q: `${ENTRY} | ${what}`, start: String(at.start), end: String(at.end) })}`, stop);
  const [counts, slow] = await Promise.all([of('count_over_time() by (resource.service.name, status)'), of('quantile_over_time(duration, 0.95) by (resource.service.name)')]);
  const part = [counts, slow].find((a) => a.status === 'PARTIAL');
  return { sides: sidesOf(counts, slow), partial: part ? part.message || 'the count stopped early' : '' };
}

export async function loadHealth(end: bigint, stop: AbortSignal): Promise<{ services: Health[]; partial: string }> {
  const middle = end - HALF_HOUR;
  const [now, before] = await Promise.all([ask({ start: middle, end }, stop), ask({ start: middle - HALF_HOUR, end: middle }, stop)]);
  return { services: healthOf(now.sides, before.sides), partial: now.partial || before.partial };
}
