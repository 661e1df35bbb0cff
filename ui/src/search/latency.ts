// SPDX-License-Identifier: Apache-2.0
// How long the requests of two versions of a service took in the same hours: how many of each length, p50 and p99.
import { getJson } from '../base/api';
import { quote } from '../base/format';
import { plain, type SeriesAnswer } from './answers';
import type { Stretch } from './ask';

export interface LatencySide {
  name: string; // empty: other versions together
  counts: Map<number, number>; // by the upper edge of a bucket, seconds; a bucket is twice the one before
  requests: number;
  p50: number | null; // seconds
  p99: number | null;
}
export interface Latency {
  old: LatencySide;
  new: LatencySide;
  partial: string;
}

const VERSION = 'resource.service.version';

type Series = NonNullable<SeriesAnswer['series']>[number];
const label = (s: Series, key: string): string => plain(s.labels?.find((l) => l.key === key)?.value);
const numberOf = (s: Series, key: string): number => Number(s.labels?.find((l) => l.key === key)?.value?.doubleValue ?? NaN);

function sideOf(name: string, versions: ReadonlySet<string>, buckets: SeriesAnswer, quantiles: SeriesAnswer): LatencySide {
  const out: LatencySide = { name, counts: new Map(), requests: 0, p50: null, p99: null };
  for (const s of buckets.series ?? []) {
    const [edge, n] = [numberOf(s, '__bucket'), Number(s.value ?? 0)];
    if (!versions.has(label(s, VERSION)) || !Number.isFinite(edge)) continue;
    out.counts.set(edge, (out.counts.get(edge) ?? 0) + n);
    out.requests += n;
  }
  if (versions.size !== 1) return out; // quantiles of several cannot be put together
  for (const s of quantiles.series ?? []) {
    if (!versions.has(label(s, VERSION)) || !Number.isFinite(Number(s.value))) continue;
    if (numberOf(s, 'p') === 0.5) out.p50 = Number(s.value);
    else out.p99 = Number(s.value);
  }
  return out;
}

// Against the version before where requests of it are there; else against all others.
export function latencyOf(version: string, before: string, buckets: SeriesAnswer, quantiles: SeriesAnswer): Latency {
  const seen = new Set((buckets.series ?? []).map((s) => label(s, VERSION)));
  const others = new Set([...seen].filter((v) => v !== version));
  const one = others.has(before) ? before : others.size === 1 ? [...others][0]! : null;
  const partial = [buckets, quantiles].find((a) => a.status === 'PARTIAL');
  return {
    old: sideOf(one ?? '', one === null ? others : new Set([one]), buckets, quantiles),
    new: sideOf(version, new Set([version]), buckets, quantiles),
    partial: partial ? partial.message || 'the count stopped early' : '',
  };
}

export async function loadLatency(service: string, version: string, before: string, at: Stretch, stop: AbortSignal): Promise<Latency> {
  const spans = `{ (kind = server || kind = consumer || nestedSetParent < 0) && resource.service.name = ${quote(service)} }`;
  const ask = (what: string): Promise<SeriesAnswer> =>
    getJson(`api/metrics/query?${new URLSearchParams({ q: `${spans} | ${what} by (${VERSION})`, start: String(at.start), end: String(at.end) })}`, stop);
  const [buckets, quantiles] = await Promise.all([ask('histogram_over_time(duration)'), ask('quantile_over_time(duration, 0.5, 0.99)')]);
  return latencyOf(version, before, buckets, quantiles);
}
