// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { encodeSkeleton } from '../dev/skeleton.mjs';
import { Axis, GAP_PX, idleGaps, moved, niceStep, zoomed } from '../src/trace/axis';
import { byRow, criticalPath } from '../src/trace/critical';
import { density } from '../src/trace/density';
import { displayOf, visibleNodes } from '../src/trace/display';
import { buffersOf, makeModel } from '../src/trace/model';
import { idOf, NONE, readSkeleton, rowOfId, Strings, type Skeleton } from '../src/trace/skeleton';
import { childrenOf, endOf, outside, selfTime, treeOf } from '../src/trace/tree';
import { MS, randomSpans, skeletonOf } from './made';

const GOLDEN = 'tests/golden/skeleton.bin';
const golden = (): ArrayBuffer => {
  const b = readFileSync(GOLDEN);
  return b.buffer.slice(b.byteOffset, b.byteOffset + b.byteLength);
};

test('the golden skeleton of the C encoder is read field by field', () => {
  const s = readSkeleton(golden());
  const text = new Strings(s);
  assert.equal(s.n, 5);
  assert.equal(s.known, 7);
  assert.equal(s.traceId, 'a0a1a2a3a4a5a6a7a8a9aaabacadaeaf');
  assert.equal(s.base, 1763000000000000000n);
  assert.equal(s.length, 5000 * MS);
  assert.equal(s.root, 0);
  assert.deepEqual([...s.parent], [NONE, 0, 1, 0, NONE]);
  assert.deepEqual([...s.start].map((ns) => ns / MS), [0, 10, 20, 40, 30]);
  assert.deepEqual([...s.duration].map((ns) => ns / MS), [5000, 4980, 5, 0, 1]);
  assert.deepEqual([...s.name].map((i) => text.get(i)), ['POST /pay', 'charge', 'clock runs back', 'charge', '名前 <script>']);
  assert.deepEqual([...s.resource].map((r) => text.get(s.service[r]!)), ['shop', 'payments', 'shop', 'shop', '']);
  assert.deepEqual([...s.message].map((i) => text.get(i)), ['', 'card declined', '', '', '']);
  assert.deepEqual([...s.kind], [2, 3, 0, 0, 0]);
  assert.deepEqual([...s.status], [0, 2, 0, 0, 0]);
  assert.deepEqual([...s.flags], [0, 4, 16, 32, 1]);
  assert.equal(idOf(s, 4), '0000000000000014');
  assert.equal(rowOfId(s, '0000000000000015'), 3);
  assert.equal(rowOfId(s, '00000000000000ff'), -1);
});

test('the plain encoder gives the bytes of the C encoder', () => {
  const t0 = 1763000000000;
  const span = (id: string, parent: string, from: number, to: number, name: string, more: object = {}): { resource: string; span: Record<string, unknown> } => ({
    resource: 'shop',
    span: {
      spanId: id.padStart(16, '0'), parentSpanId: parent && parent.padStart(16, '0'), name,
      startTimeUnixNano: `${t0 + from}000000`, endTimeUnixNano: to ? `${t0 + to}000000` : '0', ...more,
    },
  });
  const spans = [
    span('11', '', 0, 5000, 'POST /pay', { kind: 2 }),
    { ...span('12', '11', 10, 4990, 'charge', { kind: 3, status: { code: 2, message: 'card declined' }, events: [{}] }), resource: 'payments' },
    span('13', '12', 20, 15, 'clock runs back'),
    { ...span('14', 'dead', 30, 31, '名前 <script>'), resource: '' },
    span('15', '11', 40, 0, 'charge'),
  ];
  const { bytes } = encodeSkeleton('a0a1a2a3a4a5a6a7a8a9aaabacadaeaf', spans, (s) => String(s.resource), 7);
  assert.deepEqual([...bytes], [...new Uint8Array(golden())]);
});

