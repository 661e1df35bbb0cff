// SPDX-License-Identifier: Apache-2.0
// Two sides of traces compared by where their time goes: two traces, or those of a query with a span in a
// selection against the rest (or against those before). What the address of the comparison says, what the
// server is asked, and what it answers. Times in ns.
import { quote } from '../base/format';
import { flag, integer, text, writeQuery, type Values } from '../base/query';
import { traceIdOf } from '../base/route';
import { choiceOf, isBefore, isTime, pathOf as tracesPath, readDefaults, type Ask, type Stretch } from './ask';
import { box, type Box } from './heat';

export interface Spent {
  traces: number; // that have the operation
  spans: number; // from here on means over all traces of the side
  errors: number;
  selfNano: number;
  criticalNano: number;
  most: string[]; // ids of those that spend most there
}
export interface SpentRow {
  service: string;
  name: string;
  a: Spent;
  b: Spent;
  deltaNano: number; // on the critical path, b − a
  selfDeltaNano: number;
  share: number; // of the sum of all |delta|
}
export interface Side {
  of: 'trace' | 'rest' | 'selection';
  total: number;
  shown: number; // traces that were looked at
  sampled: boolean;
  durationNano: number; // means
  criticalNano: number;
  spans: number;
  errors: number;
  trace: { traceId: string; rootService: string; rootName: string; startUnixNano: string } | null;
}
export interface Balance {
  query: string | null;
  a: Side;
  b: Side;
  operations: number;
  rows: SpentRow[];
  complete: boolean;
  why: string | null;
}

export const schema = {
  a: text(), // two traces
  b: text(),
  q: text(), // or of this query, in (start, end] …
  start: text(),
  end: text(),
  box: box(), // … what is selected
  before: integer(0, 0, 1e15), // as the page of traces has it
  all: flag(), // all rows
};
export type Compared = Values<typeof schema>;

export const pathOf = (c: Compared): string => 'compare' + writeQuery(schema, c);

// From a selection on the page of traces, whose time is `at`.
export const compareSelection = (a: Ask, at: Stretch, b: Box): string =>
  pathOf({ a: '', b: '', q: a.q, start: String(at.start), end: String(at.end), box: b, before: a.before, all: false });
export const compareTraces = (a: string, b: string): string => pathOf({ a, b, q: '', start: '', end: '', box: null, before: 0, all: false });

const idIn = (t: string): string => traceIdOf(t)?.trace ?? '';
export const idsOf = (c: Compared): [string, string] => [idIn(c.a), idIn(c.b)];

const stretchOf = (c: Compared): Stretch | null =>
  isTime(c.start) && isTime(c.end) && BigInt(c.start) < BigInt(c.end) ? { start: BigInt(c.start), end: BigInt(c.end) } : null;

// The question to the server; null: the address says too little.
export function balancePath(c: Compared): string | null {
  const [a, b] = idsOf(c);
  if (a && b) return `api/takt/cohorts?${new URLSearchParams({ a, b })}`;
  const at = stretchOf(c);
  return c.box && at ? `api/takt/cohorts?${choiceOf(c, at, c.box)}` : null;
}

// Back to the page of traces with the selection.
export const selectionPath = (c: Compared): string =>
  tracesPath({ ...readDefaults(), q: c.q, range: 'between', start: c.start, end: c.end, box: c.box, before: c.before, explain: true });

const CUT = '…'; // a longer name ends with it: its condition would not hold
const LONGEST = 1000;

// What both cohorts lie in.
function extentOf(c: Compared): Pick<Ask, 'range' | 'start' | 'end'> {
  const ns = (ms: number): string => `${Math.max(0, Math.round(ms))}000000`;
  return { range: 'between', ...(c.box && isBefore(c, c.box) ? { start: ns(2 * c.before - c.box.to), end: ns(c.box.to) } : { start: c.start, end: c.end }) };
}

// The traces that spend most in an operation, found by their ids.
export function mostPath(c: Compared, r: SpentRow, of: Spent): string {
  const named = (name: string): boolean => name !== '' && !(name.length > LONGEST && name.endsWith(CUT));
  const conditions = [
    of.most.length === 1 ? `trace:id = "${of.most[0]}"` : `trace:id =~ "${of.most.join('|')}"`,
    ...(named(r.service) ? [`resource.service.name = ${quote(r.service)}`] : []),
    ...(named(r.name) ? [`name = ${quote(r.name)}`] : []),
  ];
  return tracesPath({ ...readDefaults(), q: `{ ${conditions.join(' && ')} }`, ...extentOf(c), sort: 'slowest' });
}
