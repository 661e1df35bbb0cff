// SPDX-License-Identifier: Apache-2.0
// The bands of one's own history: where a figure stands among the same figure of earlier windows that were as
// long. Windows of another length would not do: of a week without a failure the rate is 0, of a quarter hardly.
import { ApiError, getJson } from './api';
import type { Measure, Measures } from './delivery';
import type { Trend, TrendPoint } from './trend';

export const OWN_WINDOWS = 12; // that are looked back
const OWN_LEAST = 4; // below, nothing is usual yet

interface Own {
  known: number; // windows with a value
  low?: number; // the quartiles of them; absent: too few
  high?: number;
}
export type Owns = ReadonlyMap<string, Own>;

const quantile = (sorted: readonly number[], q: number): number => {
  const at = (sorted.length - 1) * q;
  const [a, b] = [sorted[Math.floor(at)]!, sorted[Math.ceil(at)]!];
  return a + (b - a) * (at - Math.floor(at));
};

// The window in which a history begins is not whole, and those before it say nothing.
export function ownOf(points: readonly TrendPoint[]): Own {
  const begins = points.findIndex((p) => p.n > 0);
  const whole = begins < 0 ? [] : points.slice(begins > 0 ? begins + 1 : 0);
  const values = whole.flatMap((p) => (typeof p.value === 'number' ? [p.value] : [])).sort((a, b) => a - b);
  if (values.length < OWN_LEAST) return { known: values.length };
  return { known: values.length, low: quantile(values, 0.25), high: quantile(values, 0.75) };
}

const WORDS = ['better than usual', 'as usual', 'worse than usual'] as const;
const MORE_IS_BETTER = new Set(['deployment_frequency']);

// In words; with an interval that reaches over an edge, both sides of it.
export function ownText(m: Measure, own: Own | undefined): string {
  if (!own) return '';
  if (m.value === undefined || m.small) return 'insufficient data';
  if (own.low === undefined || own.high === undefined) return `cannot know: ${own.known} of ${OWN_LEAST} earlier windows`;
  const sign = MORE_IS_BETTER.has(m.name) ? -1 : 1;
  const at = (v: number): number => 1 + sign * (v < own.low! ? -1 : v > own.high! ? 1 : 0);
  const places = [m.value, ...(m.interval ?? [])].map(at);
  const [best, worst] = [Math.min(...places), Math.max(...places)];
  return best === worst ? WORDS[best]! : `${WORDS[best]} to ${WORDS[worst]!.replace(' than usual', '')}`;
}

// None of a measure that the server has no history of.
export async function loadOwns(names: readonly string[], data: Measures, scope: Record<string, string>, stop: AbortSignal): Promise<Owns> {
  const [from, to] = [BigInt(data.from) / 1_000_000_000n, BigInt(data.to) / 1_000_000_000n];
  const step = to - from;
  const begin = from - BigInt(OWN_WINDOWS) * step;
  const ask = async (measure: string): Promise<[string, Own] | null> => {
    try {
      const q = new URLSearchParams({ measure, step: `${step}s`, from: String(begin > 0n ? begin : 1n), to: String(from), ...scope });
      return [measure, ownOf((await getJson<Trend>(`api/takt/delivery/trend?${q}`, stop)).points)];
    } catch (e) {
      if (e instanceof ApiError) return null;
      throw e;
    }
  };
  return new Map((await Promise.all(names.map(ask))).filter((x) => x !== null));
}
