// SPDX-License-Identifier: Apache-2.0
// What one looks at in a trace: which row, which part of the time, what is folded, what is sought.
// All of it is in the address; the signals here are its working copy.
import { batch, computed, effect, signal, type ReadonlySignal } from '@preact/signals';
import { coloursOf } from '../base/colour';
import { choice, flag, readQuery, span, text, words, writeQuery } from '../base/query';
import { go, goSoon, place } from '../base/router';
import { Axis, moved, zoomed, type Gap } from './axis';
import { byRow } from './critical';
import { displayOf, hasChildren, visibleNodes, type Display, type Group } from './display';
import type { Model } from './model';
import { idOf, NONE, rowOfId, STATUS_ERROR, Strings, type Skeleton } from './skeleton';
import type { Tree } from './tree';

const FLIPS_MAX = 40; // folds that an address carries; more are kept on the page, not in links

const schema = {
  span: text(),
  z: span(),
  q: text(),
  critical: flag(),
  gaps: flag(),
  group: flag(true),
  fold: choice('none', 'all'),
  flip: words(FLIPS_MAX),
};

const NO_NODE = -1;

export class TraceView {
  readonly s: Skeleton;
  readonly t: Tree;
  readonly strings: Strings;
  readonly colours: Map<string, number>;
  readonly gaps: readonly Gap[];
  readonly criticalRows: ReturnType<typeof byRow>;

  readonly display = signal<Display>(null as unknown as Display);
  readonly visible = signal<Uint32Array>(new Uint32Array());
  readonly selected = signal(NO_NODE); // node
  readonly zoom = signal<readonly [number, number]>([0, 1]);
  readonly query = signal('');
  readonly critical = signal(false);
  readonly foldGaps = signal(false);
  readonly grouping = signal(true);
  readonly said = signal(''); // for screen readers
  readonly matches: ReadonlySignal<Uint32Array>;

  folded = new Uint8Array(); // by node
  private foldAll = false;
  private flips = new Set<string>();
  private plain: Display | null = null;
  private written: string | null = null; // the address as this view wrote it
  private readonly stops: (() => void)[] = [];

  constructor(readonly model: Model) {
    this.s = model.skeleton;
    this.t = model.tree;
    this.gaps = model.gaps;
    this.strings = new Strings(this.s);
    this.colours = coloursOf(Array.from(this.s.service, (id) => this.strings.get(id)));
    this.criticalRows = byRow(model.critical);
    this.matches = computed(() => this.find(this.query.value));
    this.stops.push(effect(() => this.readAddress()));
  }

  stop(): void {
    this.stops.forEach((s) => s());
  }

  // --- address -------------------------------------------------------------------------------

  private readAddress(): void {
    const query = place.value.query;
    if (!place.value.path.includes(this.s.traceId.slice(0, 31)) || query.toString() === this.written) return;
    this.written = query.toString();
    const v = readQuery(schema, query);
    batch(() => {
      this.zoom.value = v.z ? zoomed(v.z, v.z[0], 1, this.length) : [0, this.length];
      this.query.value = v.q;
      this.critical.value = v.critical;
      this.foldGaps.value = v.gaps;
      this.grouping.value = v.group;
      this.foldAll = v.fold === 'all';
      this.flips = new Set(v.flip);
      this.show(v.group);
      this.selected.value = v.span ? this.nodeOfKey(v.span) : NO_NODE;
    });
    if (this.selected.peek() !== NO_NODE) this.reveal(this.selected.peek());
  }

  // The path of this view below the root of the app.
  path(change: Partial<{ span: string }> = {}): string {
    const [from, to] = this.zoom.peek();
    const selected = this.selected.peek();
    const query = writeQuery(schema, {
      span: selected === NO_NODE ? '' : this.keyOf(selected),
      z: from === 0 && to === this.length ? null : [from, to],
      q: this.query.peek(),
      critical: this.critical.peek(),
      gaps: this.foldGaps.peek(),
      group: this.grouping.peek(),
      fold: this.foldAll ? 'all' : 'none',
      flip: [...this.flips],
      ...change,
    });
    return `t/${this.s.traceId}${query}`;
  }

  private write(soon = false): void {
    const to = this.path();
    const at = to.indexOf('?');
    this.written = new URLSearchParams(at < 0 ? '' : to.slice(at)).toString();
    if (soon) goSoon(to);
    else go(to, 'replace');
  }

