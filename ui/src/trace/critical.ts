// SPDX-License-Identifier: Apache-2.0
// The critical path: for each moment of the root span, the one span that the answer waited for.
// Walked backwards from the end of a span: the child that ended last was waited for, back to its
// start; before that the child that ended last before, and so on; what no child explains is the
// span's own. A child's time outside its parent does not count: it cannot have kept the parent
// waiting, or its clock is wrong; `unknown` sums up the parts of children that ran on after their
// parents ended.
import { NONE, type Skeleton } from './skeleton';
import { childrenOf, endOf, type Tree } from './tree';

export interface Critical {
  // Segments from late to early: which row, from when to when.
  row: Uint32Array;
  from: Float64Array;
  to: Float64Array;
  total: number; // ns explained, which is the root's duration
  unknown: number; // ns
}

export function criticalPath(s: Skeleton, t: Tree): Critical {
  const row: number[] = [];
  const from: number[] = [];
  const to: number[] = [];
  let unknown = 0;
  const add = (r: number, a: number, b: number): void => {
    if (b <= a) return;
    row.push(r);
    from.push(a);
    to.push(b);
  };
  // What a span still has to explain: [floor, at] of it, by its children left, latest end first.
  interface Frame {
    row: number;
    floor: number;
    at: number;
    children: number[];
  }
  const frameOf = (r: number, floor: number, at: number): Frame => {
    const children = childrenOf(t, r).sort((a, b) => endOf(s, a) - endOf(s, b));
    unknown += children.length ? Math.max(0, endOf(s, children[children.length - 1]!) - endOf(s, r)) : 0;
    return { row: r, floor, at, children };
  };
  const stack: Frame[] = [];
  if (s.root !== NONE) stack.push(frameOf(s.root, s.start[s.root]!, endOf(s, s.root)));
  while (stack.length) {
    const f = stack[stack.length - 1]!;
    const child = f.children.pop();
    if (child === undefined || f.at <= f.floor) {
      add(f.row, f.floor, f.at);
      stack.pop();
      continue;
    }
    const a = Math.max(f.floor, s.start[child]!);
    const b = Math.min(f.at, endOf(s, child));
    if (b <= a) continue;
    add(f.row, b, f.at);
    f.at = a;
    stack.push(frameOf(child, a, b));
  }
  const total = s.root === NONE ? 0 : endOf(s, s.root) - s.start[s.root]!;
  return { row: Uint32Array.from(row), from: Float64Array.from(from), to: Float64Array.from(to), total, unknown };
}

// Segments by row, for drawing, and the time of each row on the path.
export function byRow(c: Critical): Map<number, { segments: [number, number][]; time: number }> {
  const out = new Map<number, { segments: [number, number][]; time: number }>();
  for (let i = 0; i < c.row.length; i++) {
    let of = out.get(c.row[i]!);
    if (!of) out.set(c.row[i]!, (of = { segments: [], time: 0 }));
    of.segments.push([c.from[i]!, c.to[i]!]);
    of.time += c.to[i]! - c.from[i]!;
  }
  return out;
}
