// SPDX-License-Identifier: Apache-2.0
// The pictures: bars of the rows that are seen, and the whole trace in small. Canvas 2D, with
// neighbours in one pixel drawn once.
import { palette } from '../base/colour';
import type { Axis } from './axis';
import { isDark } from '../base/prefs';
import { MISSING_PARENT, STATUS_ERROR } from './skeleton';
import { endOf } from './tree';
import type { TraceView } from './view';

export const ROW_PX = 26;
const BAR_PX = 10;

export interface Inks {
  line: string;
  strong: string;
  text: string;
  muted: string;
  error: string;
  accent: string;
  surface: string;
}

// The colours of the style sheet, as the canvas needs them.
export function inksOf(el: Element): Inks {
  const style = getComputedStyle(el);
  const probe = document.createElement('i');
  probe.hidden = true;
  el.append(probe);
  const ink = (name: string): string => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color || style.color;
  };
  const inks = {
    line: ink('line'), strong: ink('line-strong'), text: ink('text'), muted: ink('muted'),
    error: ink('error'), accent: ink('accent'), surface: ink('surface'),
  };
  probe.remove();
  return inks;
}

const colour = (i: number): string => palette[i]![isDark.peek() ? 1 : 0];

// Fits a canvas to its box; returns a context in CSS pixels.
export function fit(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D {
  const scale = devicePixelRatio || 1;
  const w = Math.max(1, Math.round(width * scale));
  const h = Math.max(1, Math.round(height * scale));
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
  }
  const c = canvas.getContext('2d')!;
  c.setTransform(scale, 0, 0, scale, 0, 0);
  c.clearRect(0, 0, width, height);
  return c;
}

export class Bars {
  private hatch: CanvasPattern | null = null;
  private hatchInk = '';

  constructor(private readonly view: TraceView) {}

  // Rows [first, last) of the visible ones; `top` is where row `first` begins.
  draw(c: CanvasRenderingContext2D, axis: Axis, inks: Inks, first: number, last: number, top: number, height: number): void {
    this.grid(c, axis, inks, height);
    const visible = this.view.visible.peek();
    for (let i = first; i < last; i++) {
      const y = top + (i - first) * ROW_PX + (ROW_PX - BAR_PX) / 2;
      const node = visible[i]!;
      const group = this.view.group(node);
      if (group) this.group(c, axis, inks, group.members, y);
      else this.span(c, axis, inks, this.view.rowOf(node), y);
    }
  }

  private grid(c: CanvasRenderingContext2D, axis: Axis, inks: Inks, height: number): void {
    c.fillStyle = inks.line;
    for (const t of axis.ticks(90)) c.fillRect(Math.round(t.x), 0, 1, height);
    for (const p of axis.pieces) {
      if (!p.gap) continue;
      c.fillStyle = this.pattern(c, inks.line);
      c.fillRect(p.x, 0, p.width, height);
    }
  }

  private pattern(c: CanvasRenderingContext2D, ink: string): CanvasPattern | string {
    if (this.hatch && this.hatchInk === ink) return this.hatch;
    const tile = document.createElement('canvas');
    tile.width = tile.height = 6;
    const p = tile.getContext('2d')!;
    p.strokeStyle = ink;
    p.lineWidth = 1.2;
    p.beginPath();
    for (const d of [-6, 0, 6]) {
      p.moveTo(d, 6);
      p.lineTo(d + 6, 0);
    }
    p.stroke();
    this.hatchInk = ink;
    this.hatch = c.createPattern(tile, 'repeat');
    return this.hatch ?? ink;
  }

  private span(c: CanvasRenderingContext2D, axis: Axis, inks: Inks, row: number, y: number): void {
    const { s } = this.view;
    const x = axis.x(s.start[row]!);
    const end = axis.x(endOf(s, row));
    if (end < -20 || x > axis.width + 20) return this.beyond(c, axis, inks, end < 0, y);
    const from = Math.max(-4, x);
    const width = Math.max(2, Math.min(axis.width + 4, end) - from);
    c.fillStyle = colour(this.view.colourOf(row));
    c.beginPath();
    c.roundRect(from, y, width, BAR_PX, 2);
    c.fill();
    if (s.status[row] === STATUS_ERROR) this.error(c, inks, from, width, y);
    if (s.flags[row]! & MISSING_PARENT) this.torn(c, inks, from, y);
    if (this.view.critical.peek()) this.path(c, axis, inks, row, y);
  }

