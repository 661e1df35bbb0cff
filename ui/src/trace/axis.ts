// SPDX-License-Identifier: Apache-2.0
// The time axis: ns since the trace's base ↔ pixels, for the part that is zoomed to, with idle
// stretches folded to a fixed width when asked.
import { duration } from '../base/time';
import type { Skeleton } from './skeleton';
import { endOf, type Tree } from './tree';

export interface Gap {
  from: number;
  to: number;
}

export const GAP_PX = 28;
const GAP_SHARE = 0.05; // of the trace: shorter stretches are not worth a fold

const IDLE_SHARE = 0.5; // and folding is offered only when that makes the rest twice as large

// Stretches of more than 5 % of the trace in which no span without children runs and nothing
// starts or ends: everybody waits for something that is not in the trace.
export function idleGaps(s: Skeleton, t: Tree): Gap[] {
  const busy: [number, number][] = [];
  for (let i = 0; i < s.n; i++) {
    if (t.end[i] === i + 1) busy.push([s.start[i]!, endOf(s, i)]);
    else busy.push([s.start[i]!, s.start[i]!], [endOf(s, i), endOf(s, i)]);
  }
  busy.sort((a, b) => a[0] - b[0]);
  const gaps: Gap[] = [];
  let upTo = 0;
  for (const [from, to] of busy) {
    if (from - upTo > s.length * GAP_SHARE) gaps.push({ from: upTo, to: from });
    upTo = Math.max(upTo, to);
  }
  const idle = gaps.reduce((sum, g) => sum + g.to - g.from, 0);
  return idle > s.length * IDLE_SHARE ? gaps : [];
}

export interface Tick {
  ns: number;
  x: number;
  label: string;
}

// A piece of the axis: [from, to] in ns at [x, x + width] in px.
interface Piece {
  from: number;
  to: number;
  x: number;
  width: number;
  gap: boolean;
}

export class Axis {
  readonly pieces: Piece[] = [];

  constructor(
    readonly from: number,
    readonly to: number,
    readonly width: number,
    gaps: readonly Gap[] = [],
  ) {
    const inside = gaps
      .map((g) => ({ from: Math.max(from, g.from), to: Math.min(to, g.to) }))
      .filter((g) => g.to - g.from > ((to - from) / Math.max(1, width)) * GAP_PX * 2);
    const idle = inside.reduce((sum, g) => sum + g.to - g.from, 0);
    const room = Math.max(1, width - inside.length * GAP_PX);
    const scale = room / Math.max(1, to - from - idle);
    let x = 0;
    const add = (a: number, b: number, w: number, gap: boolean): void => {
      if (b > a || (!gap && !this.pieces.length)) this.pieces.push({ from: a, to: b, x, width: w, gap });
      x += w;
    };
    let at = from;
    for (const g of inside) {
      add(at, g.from, (g.from - at) * scale, false);
      add(g.from, g.to, GAP_PX, true);
      at = g.to;
    }
    add(at, to, (to - at) * scale, false);
  }

  // Outside the axis, positions go on at the scale of its first and last piece.
  x(ns: number): number {
    const ps = this.pieces;
    let lo = 0;
    let hi = ps.length - 1;
    while (lo < hi) {
      const mid = (lo + hi + 1) >> 1;
      if (ps[mid]!.from <= ns) lo = mid;
      else hi = mid - 1;
    }
    const p = ps[lo]!;
    return p.x + ((ns - p.from) / Math.max(1e-9, p.to - p.from)) * p.width;
  }

  ns(x: number): number {
    const p = this.pieces.findLast((q) => q.x <= x) ?? this.pieces[0]!;
    return p.from + ((x - p.x) / Math.max(1e-9, p.width)) * (p.to - p.from);
  }

  // Round times for labels, at least `apart` px from each other.
  ticks(apart: number): Tick[] {
    const scale = this.pieces.find((p) => !p.gap) ?? this.pieces[0]!;
    const step = niceStep(((scale.to - scale.from) / Math.max(1, scale.width)) * apart);
    const out: Tick[] = [];
    for (const p of this.pieces) {
      if (p.gap) continue;
      // Where the steps are too small for the digits of a label, the first is said in full and the
      // others from there.
      const fine = p.from / step > 200;
      const first = fine ? p.from : Math.ceil(p.from / step) * step;
      for (let ns = first; ns <= p.to && out.length < 200; ns += step) {
        const x = this.x(ns);
        if (out.length && x - out[out.length - 1]!.x < apart * 0.7) continue;
        out.push({ ns, x, label: fine && ns > first ? '+' + tickText(ns - first) : tickText(ns) });
      }
    }
    return out;
  }
}

const tickText = (ns: number): string => (ns === 0 ? '0' : duration(ns).replace(/\.0+ |(\.\d+?)0+ /, '$1 '));

// 1, 2 or 5 times a power of ten below a second; round seconds, minutes, hours above.
export function niceStep(ns: number): number {
  const round = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400];
  for (const s of round) if (ns > 5e8 && s * 1e9 >= ns) return s * 1e9;
  if (ns > 5e8) return Math.ceil(ns / 8.64e13) * 8.64e13;
  const power = 10 ** Math.floor(Math.log10(Math.max(1, ns)));
  for (const m of [1, 2, 5, 10]) if (m * power >= ns) return m * power;
  return 10 * power;
}

// Zooming by a factor around a moment, kept inside [0, length]; never closer than 100 ns.
export function zoomed(view: readonly [number, number], around: number, factor: number, length: number): [number, number] {
  const size = Math.min(length, Math.max(Math.min(100, length), (view[1] - view[0]) * factor));
  const share = (around - view[0]) / Math.max(1, view[1] - view[0]);
  return moved([around - share * size, around - share * size + size], 0, length);
}

export function moved(view: readonly [number, number], by: number, length: number): [number, number] {
  const size = Math.min(length, view[1] - view[0]);
  const from = Math.min(length - size, Math.max(0, view[0] + by));
  return [from, from + size];
}

