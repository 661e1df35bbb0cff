// SPDX-License-Identifier: Apache-2.0
// Series of a metrics answer as lines: names, points on one time grid, marks of single traces.
import type { SeriesAnswer, Series } from './answers';
import { plain } from './answers';
import type { KeyValue } from '../base/api';
import { isCalculated } from './filter';

export interface Line {
  name: string;
  values: Float64Array; // by point of the grid; NaN = none
  last: number;
}
export interface Point {
  at: number; // ms
  value: number;
  trace: string;
  line: number;
}
export interface Lines {
  times: number[]; // ms
  lines: Line[];
  points: Point[];
  lo: number;
  hi: number;
  hidden: number; // lines that are not among `lines`, because there are too many
  partial: string;
}

// An answer leaves a value of 0 out. Of quantiles it has one also where there was no span.
const NO_ZERO = /\bquantile_over_time\s*\(/;

const LINES_MAX = 24;
export const SECONDS = ' s'; // the unit of lines that are durations

const HIDDEN = new Set(['__name__', '__meta_type', '__meta_error']);

export function nameOf(s: Series, fallback: string): string {
  const labels = (s.labels ?? []).filter((l) => !HIDDEN.has(l.key));
  if (!labels.length) return plain(s.labels?.find((l) => l.key === '__name__')?.value) || fallback;
  return labels.map((l) => (l.key === 'p' || l.key === '__bucket' ? `${l.key.replace(/^__/, '')}=` : '') + valueOf(l)).join(', ');
}

// Told apart by what is different of them: keys are in the query, and would hide the values.
const valueOf = (l: KeyValue): string => (l.value && Object.keys(l.value).length ? plain(l.value) || '(empty)' : 'nil');

// The largest lines first when there are too many, else in the server's order.
export function makeLines(answer: SeriesAnswer, query: string): Lines {
  const unit = unitOf(query);
  const absent = NO_ZERO.test(query) ? NaN : 0;
  const all = answer.series ?? [];
  const peak = (s: Series): number => (s.samples ?? []).reduce((a, p) => Math.max(a, Math.abs(Number(p.value ?? 0))), 0);
  const shown = all.length > LINES_MAX ? [...all].sort((a, b) => peak(b) - peak(a)).slice(0, LINES_MAX) : all;
  const times = [...new Set(shown.flatMap((s) => (s.samples ?? []).map((p) => Number(p.timestampMs))))].sort((a, b) => a - b);
  const index = new Map(times.map((t, i) => [t, i]));
  let [lo, hi] = [0, 0];
  const lines = shown.map((s) => {
    const values = new Float64Array(times.length).fill(NaN);
    for (const p of s.samples ?? []) {
      const v = Number(p.value ?? absent);
      values[index.get(Number(p.timestampMs))!] = v;
      if (Number.isFinite(v)) [lo, hi] = [Math.min(lo, v), Math.max(hi, v)];
    }
    let last = NaN;
    for (const v of values) if (Number.isFinite(v)) last = v;
    return { name: nameOf(s, 'value'), values, last };
  });
  const points = shown.flatMap((s, line) =>
    (s.exemplars ?? []).flatMap((e) => {
      const trace = plain(e.labels.find((l) => /^trace:?_?id$/i.test(l.key))?.value);
      return /^[0-9a-f]{1,32}$/.test(trace) ? [{ at: Number(e.timestampMs), value: Number(e.value ?? 0), trace: trace.padStart(32, '0'), line }] : [];
    }),
  );
  for (const p of points) if (unit === SECONDS && Number.isFinite(p.value)) hi = Math.max(hi, p.value);
  const partial = answer.status === 'PARTIAL' ? answer.message || 'the answer stopped early' : '';
  return { times, lines, points, lo, hi, hidden: all.length - shown.length, partial };
}

// What the values of a query are counted in.
export function unitOf(query: string): string {
  if (isCalculated(query)) return '';
  if (/\b(min|max|avg|sum|quantile)_over_time\s*\(\s*((span|trace):)?(duration|traceDuration|event:timeSinceStart)\b/.test(query)) return SECONDS;
  return /\|\s*rate\s*\(/.test(query) ? '/s' : '';
}
