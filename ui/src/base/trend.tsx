// SPDX-License-Identifier: Apache-2.0
// A measure week by week (or by day, by month): a small picture beside its value, and the same as a table.
import type { JSX } from 'preact';
import { ApiError, getJson } from './api';
import { Csv, type CsvCell } from './csv';
import { number, type Measure } from './delivery';
import { count, plural } from './format';
import { Scroll } from './parts';
import { zone } from './prefs';
import { dateOf } from './time';

export interface TrendPoint {
  from: string; // ns
  to: string;
  value?: number;
  interval?: [number, number];
  n: number;
  partial?: boolean; // the week is not over, or begins before the window
}
export interface Trend {
  name: string;
  points: TrendPoint[];
}
export type Step = 'week' | 'day' | 'month';
export type Trends = ReadonlyMap<string, Trend>;

// What the server tells of these measures; it may know none, and then there are none.
export async function loadTrends(names: readonly string[], scope: Record<string, string>, stop: AbortSignal, step: Step = 'week'): Promise<Trends> {
  const ask = async (measure: string): Promise<Trend | null> => {
    try {
      return await getJson<Trend>(`api/takt/delivery/trend?${new URLSearchParams({ measure, step, ...scope })}`, stop);
    } catch (e) {
      if (e instanceof ApiError) return null;
      throw e;
    }
  };
  const first = await ask(names[0]!);
  if (!first) return new Map();
  const all = [first, ...(await Promise.all(names.slice(1).map(ask)))];
  return new Map(names.flatMap((n, i) => (all[i]?.points.length ? [[n, all[i]!] as const] : [])));
}

const W = 132;
const H = 34;

const known = (p: TrendPoint): p is TrendPoint & { value: number } => typeof p.value === 'number' && Number.isFinite(p.value);

// What is not over yet is not compared with what is: it would look like a fall on each Monday. All, where none is over.
const compared = (points: readonly TrendPoint[]): readonly TrendPoint[] => {
  const whole = points.filter((p) => !p.partial);
  return whole.some(known) ? whole : points;
};

// Points of a trend in the box; a week without a value is a hole.
export function sparkPath(all: readonly TrendPoint[]): { line: string; band: string; last: [number, number] | null } {
  const points = compared(all);
  const values = points.flatMap((p) => (known(p) ? [p.value, ...(p.interval ?? [])] : []));
  const [lo, hi] = [Math.min(0, ...values), Math.max(...values, Number.MIN_VALUE)];
  const x = (i: number): number => 3 + (i / Math.max(1, points.length - 1)) * (W - 6);
  const y = (v: number): number => H - 3 - ((v - lo) / (hi - lo || 1)) * (H - 6);
  let line = '';
  let band = '';
  let last: [number, number] | null = null;
  points.forEach((p, i) => {
    if (!known(p)) return;
    line += `${i && known(points[i - 1]!) ? 'L' : 'M'}${x(i).toFixed(1)} ${y(p.value).toFixed(1)}`;
    if (p.interval) band += `M${x(i).toFixed(1)} ${y(p.interval[0]).toFixed(1)}V${y(p.interval[1]).toFixed(1)}`;
    last = [x(i), y(p.value)];
  });
  return { line, band, last };
}

export function trendText(m: Pick<Measure, 'title' | 'unit'>, t: Trend, step: Step = 'week'): string {
  const points = compared(t.points);
  const values = points.filter(known);
  if (!values.length) return `${m.title} by ${step}: no values`;
  const open = points.length < t.points.length ? ', without the one that is not over' : '';
  return `${m.title} by ${step}, from ${number(m.unit, values[0]!.value)} to ${number(m.unit, values.at(-1)!.value)} over ${plural(points.length, step)}${open}`;
}

export function Spark({ m, trend, step = 'week' }: { m: Pick<Measure, 'title' | 'unit'>; trend: Trend | undefined; step?: Step }): JSX.Element | null {
  if (!trend || !trend.points.some(known)) return null;
  const { line, band, last } = sparkPath(trend.points);
  return (
    <svg class="spark" width={W} height={H} viewBox={`0 0 ${W} ${H}`} role="img" aria-label={trendText(m, trend, step)}>
      <path d={band} class="spark-band" />
      <path d={line} class="spark-line" />
      {last && <circle cx={last[0]} cy={last[1]} r="2.5" class="spark-dot" />}
    </svg>
  );
}

// The day in a zone by name; in the preferred one without.
function dayOf(ns: string, name: string | undefined): string {
  if (!name) return dateOf(BigInt(ns), zone.value);
  try {
    return new Intl.DateTimeFormat('sv-SE', { timeZone: name }).format(Number(BigInt(ns) / 1_000_000n)); // 2026-11-20
  } catch {
    return dateOf(BigInt(ns), zone.value); // a zone that this browser does not know
  }
}

export function TrendTable({ measures, trends, zone: name, step = 'week' }: { measures: readonly Measure[]; trends: Trends; zone?: string; step?: Step }): JSX.Element | null {
  const shown = measures.filter((m) => trends.has(m.name));
  const weeks = shown.length ? trends.get(shown[0]!.name)!.points : [];
  if (!weeks.length) return null;
  const title = step.replace(/^./, (c) => c.toUpperCase());
  // Values in the measure's own unit: seconds, shares from 0 to 1.
  const csv = (): CsvCell[][] => [[`${step}_from`, 'whole', ...shown.flatMap((m) => [m.name, `${m.name}_rows`])], ...weeks.map((w, i) => [dayOf(w.from, name), w.partial ? 'no' : 'yes', ...shown.flatMap((m) => {
    const p = trends.get(m.name)!.points[i];
    return [p?.value, p?.n];
  })])];
  return (
    <details class="trend-table">
      <summary>{title} by {step}, as a table</summary>
      <Csv name={`takt-by-${step}`} of={`Measures by ${step}`} rows={csv} />
      <Scroll label={`Measures by ${step}`}>
        <table class="grid" data-k="trends">
          <thead><tr><th scope="col">{title} from</th>{shown.map((m) => <th key={m.name} scope="col" class="n">{m.title}</th>)}</tr></thead>
          <tbody>
            {weeks.map((w, i) => (
              <tr key={w.from}>
                <th scope="row">{dayOf(w.from, name)}{w.partial ? ' (not whole)' : ''}</th>
                {shown.map((m) => {
                  const p = trends.get(m.name)!.points[i];
                  return <td key={m.name} class="n">{p && known(p) ? `${number(m.unit, p.value)} of ${count(p.n)}` : '–'}</td>;
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </details>
  );
}