  // --- rows ----------------------------------------------------------------------------------

  get length(): number {
    return Math.max(1, this.s.length);
  }
  group(node: number): Group | null {
    const row = this.display.peek().row[node]!;
    return row < 0 ? this.display.peek().groups[~row]! : null;
  }
  // The row of a node; of a group, its first member's.
  rowOf(node: number): number {
    const row = this.display.peek().row[node]!;
    return row < 0 ? this.display.peek().groups[~row]!.members[0]! : row;
  }
  serviceOf(row: number): string {
    return this.strings.get(this.s.service[this.s.resource[row]!]!);
  }
  nameOf(row: number): string {
    return this.strings.get(this.s.name[row]!);
  }
  colourOf(row: number): number {
    return this.colours.get(this.serviceOf(row)) ?? 0;
  }
  keyOf(node: number): string {
    return (this.display.peek().row[node]! < 0 ? 'g' : '') + idOf(this.s, this.rowOf(node));
  }
  private nodeOfKey(key: string): number {
    const d = this.display.peek();
    const row = rowOfId(this.s, key.replace(/^g/, ''));
    if (row < 0) return NO_NODE;
    const node = d.nodeOf[row]!;
    const up = d.parent[node]!;
    return key.startsWith('g') && up !== NONE && d.row[up]! < 0 ? up : node;
  }

  private show(grouping: boolean): void {
    this.display.value = grouping ? this.model.grouped : (this.plain ??= displayOf(this.s, this.t, false));
    this.refold();
  }

  private refold(): void {
    const d = this.display.peek();
    this.folded = new Uint8Array(d.row.length);
    for (const g of d.groups) this.folded[g.node] = 1;
    if (this.foldAll) for (let i = 0; i < d.row.length; i++) if (d.depth[i]! > 0 && hasChildren(d, i)) this.folded[i] = 1;
    for (const key of this.flips) {
      const node = this.nodeOfKey(key);
      if (node !== NO_NODE) this.folded[node]! ^= 1;
    }
    this.visible.value = visibleNodes(d, this.folded);
  }

  fold(node: number, on: boolean): void {
    const d = this.display.peek();
    if (!hasChildren(d, node) || !!this.folded[node] === on) return;
    this.flip(node);
    // Who folds away what is selected looks at what is left.
    const sel = this.selected.peek();
    if (on && sel > node && sel < d.end[node]!) this.selected.value = node;
    this.visible.value = visibleNodes(d, this.folded);
    this.write();
  }
  toggle(node: number): void {
    this.fold(node, !this.folded[node]);
  }
  private flip(node: number): void {
    const key = this.keyOf(node);
    this.folded[node]! ^= 1;
    if (!this.flips.delete(key)) this.flips.add(key);
  }

  setFoldAll(on: boolean): void {
    this.foldAll = on;
    this.flips.clear();
    batch(() => {
      this.refold();
      if (this.selected.peek() !== NO_NODE) this.selected.value = this.visible.peek()[this.place(this.selected.peek())] ?? NO_NODE;
    });
    this.write();
  }

  setGrouping(on: boolean): void {
    const row = this.selected.peek() === NO_NODE ? -1 : this.rowOf(this.selected.peek());
    batch(() => {
      this.grouping.value = on;
      this.flips = new Set([...this.flips].filter((k) => !k.startsWith('g')));
      this.show(on);
      this.selected.value = row < 0 ? NO_NODE : this.display.peek().nodeOf[row]!;
    });
    if (row >= 0) this.reveal(this.selected.peek());
    this.write();
  }

  // Unfolds all that hides a node.
  reveal(node: number): void {
    const d = this.display.peek();
    let changed = false;
    for (let p = d.parent[node]!; p !== NONE; p = d.parent[p]!) {
      if (!this.folded[p]) continue;
      this.flip(p);
      changed = true;
    }
    if (changed) this.visible.value = visibleNodes(d, this.folded);
  }

  // Where a node stands among the visible, or the nearest before it.
  place(node: number): number {
    const v = this.visible.peek();
    let lo = 0;
    let hi = v.length - 1;
    while (lo < hi) {
      const mid = (lo + hi + 1) >> 1;
      if (v[mid]! <= node) lo = mid;
      else hi = mid - 1;
    }
    return lo;
  }

  // --- what the hand does --------------------------------------------------------------------

