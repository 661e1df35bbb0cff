// SPDX-License-Identifier: Apache-2.0
// The waterfall: a tree grid that scrolls, of which only the rows on screen exist, and one canvas
// for their bars. Drawn at most once a frame.
import { effect } from '@preact/signals';
import { isDark } from '../base/prefs';
import type { Axis } from './axis';
import { Bars, fit, inksOf, ROW_PX, type Inks } from './bars';
import { hasChildren } from './display';
import { Minimap } from './minimap';
import { NONE } from './skeleton';
import { RowElement } from './rows';
import type { TraceView } from './view';

const SCROLL_MAX_PX = 8_000_000; // browsers cut elements off at about 16 million
const HEAD_PX = 30;
const SHEET_ROWS = 128; // that the sheet is longer than the screen

export interface Parts {
  grid: HTMLElement; // role=treegrid, scrolls
  head: HTMLElement;
  inner: HTMLElement;
  view: HTMLElement;
  sheet: HTMLElement; // holds the rows, and alone is moved when they scroll
  bars: HTMLCanvasElement;
  axis: HTMLCanvasElement;
  map: HTMLCanvasElement;
  cell: HTMLElement; // the head's last cell, whose width is the axis'
}

export class Waterfall {
  private readonly pool: RowElement[] = [];
  private readonly painter: Bars;
  private readonly minimap: Minimap;
  private inks: Inks;
  private frame = 0;
  private refill = true; // all rows, not only those that came into view
  private around = true; // axis, map and marks of rows as well
  private size = { room: ROW_PX, width: 0, left: 0, font: '' }; // measured when it may have changed
  private base = 0; // the row that stands at the sheet's top; may be before the first
  private seen: [number, number] = [0, 0]; // rows on screen
  private drag: { from: number; to: number } | null = null; // px on the axis
  private readonly stops: (() => void)[] = [];

  constructor(
    private readonly v: TraceView,
    private readonly p: Parts,
  ) {
    this.painter = new Bars(v);
    this.minimap = new Minimap(v, p.map);
    this.inks = inksOf(p.grid);
    this.listen();
    const resize = new ResizeObserver(() => {
      this.measure();
      this.later(true);
    });
    resize.observe(p.grid);
    resize.observe(p.cell);
    this.measure();
    this.stops.push(
      () => resize.disconnect(),
      effect(() => {
        void v.visible.value, v.display.value;
        this.later(true);
      }),
      effect(() => {
        void v.selected.value, v.matches.value, v.critical.value, v.zoom.value, v.foldGaps.value;
        this.later(false);
      }),
      effect(() => {
        void isDark.value;
        this.inks = inksOf(p.grid);
        this.later(true);
      }),
      effect(() => {
        if (v.selected.value >= 0) this.keepInView(v.selected.value);
      }),
    );
  }

  stop(): void {
    cancelAnimationFrame(this.frame);
    this.stops.forEach((s) => s());
  }

  private measure(): void {
    const { p } = this;
    const room = Math.max(ROW_PX, p.grid.clientHeight - HEAD_PX);
    const width = p.cell.clientWidth;
    this.size = { room, width, left: p.cell.offsetLeft, font: `11px ${getComputedStyle(p.grid).fontFamily}` };
    p.view.style.height = `${room}px`;
    p.bars.style.left = `${this.size.left}px`;
    p.bars.style.width = `${width}px`;
    p.bars.style.height = `${room}px`;
  }

