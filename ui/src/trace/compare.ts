// SPDX-License-Identifier: Apache-2.0
// Two traces side by side: where the time went, by service and operation. A row's time is the self
// time of its spans, so that the rows of a trace add up.
import { STATUS_ERROR, Strings, type Skeleton } from './skeleton';
import { selfTime, treeOf } from './tree';

export interface Side {
  spans: number;
  errors: number;
  self: number; // ns
}
export interface CompareRow {
  service: string;
  name: string;
  a: Side;
  b: Side;
  delta: number; // ns, b − a
  share: number; // of the sum of all |delta|; 0 when nothing differs
}

const none = (): Side => ({ spans: 0, errors: 0, self: 0 });

function sidesOf(s: Skeleton): Map<string, { service: string; name: string; side: Side }> {
  const strings = new Strings(s);
  const tree = treeOf(s);
  const out = new Map<string, { service: string; name: string; side: Side }>();
  for (let row = 0; row < s.n; row++) {
    const service = strings.get(s.service[s.resource[row]!]!);
    const name = strings.get(s.name[row]!);
    const key = JSON.stringify([service, name]);
    let of = out.get(key);
    if (!of) out.set(key, (of = { service, name, side: none() }));
    of.side.spans++;
    of.side.errors += s.status[row] === STATUS_ERROR ? 1 : 0;
    of.side.self += selfTime(s, tree, row);
  }
  return out;
}

// The rows that differ most come first; equal ones by service and operation.
export function compareTraces(a: Skeleton, b: Skeleton): CompareRow[] {
  const [left, right] = [sidesOf(a), sidesOf(b)];
  const rows: CompareRow[] = [];
  for (const key of new Set([...left.keys(), ...right.keys()])) {
    const { service, name } = (left.get(key) ?? right.get(key))!;
    const [x, y] = [left.get(key)?.side ?? none(), right.get(key)?.side ?? none()];
    rows.push({ service, name, a: x, b: y, delta: y.self - x.self, share: 0 });
  }
  const sum = rows.reduce((n, r) => n + Math.abs(r.delta), 0);
  for (const r of rows) r.share = sum ? Math.abs(r.delta) / sum : 0;
  const text = (r: CompareRow): string => `${r.service}\0${r.name}`;
  return rows.sort((x, y) => Math.abs(y.delta) - Math.abs(x.delta) || (text(x) < text(y) ? -1 : 1));
}
