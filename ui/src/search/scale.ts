// SPDX-License-Identifier: Apache-2.0
// Scales of pictures: time along, durations (log) or values upwards; where to put marks.
import { dateOf, timeOfDay, type Zone } from '../base/time';

export interface Mark {
  at: number;
  label: string;
}

const STEPS_MS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 10e3, 15e3, 30e3, 60e3, 120e3, 300e3, 600e3, 900e3, 1800e3,
  3600e3, 7200e3, 10800e3, 21600e3, 43200e3, 86400e3, 172800e3, 604800e3, 1209600e3, 2592000e3, 7776000e3, 31536000e3,
];

// The smallest round step with which `length` ms have at most n of them.
export function stepFor(length: number, n: number): number {
  return STEPS_MS.find((s) => length / s <= n) ?? Math.ceil(length / n / 31536000e3) * 31536000e3;
}

const nsOf = (ms: number): bigint => BigInt(Math.round(ms)) * 1_000_000n;

// Marks of a time axis, at round times of the zone.
export function timeMarks(from: number, to: number, n: number, zone: Zone): Mark[] {
  const step = stepFor(to - from, Math.max(1, n));
  const shift = zone === 'utc' ? 0 : new Date(from).getTimezoneOffset() * 60e3;
  const out: Mark[] = [];
  for (let at = Math.ceil((from - shift) / step) * step + shift; at <= to; at += step) {
    const time = timeOfDay(nsOf(at), zone, step < 1000 ? 3 : 0);
    const label = step >= 86400e3 || /^00:00:00/.test(time) ? dateOf(nsOf(at), zone).slice(5) : step >= 60e3 ? time.slice(0, 5) : time;
    out.push({ at, label });
  }
  return out;
}

// Where a duration lies between two others on a log scale: 0 … 1.
export const logShare = (ns: number, lo: number, hi: number): number => Math.log(Math.max(ns, 0.5) / lo) / Math.log(hi / lo);

const DECADES = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 6e10, 6e11, 3.6e12, 3.6e13, 8.64e13];

// Marks of a log axis of durations: powers of ten up to seconds, then minutes and hours.
export function durationMarks(lo: number, hi: number, n: number): number[] {
  const inside = DECADES.filter((d) => d >= lo && d <= hi);
  const every = Math.max(1, Math.ceil(inside.length / Math.max(1, n)));
  return inside.filter((_, i) => i % every === 0);
}

// Round marks of a linear axis that begins at 0 or below, and its end.
export function valueMarks(lo: number, hi: number, n: number): { marks: number[]; lo: number; hi: number } {
  const range = hi - lo || Math.abs(hi) || 1;
  const rough = range / Math.max(1, n);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= rough * 0.999) ?? 10 * power;
  const from = Math.floor(lo / step);
  const to = Math.max(from + 1, Math.ceil(hi / step));
  const marks = Array.from({ length: to - from + 1 }, (_, i) => Number(((from + i) * step).toPrecision(12)));
  return { marks, lo: marks[0]!, hi: marks[marks.length - 1]! };
}

// A number as an axis or a readout shows it.
export function figure(v: number): string {
  if (!Number.isFinite(v)) return String(v);
  const a = Math.abs(v);
  if (a >= 1e15 || (a > 0 && a < 1e-4)) return v.toExponential(2);
  for (const [unit, size] of [['T', 1e12], ['G', 1e9], ['M', 1e6], ['k', 1e4]] as const)
    if (a >= size) return `${Number((v / (unit === 'k' ? 1e3 : size)).toPrecision(4))} ${unit}`;
  return String(Number(v.toPrecision(4)));
}
