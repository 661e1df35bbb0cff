// SPDX-License-Identifier: Apache-2.0
// Where requests come in, from metrics queries by service and name: how many, how many failed, how long.
import { plain, type Series, type SeriesAnswer } from './answers';

export interface Operation {
  service: string;
  name: string;
  spans: number;
  errors: number;
  p95: number | null; // seconds
}

const label = (s: Series, key: string): string => plain(s.labels?.find((l) => l.key.replace(/^(resource\.)?/, '') === key)?.value);
const keyOf = (s: Series): string => JSON.stringify([label(s, 'service.name'), label(s, 'name')]);
const sum = (s: Series): number => (s.samples ?? []).reduce((n, p) => n + Number(p.value ?? 0), 0);

// Those with the most requests first.
export function operationsOf(all: SeriesAnswer, bad: SeriesAnswer, slow: SeriesAnswer): Operation[] {
  const errors = new Map((bad.series ?? []).map((s) => [keyOf(s), sum(s)]));
  const p95 = new Map<string, number>();
  for (const s of slow.series ?? []) {
    // A day that is not whole steps has two samples: the worse is said.
    const values = (s.samples ?? []).map((p) => Number(p.value)).filter(Number.isFinite);
    if (values.length) p95.set(keyOf(s), Math.max(...values));
  }
  return (all.series ?? [])
    .map((s) => ({ service: label(s, 'service.name'), name: label(s, 'name'), spans: sum(s), errors: errors.get(keyOf(s)) ?? 0, p95: p95.get(keyOf(s)) ?? null }))
    .filter((o) => o.spans > 0)
    .sort((a, b) => b.spans - a.spans || (a.service + a.name < b.service + b.name ? -1 : 1));
}
