// SPDX-License-Identifier: Apache-2.0
// Colours of services. Twelve hues without red, which is kept for errors. A service keeps its
// colour, because the colour follows from its name; where two services of one view would share
// one, the later takes the next that is free, and keeps it while the app is open.

// [light, dark]: at least 3:1 against the background, as bars and dots need.
export const palette: readonly (readonly [string, string])[] = [
  ['#2f6fd6', '#6ea3f5'],
  ['#0e8a7d', '#3fbfae'],
  ['#8a56c8', '#b58ae8'],
  ['#a8721a', '#d9a441'],
  ['#3f8f3a', '#74bf6c'],
  ['#b8479c', '#e07cc6'],
  ['#1789ad', '#4fbcdc'],
  ['#6d7a1c', '#a9b64a'],
  ['#5a62d0', '#8f96f2'],
  ['#a5634a', '#cf9379'],
  ['#5d7286', '#93a8bb'],
  ['#7a6a9e', '#ab9ccb'],
];

// FNV-1a: small, and the same everywhere.
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

export const colourOf = (name: string): number => hash(name) % palette.length;

const before = new Map<string, number>();

// The colours of a view's services, told apart as long as there are colours left.
export function coloursOf(names: readonly string[], known = before): Map<string, number> {
  const out = new Map<string, number>();
  const used = new Set<number>();
  const sorted = [...new Set(names)].sort();
  for (const name of [...sorted.filter((n) => known.has(n)), ...sorted.filter((n) => !known.has(n))]) {
    let c = known.get(name) ?? colourOf(name);
    if (used.size < palette.length) while (used.has(c)) c = (c + 1) % palette.length;
    used.add(c);
    out.set(name, c);
    if (!known.has(name)) known.set(name, c);
  }
  return out;
}