  // A bar that is not in the zoomed part: a small arrow to where it is.
  private beyond(c: CanvasRenderingContext2D, axis: Axis, inks: Inks, left: boolean, y: number): void {
    const x = left ? 3 : axis.width - 3;
    const d = left ? 4 : -4;
    c.fillStyle = inks.muted;
    c.beginPath();
    c.moveTo(x, y + BAR_PX / 2);
    c.lineTo(x + d, y + 1);
    c.lineTo(x + d, y + BAR_PX - 1);
    c.fill();
  }

  // Red, and a shape of its own: hatched on top and a cross at the end.
  private error(c: CanvasRenderingContext2D, inks: Inks, x: number, width: number, y: number): void {
    c.strokeStyle = inks.error;
    c.lineWidth = 1.5;
    if (width > 6) {
      c.beginPath();
      c.roundRect(x + 0.25, y - 0.75, width - 0.5, BAR_PX + 1.5, 3);
      c.stroke();
    }
    const ex = x + width + 8;
    const ey = y + BAR_PX / 2;
    c.lineWidth = 1.8;
    c.beginPath();
    c.moveTo(ex - 3.2, ey - 3.2);
    c.lineTo(ex + 3.2, ey + 3.2);
    c.moveTo(ex + 3.2, ey - 3.2);
    c.lineTo(ex - 3.2, ey + 3.2);
    c.stroke();
  }

  // The parent is missing: a torn-off line to the left.
  private torn(c: CanvasRenderingContext2D, inks: Inks, x: number, y: number): void {
    c.strokeStyle = inks.muted;
    c.lineWidth = 1;
    c.setLineDash([2, 2]);
    c.beginPath();
    c.moveTo(x - 14, y + BAR_PX / 2);
    c.lineTo(x - 2, y + BAR_PX / 2);
    c.stroke();
    c.setLineDash([]);
  }

  private path(c: CanvasRenderingContext2D, axis: Axis, inks: Inks, row: number, y: number): void {
    const of = this.view.criticalRows.get(row);
    if (!of) return;
    c.fillStyle = inks.text;
    let drawn = Infinity; // segments come from late to early
    for (const [from, to] of of.segments) {
      const a = Math.max(0, axis.x(from));
      const b = Math.min(axis.width, axis.x(to), drawn);
      if (b <= 0 || a >= axis.width || b - a < 0.3) continue;
      c.fillRect(a, y + BAR_PX + 1.5, Math.max(1, b - a), 2.5);
      drawn = a;
    }
  }

  // Members side by side on one line; those that share a pixel are drawn once.
  private group(c: CanvasRenderingContext2D, axis: Axis, inks: Inks, members: Uint32Array, y: number): void {
    const { s } = this.view;
    c.fillStyle = colour(this.view.colourOf(members[0]!));
    let from = -1;
    let to = -1;
    const flush = (): void => {
      if (to > from) c.fillRect(from, y + 1, Math.max(1, to - from), BAR_PX - 2);
    };
    const errors: number[] = [];
    for (const row of members) {
      const a = Math.max(-2, Math.round(axis.x(s.start[row]!)));
      const b = Math.min(axis.width + 2, Math.max(a + 1, Math.round(axis.x(endOf(s, row)))));
      if (b < 0 || a > axis.width) continue;
      if (s.status[row] === STATUS_ERROR && errors[errors.length - 1] !== a) errors.push(a);
      if (a <= to) {
        to = Math.max(to, b);
        continue;
      }
      flush();
      from = a;
      to = b;
    }
    flush();
    c.fillStyle = inks.error;
    for (const x of errors) c.fillRect(x, y - 2, 2, BAR_PX + 4);
    if (this.view.critical.peek()) for (const row of members) this.path(c, axis, inks, row, y);
  }
}
