// SPDX-License-Identifier: Apache-2.0
// A heatmap's cells: how many spans began in an interval of time and took so long. Rows double from
// one to the next; columns are the intervals of the answer.
import type { Codec } from '../base/query';
import type { SeriesAnswer } from './answers';

export interface Heat {
  from: number; // ms since 1970, where the first column begins
  step: number; // ms
  columns: number;
  lows: number[]; // by row, ns, from short to long: spans longer than this
  highs: number[]; // and at most this long
  cells: Float64Array; // row * columns + column
  most: number;
  total: number;
  partial: string; // why some of it may be missing; '' = it is all
}

// Times in ms, durations in ns: spans that began in (from, to] and took (min, max].
export interface Box {
  from: number;
  to: number;
  min: number;
  max: number;
}

export const box = (): Codec<Box | null> => ({
  read: (t) => {
    const m = /^(\d{1,15})-(\d{1,15}),(\d{1,18})-(\d{1,18})$/.exec(t ?? '');
    if (!m) return null;
    const [from, to, min, max] = m.slice(1).map(Number) as [number, number, number, number];
    return from < to && min < max ? { from, to, min, max } : null;
  },
  write: (v) => (v ? [`${Math.round(v.from)}-${Math.round(v.to)}`, `${Math.round(v.min)}-${Math.round(v.max)}`].join() : null),
});

const ROWS_MIN = 9;

function boundsOf(answer: SeriesAnswer): number[] {
  const found = new Set<number>();
  for (const s of answer.series ?? []) {
    const b = bucketOf(s.labels ?? []);
    if (b !== null) found.add(b);
  }
  const sorted = [...found].sort((a, b) => a - b);
  const out: number[] = [];
  for (const b of sorted) {
    for (let last = out[out.length - 1]; last !== undefined && b / last > 2.01; last *= 2, out.push(last)) if (out.length > 200) break;
    out.push(b);
  }
  return roomy([...new Set(out)]);
}

// A few empty rows around, when there are so few that a picture of them would be all bars.
function roomy(bounds: number[]): number[] {
  if (!bounds.length) return bounds;
  for (let i = 0; bounds.length < ROWS_MIN; i++) {
    const [low, high] = [bounds[0]!, bounds[bounds.length - 1]!];
    if (i % 2 && low >= 2) bounds.unshift(low / 2);
    else bounds.push(high * 2);
  }
  return bounds;
}

// The upper end of a series' bucket, in ns; those without a length are put with the shortest.
function bucketOf(labels: { key: string; value?: { doubleValue?: unknown; intValue?: unknown; stringValue?: unknown } }[]): number | null {
  const v = labels.find((l) => l.key === '__bucket')?.value;
  const n = Number(v?.doubleValue ?? v?.intValue ?? v?.stringValue);
  return Number.isFinite(n) ? Math.max(1, Math.round(n * 1e9)) : null;
}

export function makeHeat(answer: SeriesAnswer, from: number, to: number, step: number): Heat {
  const first = Math.floor(from / step) * step;
  const columns = Math.max(1, Math.ceil((to - first) / step));
  const highs = boundsOf(answer);
  const row = new Map(highs.map((b, i) => [b, i]));
  const cells = new Float64Array(columns * highs.length);
  let total = 0;
  for (const s of answer.series ?? []) {
    const r = row.get(bucketOf(s.labels ?? []) ?? -1);
    if (r === undefined) continue;
    for (const p of s.samples ?? []) {
      const v = Number(p.value ?? 0);
      const c = Math.min(columns - 1, Math.max(0, Math.ceil((Number(p.timestampMs) - first) / step) - 1));
      if (!(v > 0)) continue;
      cells[r * columns + c]! += v;
      total += v;
    }
  }
  const lows = highs.map((h, i) => (i ? highs[i - 1]! : Math.floor(h / 2)));
  const partial = answer.status === 'PARTIAL' ? answer.message || 'the count stopped early' : '';
  return { from: first, step, columns, lows, highs, cells, most: cells.reduce((a, b) => Math.max(a, b), 0), total, partial };
}

export interface Cells {
  c0: number;
  c1: number; // inclusive
  r0: number;
  r1: number;
}

const clamp = (n: number, max: number): number => Math.max(0, Math.min(max, n));

// The cells between two corners, in any order, kept inside.
export function cellsBetween(h: Heat, c: number, r: number, c2: number, r2: number): Cells {
  const [a, b] = [clamp(c, h.columns - 1), clamp(c2, h.columns - 1)];
  const [x, y] = [clamp(r, h.highs.length - 1), clamp(r2, h.highs.length - 1)];
  return { c0: Math.min(a, b), c1: Math.max(a, b), r0: Math.min(x, y), r1: Math.max(x, y) };
}

export const boxOf = (h: Heat, c: Cells): Box => ({
  from: h.from + c.c0 * h.step,
  to: h.from + (c.c1 + 1) * h.step,
  min: c.r0 === 0 ? 0 : h.lows[c.r0]!, // the lowest row takes in what has no length
  max: h.highs[c.r1]!,
});

// The cells whose middle lies in a box, or null: none.
export function cellsOf(h: Heat, b: Box): Cells | null {
  const c0 = Math.ceil((b.from - h.from) / h.step - 0.5);
  const c1 = Math.floor((b.to - h.from) / h.step - 0.5);
  const mid = (r: number): number => Math.sqrt(h.lows[r]! * h.highs[r]!);
  const rows = h.highs.map((_, r) => r).filter((r) => mid(r) > b.min && mid(r) <= b.max);
  if (!rows.length || c1 < c0 || c1 < 0 || c0 >= h.columns) return null;
  return cellsBetween(h, c0, rows[0]!, c1, rows[rows.length - 1]!);
}

export function countIn(h: Heat, c: Cells): number {
  let n = 0;
  for (let r = c.r0; r <= c.r1; r++) for (let k = c.c0; k <= c.c1; k++) n += h.cells[r * h.columns + k]!;
  return n;
}
