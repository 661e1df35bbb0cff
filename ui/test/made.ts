// SPDX-License-Identifier: Apache-2.0
// Skeletons for tests, made by the plain encoder: of hand-written spans, or of random ones.
import { encodeSkeleton } from '../dev/skeleton.mjs';
import { readSkeleton, type Skeleton } from '../src/trace/skeleton';

export interface Made {
  id: number;
  parent?: number;
  from: number; // ms after BASE_MS
  to: number;
  name?: string;
  service?: string;
  error?: boolean;
}

const BASE_MS = 1_763_000_000_000;
export const MS = 1e6;
const hex = (n: number): string => n.toString(16).padStart(16, '0');
const ns = (ms: number): string => String(BigInt(BASE_MS) * 1_000_000n + BigInt(Math.round(ms * MS)));

export function skeletonOf(spans: Made[]): Skeleton {
  const entries = spans.map((s) => ({
    resource: s.service ?? 'shop',
    span: {
      spanId: hex(s.id), ...(s.parent === undefined ? {} : { parentSpanId: hex(s.parent) }), name: s.name ?? `span ${s.id}`,
      startTimeUnixNano: ns(s.from), endTimeUnixNano: ns(s.to), status: { code: s.error ? 2 : 0 },
    },
  }));
  const { bytes } = encodeSkeleton('0'.repeat(31) + '1', entries, (s) => String(s.resource));
  return readSkeleton(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

// A small generator, so that a failing test can be run again: mulberry32.
export function random(seed: number): (below: number) => number {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

// Children mostly inside their parents, sometimes before or after; a few alike, a few orphans.
export function randomSpans(seed: number, n: number): Made[] {
  const rand = random(seed);
  const out: Made[] = [{ id: 1, from: 10, to: 1010 }];
  for (let i = 2; i <= n; i++) {
    const parent = out[rand(rand(2) ? out.length : Math.min(out.length, 12))]!;
    const from = parent.from + rand(Math.max(1, parent.to - parent.from)) - (rand(10) === 0 ? 5 : 0);
    out.push({
      id: i, parent: rand(30) === 0 ? 9999 : parent.id, from, to: from + rand(Math.max(2, (parent.to - from) * 1.2)),
      name: `op ${rand(3)}`, service: ['shop', 'db', 'cache'][rand(3)]!, error: rand(15) === 0,
    });
  }
  return out;
}
