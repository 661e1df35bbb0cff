// SPDX-License-Identifier: Apache-2.0
// How many of a service's spans are errors, over time: two counts of a metrics query, divided.
import { getJson } from '../base/api';
import { quote } from '../base/format';
import type { SeriesAnswer } from './answers';
import { seriesPath, type Stretch } from './ask';
import type { Lines } from './lines';
import { stepFor } from './scale';

const POINTS = 90;

export interface ErrorShare {
  lines: Lines;
  from: number; // ms
  to: number;
  spans: number;
  errors: number;
}

const countsOf = (a: SeriesAnswer): Map<number, number> => {
  const out = new Map<number, number>();
  for (const s of a.series ?? []) for (const p of s.samples ?? []) out.set(Number(p.timestampMs), (out.get(Number(p.timestampMs)) ?? 0) + Number(p.value ?? 0));
  return out;
};

// In percent; a moment without spans has no share.
export function shareOf(all: SeriesAnswer, bad: SeriesAnswer, name: string): Pick<ErrorShare, 'lines' | 'spans' | 'errors'> {
  const [total, errors] = [countsOf(all), countsOf(bad)];
  const times = [...total.keys()].sort((a, b) => a - b);
  const values = Float64Array.from(times, (t) => (total.get(t)! > 0 ? (100 * (errors.get(t) ?? 0)) / total.get(t)! : NaN));
  const sum = (m: Map<number, number>): number => [...m.values()].reduce((a, b) => a + b, 0);
  const known = values.filter(Number.isFinite);
  const partial = [all, bad].find((a) => a.status === 'PARTIAL');
  return {
    lines: { times, lines: [{ name, values, last: known.at(-1) ?? NaN }], points: [], lo: 0, hi: Math.max(1, ...known), hidden: 0, partial: partial ? partial.message || 'the count stopped early' : '' },
    spans: sum(total),
    errors: sum(errors),
  };
}

export async function loadErrorShare(service: string, at: Stretch, stop: AbortSignal): Promise<ErrorShare> {
  const [from, to] = [Number(at.start / 1_000_000n), Number(at.end / 1_000_000n)];
  const step = stepFor(to - from, POINTS);
  const ask = (more: string): Promise<SeriesAnswer> =>
    getJson(seriesPath(`{ resource.service.name = ${quote(service)}${more} } | count_over_time() with(exemplars=false)`, at, step, 0), stop);
  const [all, bad] = await Promise.all([ask(''), ask(' && status = error')]);
  return { ...shareOf(all, bad, 'Spans with errors'), from, to };
}
