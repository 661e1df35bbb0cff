// SPDX-License-Identifier: Apache-2.0
// The whole trace in small: how dense it is, where errors are, the critical path, and the part
// that is zoomed to. Dragging over it chooses another part.
import { Axis } from './axis';
import { fit, type Inks } from './bars';
import { density } from './density';
import type { TraceView } from './view';

const MAP_PX = 56;

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
    c.imageSmoothingEnabled = false;
    c.drawImage(picture, 0, 4, width, MAP_PX - 12);
    if (this.view.critical.value) this.path(c, axis, inks);
    this.window(c, axis, inks, width);
  }

  // The picture changes only with size, theme and folding; it is kept.
  private paint(axis: Axis, inks: Inks, width: number): HTMLCanvasElement {
    const height = MAP_PX - 12;
    const { n } = this.view.s;
    const key = [width, inks.muted, inks.error, axis.pieces.length].join();
    if (this.picture && this.pictureOf === key) return this.picture;
    const canvas = document.createElement('canvas');
    canvas.width = width;
    canvas.height = height;
    const c = canvas.getContext('2d')!;
    const image = c.createImageData(width, height);
    const all = density(this.view.s, axis, width, height, false);
    const bad = density(this.view.s, axis, width, height, true);
    const [normal, error] = [rgb(inks.muted), rgb(inks.error)];
    for (let y = 0; y < height; y++) {
      // Fewer spans than lines: each is as many lines high as there are, with a line between.
      const line = n < height ? Math.floor((y * n) / height) : y;
      if (n * 3 <= height && line !== Math.floor(((y + 1) * n) / height)) continue;
      for (let x = 0; x < width; x++) {
        const spans = all[line * width + x]!;
        if (!spans) continue;
        const isBad = bad[line * width + x]! > 0;
        const [r, g, b] = isBad ? error : normal;
        image.data.set([r, g, b, isBad ? 255 : Math.min(255, 150 + 30 * Math.log2(spans))], (y * width + x) * 4);
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
