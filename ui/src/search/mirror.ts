// SPDX-License-Identifier: Apache-2.0
// The coloured text beneath the query: tokens of the server's last answer, moved along with what was
// typed since, cut where errors begin and end.
import type { Diagnostic, Token } from './answers';

export interface Run {
  text: string;
  class: string; // '' = not known yet
  bad: boolean;
  from: number;
}

// Tokens of `before` for `after`: the ends that both share keep theirs; what lies between was typed
// since, and has none.
export function moveTokens(tokens: readonly Token[], before: string, after: string): Token[] {
  if (before === after) return [...tokens];
  const least = Math.min(before.length, after.length);
  let head = 0;
  while (head < least && before[head] === after[head]) head++;
  let tail = 0;
  while (tail < least - head && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++;
  const grown = after.length - before.length;
  const end = before.length - tail;
  const out: Token[] = [];
  for (const t of tokens) {
    if (t.to <= head) out.push(t);
    else if (t.from >= end) out.push({ ...t, from: t.from + grown, to: t.to + grown });
    else if (t.from < head && t.to > head) out.push({ ...t, to: Math.max(head, t.to + grown) }); // typed inside
  }
  return out.filter((t) => t.to > t.from);
}

// Every character of the text exactly once, in order.
export function runsOf(text: string, tokens: readonly Token[], diagnostics: readonly Diagnostic[]): Run[] {
  const cuts = new Set([0, text.length]);
  const within = (n: number): number => Math.min(text.length, Math.max(0, Math.floor(n)));
  const bad = diagnostics.filter((d) => d.severity !== 'hint').map((d) => spotOf(d, text));
  for (const t of tokens) cuts.add(within(t.from)).add(within(t.to));
  for (const [from, to] of bad) cuts.add(from).add(to);
  const at = [...cuts].sort((a, b) => a - b);
  const sorted = [...tokens].sort((a, b) => a.from - b.from);
  const out: Run[] = [];
  let k = 0;
  for (let i = 0; i + 1 < at.length; i++) {
    const [from, to] = [at[i]!, at[i + 1]!];
    while (k < sorted.length && sorted[k]!.to <= from) k++;
    const t = sorted[k];
    out.push({ text: text.slice(from, to), class: t && t.from <= from && to <= t.to ? t.class : '', bad: bad.some(([a, b]) => a <= from && to <= b), from });
  }
  return out;
}

// What a suggestion replaces: quotes around the place too, when it brings its own.
export function placeOf(text: string, c: { from: number; to: number }, suggestion: string): [number, number] {
  const mark = suggestion[0] === '"' || suggestion[0] === '`' ? suggestion[0] : null;
  const opened = mark !== null && text[c.from - 1] === mark && text[c.from] !== mark;
  return opened ? [c.from - 1, text[c.to] === mark ? c.to + 1 : c.to] : [c.from, c.to];
}

// Where an error is drawn: at least one character, and at the end of the text the last one.
export function spotOf(d: { from: number; to: number }, text: string): [number, number] {
  const from = Math.max(0, Math.min(d.from, text.length));
  const to = Math.min(text.length, Math.max(d.to, from));
  if (to > from) return [from, to];
  return from < text.length ? [from, from + 1] : [Math.max(0, text.length - 1), text.length];
}
