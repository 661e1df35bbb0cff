// SPDX-License-Identifier: Apache-2.0
// The tree as it is shown: nodes are spans and, between them, groups of five or more brothers that
// are alike (same service, same name). A group stands where its first member stood; its members
// are its children.
import { NONE, STATUS_ERROR, type Skeleton } from './skeleton';
import { childrenOf, endOf, rootsOf, type Tree } from './tree';

const GROUP_MIN = 5;

export interface Group {
  members: Uint32Array; // rows, by start
  node: number;
  errors: number;
  start: number;
  end: number;
  sum: number; // of durations
  p50: number;
  p95: number;
}

export interface Display {
  row: Int32Array; // by node: row, or ~group
  depth: Uint32Array;
  end: Uint32Array; // by node: first node after its subtree
  parent: Uint32Array; // by node, or NONE
  nodeOf: Uint32Array; // by row
  groups: Group[];
}

function newGroup(s: Skeleton, members: number[]): Group {
  const durations = Float64Array.from(members, (r) => s.duration[r]!).sort();
  const g = { members: Uint32Array.from(members), node: 0, errors: 0, start: Infinity, end: 0, sum: 0, p50: 0, p95: 0 };
  for (const r of members) {
    g.errors += s.status[r] === STATUS_ERROR ? 1 : 0;
    g.start = Math.min(g.start, s.start[r]!);
    g.end = Math.max(g.end, endOf(s, r));
    g.sum += s.duration[r]!;
  }
  g.p50 = durations[Math.ceil(durations.length * 0.5) - 1]!;
  g.p95 = durations[Math.ceil(durations.length * 0.95) - 1]!;
  return g;
}

// Brothers → what is shown of them: a row, or ~group for the first of a group's members.
function groupBrothers(s: Skeleton, brothers: number[], groups: Group[]): number[] {
  if (brothers.length < GROUP_MIN) return brothers;
  const alike = new Map<number, number[]>();
  const keyOf = (r: number): number => s.name[r]! * s.ends.length + s.service[s.resource[r]!]!;
  for (const r of brothers) {
    const key = keyOf(r);
    const list = alike.get(key);
    if (list) list.push(r);
    else alike.set(key, [r]);
  }
  const out: number[] = [];
  for (const r of brothers) {
    const members = alike.get(keyOf(r))!;
    if (members.length < GROUP_MIN) out.push(r);
    else if (members[0] === r) {
      groups.push(newGroup(s, members));
      out.push(~(groups.length - 1));
    }
  }
  return out;
}

export function displayOf(s: Skeleton, t: Tree, grouping: boolean): Display {
  const groups: Group[] = [];
  const show = (brothers: number[]): number[] => (grouping ? groupBrothers(s, brothers, groups) : brothers);
  const row: number[] = [];
  const depth: number[] = [];
  const parent: number[] = [];
  const nodeOf = new Uint32Array(s.n);
  // A stack of what is still to come, nearest on top: item, and the node it hangs on.
  const items: number[] = [];
  const above: number[] = [];
  const push = (list: ArrayLike<number>, node: number): void => {
    for (let i = list.length - 1; i >= 0; i--) {
      items.push(list[i]!);
      above.push(node);
    }
  };
  push(show(rootsOf(t)), NONE);
  while (items.length) {
    const item = items.pop()!;
    const up = above.pop()!;
    const node = row.length;
    row.push(item);
    parent.push(up);
    depth.push(up === NONE ? 0 : depth[up]! + 1);
    if (item >= 0) {
      nodeOf[item] = node;
      if (t.end[item]! > item + 1) push(show(childrenOf(t, item)), node);
    } else {
      groups[~item]!.node = node;
      push(groups[~item]!.members, node);
    }
  }
  return { row: Int32Array.from(row), depth: Uint32Array.from(depth), parent: Uint32Array.from(parent), end: endsOf(parent), nodeOf, groups };
}

function endsOf(parent: number[]): Uint32Array {
  const end = new Uint32Array(parent.length);
  for (let i = parent.length - 1; i >= 0; i--) {
    if (end[i]! === 0) end[i] = i + 1;
    const p = parent[i]!;
    if (p !== NONE && end[p]! < end[i]!) end[p] = end[i]!;
  }
  return end;
}

export const hasChildren = (d: Display, node: number): boolean => d.end[node]! > node + 1;

// Nodes that are seen when those with folded[node] hide what is below them.
export function visibleNodes(d: Display, folded: Uint8Array): Uint32Array {
  const out = new Uint32Array(d.row.length);
  let n = 0;
  for (let i = 0; i < d.row.length; i = folded[i] ? d.end[i]! : i + 1) out[n++] = i;
  return out.subarray(0, n);
}