test('a damaged skeleton is refused, whatever byte is wrong or missing', () => {
  const good = new Uint8Array(golden());
  for (let n = 0; n < good.length; n++) assert.throws(() => readSkeleton(good.slice(0, n).buffer));
  for (let i = 0; i < good.length; i++) {
    for (const flip of [0xff, 0x01, 0x80]) {
      const bad = good.slice();
      bad[i]! ^= flip;
      let s: Skeleton;
      try {
        s = readSkeleton(bad.buffer);
      } catch {
        continue; // refused
      }
      makeModel(bad.slice().buffer); // or it is another, valid one, which can be shown
      for (let k = 0; k < s.ends.length; k++) new Strings(s).get(k);
    }
  }
});

test('a subtree is a run of rows', () => {
  const s = skeletonOf(randomSpans(1, 400));
  const t = treeOf(s);
  for (let i = 0; i < s.n; i++) {
    for (let j = 0; j < s.n; j++) {
      let p = j;
      while (p !== NONE && p !== i) p = s.parent[p]!;
      assert.equal(p === i, j >= i && j < t.end[i]!, `${j} below ${i}`);
    }
    assert.deepEqual(childrenOf(t, i), [...s.parent.keys()].filter((j) => s.parent[j] === i));
  }
  assert.equal(t.errorsBefore[s.n], [...s.status].filter((x) => x === 2).length);
});

test('self time is what no child covers', () => {
  const s = skeletonOf([
    { id: 1, from: 0, to: 100 },
    { id: 2, parent: 1, from: 10, to: 40 },
    { id: 3, parent: 1, from: 30, to: 50 }, // overlaps the one before
    { id: 4, parent: 1, from: 90, to: 150 }, // runs on
    { id: 5, parent: 1, from: -20, to: 5 }, // begins before
  ]);
  const t = treeOf(s);
  const row = rowOfId(s, '0000000000000001');
  assert.equal(selfTime(s, t, row) / MS, 100 - 40 - 10 - 5);
  assert.deepEqual(outside(s, rowOfId(s, '0000000000000004')), { before: 0, after: 50 * MS });
  assert.deepEqual(outside(s, rowOfId(s, '0000000000000005')), { before: 20 * MS, after: 0 });
});

test('five brothers that are alike become a group, four do not', () => {
  const child = (id: number, name: string): { id: number; parent: number; from: number; to: number; name: string } => ({ id, parent: 1, from: id, to: id + (id % 7), name });
  for (const n of [4, 5]) {
    const s = skeletonOf([{ id: 1, from: 0, to: 100 }, ...Array.from({ length: n }, (_, i) => child(10 + i * 2, 'SELECT')), child(13, 'other')]);
    const d = displayOf(s, treeOf(s), true);
    assert.equal(d.groups.length, n === 5 ? 1 : 0);
    if (n === 5) {
      const g = d.groups[0]!;
      assert.equal(g.members.length, 5);
      assert.equal(d.row[g.node], ~0);
      assert.equal(d.depth[g.node], 1);
      assert.equal(g.sum, [...g.members].reduce((sum, r) => sum + s.duration[r]!, 0));
    }
  }
});

test('every span is shown once, below its parent or its group', () => {
  for (const grouping of [true, false]) {
    const s = skeletonOf(randomSpans(2, 600));
    const d = displayOf(s, treeOf(s), grouping);
    const rows = [...d.row].filter((r) => r >= 0).sort((a, b) => a - b);
    assert.deepEqual(rows, [...s.parent.keys()]);
    assert.equal(d.groups.length > 0, grouping);
    for (let node = 0; node < d.row.length; node++) {
      const up = d.parent[node]!;
      if (d.row[node]! >= 0) assert.equal(d.nodeOf[d.row[node]!], node);
      if (up === NONE) continue;
      assert(up < node && node < d.end[up]!, 'inside its parent');
      const above = d.row[up]! >= 0 ? d.row[up]! : s.parent[d.groups[~d.row[up]!]!.members[0]!]!;
      if (d.row[node]! >= 0) assert.equal(s.parent[d.row[node]!], above);
    }
  }
});

