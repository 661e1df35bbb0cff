// SPDX-License-Identifier: Apache-2.0
// The whole trace in small: how dense it is, where errors are, the critical path, and the part
// that is zoomed to. Dragging over it chooses another part.
import { Axis } from './axis';
import { fit, type Inks } from './bars';
import { STATUS_ERROR } from './skeleton';
import { endOf } from './tree';
import type { TraceView } from './view';

export const MAP_PX = 56;

// Counts of spans per cell, as differences along each line: linear in spans, however long they are.
export function density(view: TraceView, axis: Axis, width: number, height: number, errorsOnly: boolean): Uint32Array {
  const { s } = view;
  const cells = new Int32Array((width + 1) * height);
  for (let row = 0; row < s.n; row++) {
    if (errorsOnly && s.status[row] !== STATUS_ERROR) continue;
    const y = Math.floor((row * height) / Math.max(height, s.n));
    const a = Math.min(width - 1, Math.max(0, Math.floor(axis.x(s.start[row]!))));
    const b = Math.min(width, Math.max(a + 1, Math.ceil(axis.x(endOf(s, row)))));
    cells[y * (width + 1) + a]!++;
    cells[y * (width + 1) + b]!--;
  }
  const out = new Uint32Array(width * height);
  for (let y = 0; y < height; y++)
    for (let x = 0, sum = 0; x < width; x++) out[y * width + x] = sum += cells[y * (width + 1) + x]!;
  return out;
}

function rgb(ink: string): [number, number, number] {
  const m = ink.match(/[\d.]+/g) ?? ['128', '128', '128'];
  return [Number(m[0]), Number(m[1]), Number(m[2])];
}

export class Minimap {
  private picture: HTMLCanvasElement | null = null;
  private pictureOf = '';

  constructor(
    private readonly view: TraceView,
    private readonly canvas: HTMLCanvasElement,
  ) {}

  axis(): Axis {
    const gaps = this.view.foldGaps.peek() ? this.view.gaps : [];
    return new Axis(0, this.view.length, this.canvas.clientWidth, gaps);
  }

  draw(inks: Inks): void {
    const width = this.canvas.clientWidth;
    if (!width) return;
    const c = fit(this.canvas, width, MAP_PX);
    const axis = this.axis();
    const picture = this.paint(axis, inks, width);
    c.drawImage(picture, 0, 4, width, MAP_PX - 12);
    if (this.view.critical.value) this.path(c, axis, inks);
    this.window(c, axis, inks, width);
  }

  // The picture changes only with size, theme and folding; it is kept.
  private paint(axis: Axis, inks: Inks, width: number): HTMLCanvasElement {
    const height = MAP_PX - 12;
    const key = [width, inks.muted, inks.error, axis.pieces.length].join();
    if (this.picture && this.pictureOf === key) return this.picture;
    const canvas = document.createElement('canvas');
    canvas.width = width;
    canvas.height = height;
    const c = canvas.getContext('2d')!;
    const image = c.createImageData(width, height);
    const few = Math.max(1, Math.floor(height / this.view.s.n)); // lines per span, when there are few
    const all = density(this.view, axis, width, height, false);
    const bad = density(this.view, axis, width, height, true);
    const [normal, error] = [rgb(inks.muted), rgb(inks.error)];
    for (let y = 0; y < height; y++) {
      const line = few > 1 ? Math.floor(y / few) : y;
      if (line >= height || (few > 1 && (line >= this.view.s.n || y % few === few - 1))) continue;
      for (let x = 0; x < width; x++) {
        const n = all[line * width + x]!;
        if (!n) continue;
        const isBad = bad[line * width + x]! > 0;
        const [r, g, b] = isBad ? error : normal;
        image.data.set([r, g, b, isBad ? 255 : Math.min(255, 110 + 40 * Math.log2(n))], (y * width + x) * 4);
      }
    }
    c.putImageData(image, 0, 0);
    this.picture = canvas;
    this.pictureOf = key;
    return canvas;
  }

  private path(c: CanvasRenderingContext2D, axis: Axis, inks: Inks): void {
    const { from, to } = this.view.model.critical;
    c.fillStyle = inks.text;
    let drawn = Infinity;
    for (let i = 0; i < from.length; i++) {
      const a = axis.x(from[i]!);
      const b = Math.min(axis.x(to[i]!), drawn);
      if (b - a < 0.5) continue;
      c.fillRect(a, MAP_PX - 6, b - a - 0.5, 3);
      drawn = a;
    }
  }

  private window(c: CanvasRenderingContext2D, axis: Axis, inks: Inks, width: number): void {
    const [from, to] = this.view.zoom.value;
    if (from === 0 && to === this.view.length) return;
    const a = axis.x(from);
    const b = Math.max(a + 2, axis.x(to));
    c.globalAlpha = 0.72;
    c.fillStyle = inks.surface;
    c.fillRect(0, 0, a, MAP_PX);
    c.fillRect(b, 0, width - b, MAP_PX);
    c.globalAlpha = 1;
    c.strokeStyle = inks.accent;
    c.lineWidth = 1.5;
    c.strokeRect(a, 0.75, b - a, MAP_PX - 1.5);
  }
}
