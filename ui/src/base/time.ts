// SPDX-License-Identifier: Apache-2.0
// Times and durations as people read them. A time is a BigInt of ns since 1970 UTC, or its text.

export type Zone = 'utc' | 'local';

const two = (n: number): string => String(n).padStart(2, '0');

// Three digits that count: 184 ms, 2.11 s, 12.3 µs; minutes and more in two units: 3 min 20 s.
export function duration(ns: number): string {
  if (ns < 0) return '−' + duration(-ns);
  if (ns < 1000) return `${Math.round(ns)} ns`;
  for (const [unit, size] of [['µs', 1e3], ['ms', 1e6], ['s', 1e9]] as const) {
    const v = ns / size;
    const text = v < 9.995 ? v.toFixed(2) : v < 99.95 ? v.toFixed(1) : v.toFixed(0);
    if (unit === 's' ? v < 59.95 : Number(text) < 1000) return `${text} ${unit}`;
  }
  return longDuration(Math.round(ns / 1e9));
}

function longDuration(s: number): string {
  for (const [big, size, small, part] of [
    ['d', 86400, 'h', 3600],
    ['h', 3600, 'min', 60],
    ['min', 60, 's', 1],
  ] as const) {
    if (s < size) continue;
    const rest = Math.floor((s % size) / part);
    return rest ? `${Math.floor(s / size)} ${big} ${rest} ${small}` : `${Math.floor(s / size)} ${big}`;
  }
  return `${s} s`;
}

// 250ms, 1.5 s, 2m, 90 (seconds with no unit would be a guess, so a unit is needed) → ns, or null.
export function parseDuration(text: string): number | null {
  const m = /^\s*(\d+(?:[.,]\d+)?)\s*(ns|us|µs|μs|ms|s|m|min|h)\s*$/i.exec(text);
  if (!m) return null;
  const size = { ns: 1, us: 1e3, 'µs': 1e3, 'μs': 1e3, ms: 1e6, s: 1e9, m: 6e10, min: 6e10, h: 3.6e12 };
  return Number(m[1]!.replace(',', '.')) * size[m[2]!.toLowerCase() as keyof typeof size];
}

interface Clock {
  date: string;
  time: string;
  fraction: bigint;
}

function clock(ns: bigint, zone: Zone): Clock | null {
  const ms = Number(ns / 1_000_000n);
  const d = new Date(ms);
  if (Number.isNaN(d.getTime()) || ns < 0n) return null;
  const [y, mo, da, h, mi, s] =
    zone === 'utc'
      ? [d.getUTCFullYear(), d.getUTCMonth(), d.getUTCDate(), d.getUTCHours(), d.getUTCMinutes(), d.getUTCSeconds()]
      : [d.getFullYear(), d.getMonth(), d.getDate(), d.getHours(), d.getMinutes(), d.getSeconds()];
  return {
    date: `${String(y).padStart(4, '0')}-${two(mo + 1)}-${two(da)}`,
    time: `${two(h)}:${two(mi)}:${two(s)}`,
    fraction: ns % 1_000_000_000n,
  };
}

// 2026-11-20 14:28:51.204, with `digits` of the second's fraction.
export function dateTime(ns: bigint, zone: Zone, digits = 3): string {
  const c = clock(ns, zone);
  if (!c) return `${ns} ns`;
  const fraction = digits ? '.' + String(c.fraction).padStart(9, '0').slice(0, digits) : '';
  return `${c.date} ${c.time}${fraction}`;
}

export function timeOfDay(ns: bigint, zone: Zone, digits = 3): string {
  const text = dateTime(ns, zone, digits);
  return text.slice(text.indexOf(' ') + 1);
}

export const dateOf = (ns: bigint, zone: Zone): string => clock(ns, zone)?.date ?? '';

// UTC, or the local zone as UTC+1, at a given moment.
export function zoneName(zone: Zone, at = new Date()): string {
  if (zone === 'utc') return 'UTC';
  const min = -at.getTimezoneOffset();
  if (min === 0) return 'UTC+0 local';
  const h = Math.floor(Math.abs(min) / 60);
  return `UTC${min < 0 ? '−' : '+'}${h}${min % 60 ? ':' + two(Math.abs(min) % 60) : ''}`;
}

// "just now", "12 s ago", "3 min ago", "in 4 s": against the server's clock, which is given.
export function ago(ns: bigint, now: bigint): string {
  const s = Number((now - ns) / 1_000_000n) / 1000;
  if (Math.abs(s) < 1.5) return 'just now';
  const text = longDuration(Math.round(Math.abs(s)));
  return s < 0 ? `in ${text}` : `${text} ago`;
}

// The text of an <input type=datetime-local step=1> and back.
export const toInput = (ns: bigint, zone: Zone): string => dateTime(ns, zone, 0).replace(' ', 'T');

export function fromInput(value: string, zone: Zone): bigint | null {
  const ms = Date.parse(value + (zone === 'utc' ? 'Z' : ''));
  return Number.isNaN(ms) || ms < 0 ? null : BigInt(ms) * 1_000_000n;
}