test('what is folded away is not seen, and nothing else', () => {
  const s = skeletonOf(randomSpans(3, 300));
  const d = displayOf(s, treeOf(s), true);
  const folded = new Uint8Array(d.row.length);
  for (let i = 0; i < folded.length; i += 7) folded[i] = 1;
  const seen = new Set(visibleNodes(d, folded));
  for (let i = 0; i < d.row.length; i++) {
    let hidden = false;
    for (let p = d.parent[i]!; p !== NONE; p = d.parent[p]!) hidden ||= folded[p] === 1;
    assert.equal(seen.has(i), !hidden);
  }
});

test('the critical path of a story told by hand', () => {
  const s = skeletonOf([
    { id: 1, from: 0, to: 100 },
    { id: 2, parent: 1, from: 10, to: 40 },
    { id: 3, parent: 1, from: 20, to: 60 }, // ends later than 2: waited for
    { id: 4, parent: 3, from: 30, to: 50 },
    { id: 5, parent: 1, from: 80, to: 130 }, // runs on after its parent
  ]);
  const c = criticalPath(s, treeOf(s));
  const told = Array.from(c.row, (r, i) => [Number('0x' + idOf(s, r)), c.from[i]! / MS, c.to[i]! / MS]);
  assert.deepEqual(told, [[5, 80, 100], [1, 60, 80], [3, 50, 60], [4, 30, 50], [3, 20, 30], [2, 10, 20], [1, 0, 10]]);
  assert.equal(c.total / MS, 100);
  assert.equal(c.unknown / MS, 30);
});

// tests/cases/critical: the server is held to the same.
test('self times and critical paths of the cases shared with the server', () => {
  const text = new TextDecoder().decode(readFileSync('tests/cases/critical/paths.case'));
  const cases = text.split('\n\n').map((c) => c.split('\n').filter((line) => line && !line.startsWith('#')).map((line) => line.split(' '))).filter((c) => c.length);
  assert(cases.length > 20);
  for (const lines of cases) {
    const s = skeletonOf(lines.map(([id, parent, from, to]) => ({ id: Number(id), ...(parent === '-' ? {} : { parent: Number(parent) }), from: Number(from), to: Number(to) })));
    const t = treeOf(s);
    const path = byRow(criticalPath(s, t));
    const told = new Map(Array.from({ length: s.n }, (_, row) => [Number('0x' + idOf(s, row)), [selfTime(s, t, row) / MS, (path.get(row)?.time ?? 0) / MS]]));
    for (const [id, , , , self, critical] of lines) assert.deepEqual(told.get(Number(id)), [Number(self), Number(critical)], `span ${id} of ${lines.map((l) => l.join(' ')).join('; ')}`);
  }
});

test('the critical path covers the root without holes or overlap, and lies in its spans', () => {
  for (let seed = 10; seed < 30; seed++) {
    const s = skeletonOf(randomSpans(seed, 200));
    const c = criticalPath(s, treeOf(s));
    let at = endOf(s, s.root);
    for (let i = 0; i < c.row.length; i++) {
      assert.equal(c.to[i], at);
      assert(c.from[i]! >= s.start[c.row[i]!]! && c.to[i]! <= endOf(s, c.row[i]!), 'inside its span');
      at = c.from[i]!;
    }
    assert.equal(at, s.start[s.root]);
    assert.equal([...byRow(c).values()].reduce((sum, r) => sum + r.time, 0), c.total);
  }
});

test('a very deep trace needs no stack', () => {
  const n = 50_000;
  const s = skeletonOf(Array.from({ length: n }, (_, i) => ({ id: i + 1, ...(i ? { parent: i } : {}), from: i * 0.001, to: 200 - i * 0.001 })));
  const t = treeOf(s);
  assert.equal(t.depth[n - 1], n - 1);
  assert.equal(displayOf(s, t, true).row.length, n);
  assert.equal(criticalPath(s, t).total, s.length);
});