  select(node: number): void {
    batch(() => {
      if (node !== NO_NODE) this.reveal(node);
      this.selected.value = node;
    });
    this.write(true);
  }
  selectRow(row: number): void {
    this.select(this.display.peek().nodeOf[row]!);
  }
  step(by: number): void {
    const v = this.visible.peek();
    const sel = this.selected.peek();
    const from = sel !== NO_NODE ? this.place(sel) : by > 0 ? -1 : v.length;
    const at = Math.min(v.length - 1, Math.max(0, from + by));
    if (v.length) this.select(v[at]!);
  }

  setZoom(z: readonly [number, number]): void {
    this.zoom.value = z[1] - z[0] >= this.length ? [0, this.length] : z;
    this.write(true);
  }
  zoomBy(factor: number, around?: number): void {
    const [from, to] = this.zoom.peek();
    this.setZoom(zoomed([from, to], around ?? (from + to) / 2, factor, this.length));
  }
  panBy(share: number): void {
    const [from, to] = this.zoom.peek();
    this.setZoom(moved([from, to], (to - from) * share, this.length));
  }
  // The selected span, with some air around it.
  zoomToSelected(): void {
    const node = this.selected.peek();
    if (node === NO_NODE) return;
    const g = this.group(node);
    const row = this.rowOf(node);
    const from = g ? g.start : this.s.start[row]!;
    const size = g ? g.end - g.start : this.s.duration[row]!;
    this.setZoom(zoomed([from - size * 0.05, from + Math.max(1, size) * 1.05], from, 1, this.length));
  }

  toggleCritical(): void {
    this.critical.value = !this.critical.peek();
    this.write();
  }
  toggleGaps(): void {
    this.foldGaps.value = !this.foldGaps.peek();
    this.write();
  }
  setQuery(q: string): void {
    this.query.value = q;
    this.write(true);
  }

  axis(width: number): Axis {
    const [from, to] = this.zoom.value;
    return new Axis(from, to, width, this.foldGaps.value ? this.gaps : []);
  }

  // --- finding -------------------------------------------------------------------------------

  private find(query: string): Uint32Array {
    const wanted = query.trim().toLowerCase();
    if (!wanted) return new Uint32Array();
    const hit = new Uint8Array(this.strings.count);
    for (let i = 0; i < hit.length; i++) hit[i] = this.strings.get(i).toLowerCase().includes(wanted) ? 1 : 0;
    const byId = rowOfId(this.s, wanted);
    return this.rowsWhere((r) => !!(hit[this.s.name[r]!] || hit[this.s.service[this.s.resource[r]!]!] || hit[this.s.message[r]!]) || r === byId);
  }
  private rowsWhere(test: (row: number) => boolean): Uint32Array {
    const out = new Uint32Array(this.s.n);
    let n = 0;
    for (let r = 0; r < this.s.n; r++) if (test(r)) out[n++] = r;
    return out.slice(0, n);
  }

  // To the next row of a list of rows (in order), from the selected one, and around at the end.
  private stepTo(rows: Uint32Array, by: 1 | -1, what: string): void {
    if (!rows.length) {
      this.said.value = `No ${what}`;
      return;
    }
    const sel = this.selected.peek();
    const from = sel === NO_NODE ? (by > 0 ? -1 : this.s.n) : this.rowOf(sel);
    let at = by > 0 ? rows.findIndex((r) => r > from) : rows.findLastIndex((r) => r < from);
    if (at < 0) at = by > 0 ? 0 : rows.length - 1;
    this.selectRow(rows[at]!);
    this.said.value = `${what} ${at + 1} of ${rows.length}: ${this.serviceOf(rows[at]!)} ${this.nameOf(rows[at]!)}`;
  }
  private errorRows: Uint32Array | null = null;
  errors(): Uint32Array {
    return (this.errorRows ??= this.rowsWhere((r) => this.s.status[r] === STATUS_ERROR));
  }
  nextMatch(by: 1 | -1): void {
    this.stepTo(this.matches.peek(), by, 'match');
  }
  nextError(by: 1 | -1): void {
    this.stepTo(this.errors(), by, 'error');
  }
  // Critical segments in order of time: the next begins where this one ends.
  nextCritical(by: 1 | -1): void {
    const rows = Uint32Array.from(new Set(this.model.critical.row)).sort();
    if (!this.critical.peek()) this.toggleCritical();
    this.stepTo(rows, by, 'span on the critical path');
  }
}