  private later(refill: boolean, around = true): void {
    this.refill ||= refill;
    this.around ||= around;
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  // --- scrolling: real pixels, scaled when there are more than a browser has ------------------

  private get total(): number {
    return this.v.visible.peek().length * ROW_PX;
  }
  private get room(): number {
    return this.size.room;
  }
  // Rows that can be on screen at once.
  private get need(): number {
    return Math.ceil(this.room / ROW_PX) + 1;
  }
  // As high as all rows; written only when it changes, for each write costs a layout.
  private stretch(): void {
    const height = `${Math.min(this.total, SCROLL_MAX_PX) + HEAD_PX}px`;
    if (this.p.inner.style.height !== height) this.p.inner.style.height = height;
  }
  private get scale(): number {
    const real = Math.min(this.total, SCROLL_MAX_PX);
    return real > this.room ? (this.total - this.room) / (real - this.room) : 1;
  }
  // Whole pixels of the screen: between them, text would be blurred.
  private get top(): number {
    const top = Math.round(this.p.grid.scrollTop * this.scale * devicePixelRatio) / devicePixelRatio;
    return Math.min(top, Math.max(0, this.total - this.room));
  }
  private scrollTo(top: number): void {
    this.p.grid.scrollTop = top / this.scale;
  }

  private keepInView(node: number): void {
    const at = this.v.place(node) * ROW_PX;
    this.stretch();
    if (at < this.top) this.scrollTo(at - ROW_PX);
    else if (at + ROW_PX > this.top + this.room) this.scrollTo(at + 2 * ROW_PX - this.room);
  }

  // --- drawing -------------------------------------------------------------------------------

  private draw(): void {
    const { p, v } = this;
    if (!p.grid.isConnected) return;
    this.stretch();
    const visible = v.visible.peek();
    const top = this.top;
    const first = Math.min(visible.length, Math.floor(top / ROW_PX));
    const last = Math.min(visible.length, first + this.need);
    this.place(visible, first, last, top);
    const { width, room } = this.size;
    const axis = v.axis(width);
    this.painter.draw(fit(p.bars, width, room), axis, this.inks, first, last, first * ROW_PX - top, room);
    if (this.around) {
      p.grid.setAttribute('aria-rowcount', String(visible.length + 1));
      this.head(axis, width);
      this.minimap.draw(this.inks);
    }
    this.around = false;
    this.refill = false;
  }

  // Row i of the list stands at place i - base of the sheet, in element i - base mod the number of elements:
  // scrolling fills the few that came into view and moves none of the others.
  private place(visible: Uint32Array, first: number, last: number, top: number): void {
    const { pool } = this;
    const need = this.need;
    if (pool.length < need) {
      while (pool.length < need) pool.push(new RowElement(this.v, this.p.sheet, pool.length));
      this.p.sheet.style.height = `${(SHEET_ROWS + need) * ROW_PX}px`;
    }
    this.rebase(first, last);
    for (let i = first; i < last; i++) {
      const row = this.element(i);
      if (this.refill || row.node !== visible[i]) row.fill(visible[i]!, i);
      else if (this.around) row.mark();
      row.move((i - this.base) * ROW_PX);
    }
    for (const row of pool) row.show(row.place >= first && row.place < last && this.element(row.place) === row);
    this.p.sheet.style.transform = `translateY(${this.base * ROW_PX - top}px)`;
    this.active(first, last);
  }

  // After a jump, elements and places are those of the screen before: nothing is moved. At an end of the
  // sheet, rows keep their elements and are moved to its middle.
  private rebase(first: number, last: number): void {
    const n = this.pool.length;
    const middle = first - SHEET_ROWS / 2;
    if (first >= this.seen[1] || last <= this.seen[0]) this.base = middle;
    else if (first < this.base || last > this.base + SHEET_ROWS + n) this.base += Math.round((middle - this.base) / n) * n;
    this.seen = [first, last];
  }

  private element(i: number): RowElement {
    return this.pool[(i - this.base) % this.pool.length]!;
  }

  private active(first: number, last: number): void {
    const { grid } = this.p;
    const selected = this.v.selected.peek();
    const at = selected < 0 ? -1 : this.v.place(selected);
    const row = at >= first && at < last ? this.element(at) : null;
    const id = row?.node === selected ? row.el.id : '';
    if ((grid.getAttribute('aria-activedescendant') ?? '') === id) return;
    if (id) grid.setAttribute('aria-activedescendant', id);
    else grid.removeAttribute('aria-activedescendant');
  }

  private head(axis: Axis, width: number): void {
    const c = fit(this.p.axis, width, HEAD_PX);
    c.font = this.size.font;
    c.textBaseline = 'middle';
    for (const t of axis.ticks(90)) {
      c.fillStyle = this.inks.line;
      c.fillRect(Math.round(t.x), HEAD_PX - 6, 1, 6);
      c.fillStyle = this.inks.muted;
      if (t.x + 4 + c.measureText(t.label).width < width) c.fillText(t.label, t.x + 4, HEAD_PX / 2);
    }
    for (const p of axis.pieces) if (p.gap) c.fillText('⋯', p.x + 8, HEAD_PX / 2);
    if (!this.drag) return;
    c.globalAlpha = 0.25;
    c.fillStyle = this.inks.accent;
    c.fillRect(Math.min(this.drag.from, this.drag.to), 0, Math.abs(this.drag.to - this.drag.from), HEAD_PX);
    c.globalAlpha = 1;
  }

  // --- hands ---------------------------------------------------------------------------------

  private listen(): void {
    const { grid, axis, map, view } = this.p;
    const on = <K extends keyof HTMLElementEventMap>(el: HTMLElement, type: K, f: (e: HTMLElementEventMap[K]) => void, options?: AddEventListenerOptions): void => {
      el.addEventListener(type, f, options);
      this.stops.push(() => el.removeEventListener(type, f, options));
    };
    on(grid, 'scroll', () => this.later(false, false), { passive: true });
    on(grid, 'keydown', (e) => this.key(e));
    on(view, 'click', (e) => this.click(e));
    on(view, 'dblclick', (e) => this.doubleClick(e));
    on(view, 'pointerover', (e) => this.rowAt(e)?.point());
    on(grid, 'wheel', (e) => this.wheel(e), { passive: false });
    on(axis, 'pointerdown', (e) => this.chooseRange(e, axis, () => this.v.axis(axis.clientWidth)));
    on(map, 'pointerdown', (e) => this.chooseRange(e, map, () => this.minimap.axis()));
    on(axis, 'dblclick', () => this.v.setZoom([0, this.v.length]));
    on(map, 'dblclick', () => this.v.setZoom([0, this.v.length]));
    on(view, 'pointerdown', (e) => this.grab(e));
  }

  private rowAt(e: Event): RowElement | undefined {
    const el = (e.target as Element).closest('.wf-row');
    return this.pool.find((r) => r.el === el);
  }
  private nodeAt(e: Event): number {
    return this.rowAt(e)?.node ?? -1;
  }

  private click(e: MouseEvent): void {
    const node = this.nodeAt(e);
    if (node < 0 || this.moved) return;
    if ((e.target as Element).closest('.wf-fold')) this.v.toggle(node);
    else this.v.select(node);
  }
  private doubleClick(e: MouseEvent): void {
    const node = this.nodeAt(e);
    if (node >= 0 && !(e.target as Element).closest('.wf-fold')) this.v.toggle(node);
  }

  private key(e: KeyboardEvent): void {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const page = Math.max(1, Math.floor(this.room / ROW_PX) - 1);
    const all = this.v.visible.peek().length;
    const moves: Record<string, () => void> = {
      ArrowDown: () => this.v.step(1),
      ArrowUp: () => this.v.step(-1),
      PageDown: () => this.v.step(page),
      PageUp: () => this.v.step(-page),
      Home: () => this.v.step(-all),
      End: () => this.v.step(all),
      ArrowRight: () => this.open(),
      ArrowLeft: () => this.close(),
      ' ': () => this.v.selected.peek() >= 0 && this.v.toggle(this.v.selected.peek()),
    };
    const move = moves[e.key];
    if (!move) return;
    e.preventDefault();
    move();
  }
  // Right: unfold, then into the first child. Left: fold, then to the parent.
  private open(): void {
    const node = this.v.selected.peek();
    if (node < 0 || !hasChildren(this.v.display.peek(), node)) return;
    if (this.v.folded[node]) this.v.fold(node, false);
    else this.v.step(1);
  }
  private close(): void {
    const node = this.v.selected.peek();
    if (node < 0) return;
    const d = this.v.display.peek();
    if (hasChildren(d, node) && !this.v.folded[node]) this.v.fold(node, true);
    else if (d.parent[node] !== NONE) this.v.select(d.parent[node]!);
  }

  private xOf(e: MouseEvent, el: HTMLElement): number {
    return e.clientX - el.getBoundingClientRect().left;
  }

  private wheel(e: WheelEvent): void {
    const sideways = e.shiftKey ? e.deltaY || e.deltaX : Math.abs(e.deltaX) > Math.abs(e.deltaY) ? e.deltaX : 0;
    const around = e.ctrlKey || e.metaKey;
    if (!around && !sideways) return;
    e.preventDefault();
    const { width } = this.size;
    if (around) this.v.zoomBy(Math.exp(e.deltaY * 0.003), this.v.axis(width).ns(this.xOf(e, this.p.axis)));
    else this.v.panBy(sideways / Math.max(1, width));
  }

  private moved = false; // the pointer moved while down: not a click

  // Dragging the bars moves the zoomed part.
  private grab(e: PointerEvent): void {
    this.moved = false;
    const { width } = this.size;
    const inBars = e.clientX >= this.p.axis.getBoundingClientRect().left;
    const [from, to] = this.v.zoom.peek();
    if (!inBars || e.button !== 0 || to - from >= this.v.length) return;
    let x = e.clientX;
    this.follow((m) => {
      if (Math.abs(m.clientX - x) < 3 && !this.moved) return;
      this.moved = true;
      this.v.panBy((x - m.clientX) / Math.max(1, width));
      x = m.clientX;
    });
  }

  // Dragging over an axis chooses the part to zoom to.
  private chooseRange(e: PointerEvent, el: HTMLElement, axisNow: () => Axis): void {
    if (e.button !== 0) return;
    e.preventDefault();
    const axis = axisNow();
    const start = this.xOf(e, el);
    const show = (to: number): void => {
      if (el === this.p.axis) this.drag = { from: start, to };
      else if (Math.abs(to - start) >= 4) this.v.setZoom(ordered(axis.ns(start), axis.ns(to), this.v.length));
      this.later(false);
    };
    let last = start;
    this.follow((m) => show((last = this.xOf(m, el))), () => {
      this.drag = null;
      if (el === this.p.axis && Math.abs(last - start) >= 4) this.v.setZoom(ordered(axis.ns(start), axis.ns(last), this.v.length));
      this.later(false);
    });
  }

  private follow(move: (m: PointerEvent) => void, done: () => void = () => undefined): void {
    const end = (): void => {
      removeEventListener('pointermove', move);
      removeEventListener('pointerup', end);
      removeEventListener('pointercancel', end);
      done();
    };
    addEventListener('pointermove', move);
    addEventListener('pointerup', end);
    addEventListener('pointercancel', end);
  }
}

function ordered(a: number, b: number, length: number): [number, number] {
  const from = Math.max(0, Math.min(a, b));
  return [from, Math.min(length, Math.max(from + 1, Math.max(a, b)))];
}