test('idle time is where no span without children runs', () => {
  const s = skeletonOf([
    { id: 1, from: 0, to: 1000 },
    { id: 2, parent: 1, from: 10, to: 100 },
    { id: 3, parent: 1, from: 900, to: 990 },
  ]);
  const gaps = idleGaps(s, treeOf(s));
  assert.deepEqual(gaps.map((g) => [g.from / MS, g.to / MS]), [[100, 900]]);
  const busy = skeletonOf([{ id: 1, from: 0, to: 1000 }, { id: 2, parent: 1, from: 10, to: 600 }]);
  assert.deepEqual(idleGaps(busy, treeOf(busy)), []);
});

test('the axis goes both ways, with and without folded gaps', () => {
  for (const gaps of [[], [{ from: 100, to: 900 }]]) {
    const a = new Axis(0, 1000, 500, gaps);
    assert.equal(a.x(0), 0);
    assert(Math.abs(a.x(1000) - 500) < 1e-9);
    for (let ns = 0; ns <= 1000; ns += 37) assert(Math.abs(a.ns(a.x(ns)) - ns) < 1e-6, `${ns}`);
    for (let x = 1; x <= 500; x++) assert(a.ns(x) > a.ns(x - 1));
  }
  const folded = new Axis(0, 1000, 500, [{ from: 100, to: 900 }]);
  assert.equal(folded.x(900) - folded.x(100), GAP_PX);
});

test('ticks are round, apart, and tell themselves apart', () => {
  for (const [from, to] of [[0, 1000], [0, 2.18e9], [12345, 987654321], [2.88e13, 2.88e13 + 9e8], [0, 3e14]] as const) {
    const ticks = new Axis(from, to, 800).ticks(90);
    assert(ticks.length >= 2 && ticks.length <= 10, `${ticks.length} ticks of ${to - from}`);
    for (let i = 1; i < ticks.length; i++) assert(ticks[i]!.x - ticks[i - 1]!.x >= 60);
    assert.equal(new Set(ticks.map((t) => t.label)).size, ticks.length, ticks.map((t) => t.label).join());
  }
  assert.equal(niceStep(7), 10);
  assert.equal(niceStep(1.3e9), 2e9);
  assert.equal(niceStep(4e11), 6e11);
});

test('zooming and moving stay inside the trace', () => {
  assert.deepEqual(zoomed([0, 1000], 500, 0.5, 1000), [250, 750]);
  assert.deepEqual(zoomed([0, 1000], 0, 0.5, 1000), [0, 500]);
  assert.deepEqual(zoomed([900, 1000], 1000, 4, 1000), [600, 1000]);
  assert.deepEqual(moved([0, 400], -100, 1000), [0, 400]);
  assert.deepEqual(moved([0, 400], 900, 1000), [600, 1000]);
  const [from, to] = zoomed([0, 1000], 500, 0.0001, 1000);
  assert(to - from >= 99 && to - from <= 101, 'no closer than 100 ns');
});

test('density counts each span on every pixel it covers, and only there', () => {
  const s = skeletonOf(randomSpans(4, 90));
  const [width, height] = [60, 30];
  const axis = new Axis(0, s.length, width);
  const got = density(s, axis, width, height, false);
  const want = new Uint32Array(width * height);
  for (let r = 0; r < s.n; r++) {
    const y = Math.floor((r * height) / s.n);
    const a = Math.min(width - 1, Math.max(0, Math.floor(axis.x(s.start[r]!))));
    const b = Math.min(width, Math.max(a + 1, Math.ceil(axis.x(endOf(s, r)))));
    for (let x = a; x < b; x++) want[y * width + x]!++;
  }
  assert.deepEqual([...got], [...want]);
});

test('the buffers of a model are handed over once each', () => {
  const m = makeModel(golden());
  const copy = structuredClone(m, { transfer: buffersOf(m) } as StructuredSerializeOptions);
  assert.equal(copy.skeleton.n, 5);
  assert.deepEqual([...copy.tree.depth], [0, 1, 2, 1, 0]);
  assert.equal(m.skeleton.parent.length, 0);
});
