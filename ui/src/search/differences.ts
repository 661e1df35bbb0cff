// SPDX-License-Identifier: Apache-2.0
// What sets a selection apart from the rest, as numbers: shares, their differences, the most telling values,
// and the same of an answer to compare().
import { momentOf, type Rollout } from '../base/delivery';
import { plain, type Difference, type Explanation, type SeriesAnswer } from './answers';
import type { Box } from './heat';

export const share = (n: number, of: number): number => (of > 0 ? n / of : 0);

// Shares are of all spans of a side, also of those without the attribute: only so they can be
// compared between attributes.
export type Sides = Pick<Explanation, 'selection' | 'rest'>;
export const diffOf = (d: Difference, of: Sides): number => share(d.selection, of.selection) - share(d.rest, of.rest);

// The newest rollout of a version, newest first; null: none, or those of several services.
export function deployOf(d: Difference, rollouts: readonly Rollout[]): Rollout | null {
  const of = d.field === 'resource.service.version' ? rollouts.filter((r) => r.version === plain(d.value)) : [];
  return of.length && of.every((r) => r.service === of[0]!.service) ? of[0]! : null;
}

// Where "before" ends: at the deploy that is nearest to the beginning of what is selected, no further from it
// than the selection is long; without one, at that beginning. service: only its deploys; '' = all.
export function beforeOf(b: Pick<Box, 'from' | 'to'>, rollouts: readonly Rollout[], service: string): { at: number; deploy: Rollout | null } {
  const long = b.to - b.from;
  const near = rollouts
    .filter((r) => !service || r.service === service)
    .map((deploy) => ({ at: momentOf(deploy), deploy }))
    .filter(({ at }) => at > b.from - long && at < b.to)
    .sort((x, y) => Math.abs(x.at - b.from) - Math.abs(y.at - b.from));
  return near[0] ?? { at: b.from, deploy: null };
}

// An attribute that most of the selection has, with so many values that none stands out there, nor differs:
// the largest share of one, else null. d: its most telling value.
const STANDS_OUT = 0.12;
export function spreadOf(d: Difference, all: readonly Difference[], of: Sides): number | null {
  const most = share(d.selectionMost ?? Math.max(...all.filter((x) => x.field === d.field).map((x) => x.selection)), of.selection);
  const isCommon = share(d.selectionTotal, of.selection) >= 0.5;
  return isCommon && most > 0 && most <= STANDS_OUT && Math.abs(diffOf(d, of)) <= STANDS_OUT ? most : null;
}

// The most telling value of each attribute: where two tell as much, the one that the selection has more of.
export function tellingOf(all: readonly Difference[], of: Sides): Difference[] {
  const best = new Map<string, Difference>();
  for (const d of all) {
    const have = best.get(d.field);
    const by = have ? Math.abs(diffOf(d, of)) - Math.abs(diffOf(have, of)) : 1;
    if (by > 1e-9 || (by > -1e-9 && have && diffOf(d, of) > diffOf(have, of))) best.set(d.field, d);
  }
  return [...best.values()].sort((a, b) => Math.abs(diffOf(b, of)) - Math.abs(diffOf(a, of)));
}

const WORDS = /^(span:)?(status|kind)$/; // fields whose values are words
const TYPES: Record<string, string> = { '': 'nil', stringValue: 'string', intValue: 'int', doubleValue: 'float', boolValue: 'bool' };

const TOP = 10; // values of an attribute that compare() gives of each side, unless it says how many

// How many values compare() gives of each side.
const topOf = (query: string): number => Number(/\}\s*,\s*(\d+)/.exec(query)?.[1] ?? TOP);

// The series of compare(), each summed over its time. What cannot be told is left out: attributes with too
// many values to count, and a value that only one side gives while the other gave as many as it may.
export function explanationOf(answer: SeriesAnswer, query: string): Explanation {
  const found = new Map<string, Difference>();
  const totals = new Map<string, { selection: number; rest: number }>();
  const uncounted = new Set<string>();
  for (const s of answer.series ?? []) {
    const side = plain(s.labels?.find((l) => l.key === '__meta_type')?.value);
    const label = s.labels?.find((l) => !l.key.startsWith('__meta_'));
    if (!label) continue;
    if (s.labels!.some((l) => l.key === '__meta_error')) uncounted.add(label.key);
    const n = (s.samples ?? []).reduce((sum, p) => sum + Number(p.value ?? 0), 0);
    const of = side.startsWith('selection') ? 'selection' : 'rest';
    if (side.endsWith('_total')) {
      const total = totals.get(label.key) ?? { selection: 0, rest: 0 };
      totals.set(label.key, { ...total, [of]: total[of] + n });
      continue;
    }
    const kind = Object.keys(label.value ?? {})[0] ?? '';
    const type = WORDS.test(label.key) ? 'keyword' : (TYPES[kind] ?? 'any');
    const key = `${label.key} ${kind} ${plain(label.value)}`;
    const d = found.get(key) ?? { field: label.key, value: label.value, type, selection: 0, selectionTotal: 0, rest: 0, restTotal: 0, diff: 0 };
    found.set(key, { ...d, [of]: d[of] + n });
  }
  for (const field of uncounted) totals.delete(field);
  const given = new Map<string, number>(); // values, by attribute and side
  const sidesOf = (d: Difference): string[] => [d.selection > 0 ? 'selection' : '', d.rest > 0 ? 'rest' : ''].filter(Boolean);
  for (const d of found.values()) for (const side of sidesOf(d)) given.set(`${d.field} ${side}`, (given.get(`${d.field} ${side}`) ?? 0) + 1);
  const isKnown = (d: Difference): boolean => (['selection', 'rest'] as const).every((side) => d[side] > 0 || (given.get(`${d.field} ${side}`) ?? 0) < topOf(query));
  const sides = { selection: Math.max(0, ...[...totals.values()].map((t) => t.selection)), rest: Math.max(0, ...[...totals.values()].map((t) => t.rest)) };
  const attributes = [...found.values()].flatMap((d) => {
    const total = totals.get(d.field);
    return total && isKnown(d) ? [{ ...d, selectionTotal: total.selection, restTotal: total.rest, diff: diffOf(d, sides) }] : [];
  });
  return { ...sides, attributes, complete: answer.status !== 'PARTIAL', why: answer.message || null };
}
