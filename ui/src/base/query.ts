// SPDX-License-Identifier: Apache-2.0
// The query of an address as typed values. What equals its default is left out, so that the
// address of a view is short and the same however one came to it.

export interface Codec<T> {
  read(text: string | null): T;
  write(value: T): string | null;
}

export type Schema = Record<string, Codec<unknown>>;
export type Values<S extends Schema> = { [K in keyof S]: S[K] extends Codec<infer T> ? T : never };

export const text = (initial = ''): Codec<string> => ({
  read: (t) => t ?? initial,
  write: (v) => (v === initial ? null : v),
});

export const flag = (initial = false): Codec<boolean> => ({
  read: (t) => (t === null ? initial : t === '1'),
  write: (v) => (v === initial ? null : v ? '1' : '0'),
});

export const integer = (initial: number, min: number, max: number): Codec<number> => ({
  read: (t) => {
    const n = t === null || !/^\d{1,15}$/.test(t) ? initial : Number(t);
    return Math.min(max, Math.max(min, n));
  },
  write: (v) => (v === initial ? null : String(v)),
});

// One of a few words; the first is the default.
export const choice = <T extends string>(...words: [T, ...T[]]): Codec<T> => ({
  read: (t) => words.find((w) => w === t) ?? words[0],
  write: (v) => (v === words[0] ? null : v),
});

// A set of short words without commas, at most `max` of them.
export const words = (max: number): Codec<readonly string[]> => ({
  read: (t) => (t ? t.split(',').slice(0, max) : []),
  write: (v) => (v.length ? v.slice(0, max).join(',') : null),
});

// Two numbers, as from-to; null when absent.
export const span = (): Codec<readonly [number, number] | null> => ({
  read: (t) => {
    const m = /^(\d{1,15})-(\d{1,15})$/.exec(t ?? '');
    return m && Number(m[1]) < Number(m[2]) ? [Number(m[1]), Number(m[2])] : null;
  },
  write: (v) => (v ? `${Math.round(v[0])}-${Math.round(v[1])}` : null),
});

export function readQuery<S extends Schema>(schema: S, query: URLSearchParams): Values<S> {
  const out: Record<string, unknown> = {};
  for (const key in schema) out[key] = schema[key]!.read(query.get(key));
  return out as Values<S>;
}

export function writeQuery<S extends Schema>(schema: S, values: Values<S>): string {
  const out = new URLSearchParams();
  for (const key in schema) {
    const word = schema[key]!.write(values[key]);
    if (word !== null) out.set(key, word);
  }
  const query = out.toString().replaceAll('%2C', ',');
  return query && '?' + query;
}
