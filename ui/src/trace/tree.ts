// SPDX-License-Identifier: Apache-2.0
// What follows from the rows' parents: depth, where a subtree ends, errors before a row. A subtree
// is the run of rows [row, end), because rows stand depth first.
import { ENDS_BEFORE, NONE, STATUS_ERROR, type Skeleton } from './skeleton';

export interface Tree {
  depth: Uint32Array;
  end: Uint32Array; // by row: the first row after its subtree
  errorsBefore: Uint32Array; // n + 1 elements: errors in rows [0, i)
}

export function treeOf(s: Skeleton): Tree {
  const depth = new Uint32Array(s.n);
  const end = new Uint32Array(s.n);
  const errorsBefore = new Uint32Array(s.n + 1);
  for (let i = 0; i < s.n; i++) {
    const p = s.parent[i]!;
    depth[i] = p === NONE ? 0 : depth[p]! + 1;
    errorsBefore[i + 1] = errorsBefore[i]! + (s.status[i] === STATUS_ERROR ? 1 : 0);
  }
  for (let i = s.n - 1; i >= 0; i--) {
    if (end[i]! === 0) end[i] = i + 1;
    const p = s.parent[i]!;
    if (p !== NONE && end[p]! < end[i]!) end[p] = end[i]!;
  }
  return { depth, end, errorsBefore };
}

// The first row of a span's children is the next row; each child begins where the one before ends.
export function childrenOf(t: Tree, row: number): number[] {
  const out: number[] = [];
  for (let c = row + 1; c < t.end[row]!; c = t.end[c]!) out.push(c);
  return out;
}

export function rootsOf(t: Tree): number[] {
  const out: number[] = [];
  for (let r = 0; r < t.end.length; r = t.end[r]!) out.push(r);
  return out;
}

// Where a span ends on the axis; one that ends before it starts has no length there.
export const endOf = (s: Skeleton, row: number): number =>
  s.start[row]! + (s.flags[row]! & ENDS_BEFORE ? 0 : s.duration[row]!);

// Time of a span in which none of its children ran.
export function selfTime(s: Skeleton, t: Tree, row: number): number {
  let covered = 0;
  let upTo = s.start[row]!;
  const last = endOf(s, row);
  for (let c = row + 1; c < t.end[row]!; c = t.end[c]!) {
    const from = Math.max(upTo, s.start[c]!);
    const to = Math.min(last, endOf(s, c));
    if (to > from) {
      covered += to - from;
      upTo = to;
    }
  }
  return last - s.start[row]! - covered;
}

// How far a span reaches out of its parent: before its start, after its end. Clocks that differ
// show so; an end after the parent's is also how asynchronous work looks.
export function outside(s: Skeleton, row: number): { before: number; after: number } {
  const p = s.parent[row]!;
  if (p === NONE) return { before: 0, after: 0 };
  return { before: Math.max(0, s.start[p]! - s.start[row]!), after: Math.max(0, endOf(s, row) - endOf(s, p)) };
}
