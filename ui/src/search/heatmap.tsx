// SPDX-License-Identifier: Apache-2.0
// When spans began and how long they took: a canvas to drag a box on, the same by keyboard, and the
// same numbers as a table. The selected box is the address's.
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Rollout } from '../base/delivery';
import { count, plural } from '../base/format';
import { MarkerRow } from '../base/markers';
import { Scroll } from '../base/parts';
import { isDark, zone } from '../base/prefs';
import { dateTime, duration, timeOfDay } from '../base/time';
import { useWidth } from '../base/width';
import { boxOf, cellsBetween, cellsOf, countIn, type Box, type Cells, type Heat } from './heat';
import { inks, sharp } from './plot';
import { durationMarks, logShare, timeMarks } from './scale';

const HEIGHT = 210;
const LEFT = 62;
const RIGHT = 8;
const TOP = 8;
const BOTTOM = 24;
const LABEL_PX = 70; // room for a mark of time

interface Frame {
  x: (c: number) => number; // of a column's left side; fractions are fine
  y: (r: number) => number; // of a row's lower side
  width: number;
}

function frameOf(h: Heat, width: number): Frame {
  const w = Math.max(1, width - LEFT - RIGHT);
  const height = HEIGHT - TOP - BOTTOM;
  return { x: (c) => LEFT + (c / h.columns) * w, y: (r) => TOP + height - (r / Math.max(1, h.highs.length)) * height, width };
}

// Few spans are seen as well as many: the colour follows the logarithm of the count.
const shade = (n: number, most: number): number => 0.34 + (0.66 * Math.log1p(n)) / Math.log1p(most);

function draw(canvas: HTMLCanvasElement, h: Heat, f: Frame, marked: Cells | null, cursor: Cells | null): void {
  const c = sharp(canvas, f.width, HEIGHT);
  const ink = inks(canvas.parentElement!, { cell: '--accent', line: '--line', text: '--muted', mark: '--text' });
  c.font = `12px ${getComputedStyle(canvas).fontFamily}`;
  drawAxes(c, h, f, ink);
  const gap = f.x(1) - f.x(0) > 5 ? 1 : 0;
  c.fillStyle = ink.cell;
  for (let r = 0; r < h.highs.length; r++) {
    for (let k = 0; k < h.columns; k++) {
      const n = h.cells[r * h.columns + k]!;
      if (!n) continue;
      c.globalAlpha = shade(n, h.most);
      const [x, y] = [f.x(k), f.y(r + 1)];
      c.fillRect(x, y + gap / 2, Math.max(1, f.x(k + 1) - x - gap), Math.max(1, f.y(r) - y - gap));
    }
  }
  c.globalAlpha = 1;
  if (marked) outline(c, f, marked, ink.mark, ink.cell);
  if (cursor) frame(c, f, cursor, ink.mark, [3, 3]);
}

function drawAxes(c: CanvasRenderingContext2D, h: Heat, f: Frame, ink: { line: string; text: string }): void {
  const [lo, hi] = [h.lows[0] || 1, h.highs[h.highs.length - 1] ?? 2];
  c.textBaseline = 'middle';
  c.textAlign = 'right';
  c.fillStyle = ink.text;
  c.strokeStyle = ink.line;
  for (const ns of durationMarks(lo, hi, 6)) {
    const y = f.y(logShare(ns, lo, hi) * h.highs.length);
    c.fillText(duration(ns).replace(/\.0+ /, ' '), LEFT - 8, y);
    c.beginPath();
    c.moveTo(LEFT, Math.round(y) + 0.5);
    c.lineTo(f.width - RIGHT, Math.round(y) + 0.5);
    c.stroke();
  }
  c.textBaseline = 'alphabetic';
  const marks = timeMarks(h.from, h.from + h.columns * h.step, Math.max(2, Math.floor((f.width - LEFT) / LABEL_PX)), zone.value);
  for (const m of marks) {
    const x = f.x((m.at - h.from) / h.step);
    const half = c.measureText(m.label).width / 2;
    c.textAlign = 'left';
    c.fillText(m.label, Math.max(LEFT, Math.min(f.width - 2 * half - 2, x - half)), HEIGHT - 7);
    c.fillRect(Math.round(x), HEIGHT - BOTTOM, 1, 4);
  }
}

const rectOf = (f: Frame, m: Cells): [number, number, number, number] => {
  const [x, y] = [f.x(m.c0), f.y(m.r1 + 1)];
  return [x, y, Math.max(2, f.x(m.c1 + 1) - x), Math.max(2, f.y(m.r0) - y)];
};

function frame(c: CanvasRenderingContext2D, f: Frame, m: Cells, ink: string, dash: number[]): void {
  c.setLineDash(dash);
  c.strokeStyle = ink;
  c.lineWidth = 1.5;
  c.strokeRect(...rectOf(f, m));
  c.setLineDash([]);
}

function outline(c: CanvasRenderingContext2D, f: Frame, m: Cells, ink: string, wash: string): void {
  c.globalAlpha = 0.14;
  c.fillStyle = wash;
  c.fillRect(...rectOf(f, m));
  c.globalAlpha = 1;
  frame(c, f, m, ink, []);
}

const at = (ms: number, step: number): string => timeOfDay(BigInt(Math.round(ms)) * 1_000_000n, zone.value, step < 1000 ? 3 : 0);

export function boxText(b: Box, step: number): string {
  const long = b.to - b.from > 86400e3;
  const time = (ms: number): string => (long ? dateTime(BigInt(ms) * 1_000_000n, zone.value, 0) : at(ms, step));
  return `${time(b.from)} – ${time(b.to)} · ${duration(b.min)} – ${duration(b.max)}`;
}

interface Props {
  heat: Heat;
  selected: Box | null;
  onSelect: (b: Box | null, explain?: boolean) => void;
  deploys?: readonly Rollout[];
}

export function Heatmap({ heat: h, selected, onSelect, deploys = [] }: Props): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const outer = useRef<HTMLDivElement>(null);
  const width = useWidth(outer);
  const cursor = useSignal<{ c: number; r: number } | null>(null); // under the pointer, or moved by keys
  const anchor = useSignal<{ c: number; r: number } | null>(null); // while a box is being made
  const said = useSignal('');
  const f = frameOf(h, width);
  const span = anchor.value && cursor.value ? cellsBetween(h, anchor.value.c, anchor.value.r, cursor.value.c, cursor.value.r) : null;
  const marked = span ?? (selected && cellsOf(h, selected));
  const one = cursor.value && !anchor.value ? cellsBetween(h, cursor.value.c, cursor.value.r, cursor.value.c, cursor.value.r) : null;
  const told = span ?? one;
  const readout = told ? `${boxText(boxOf(h, told), h.step)} · ${plural(countIn(h, told), 'span')}` : '';
  useEffect(() => {
    if (width) draw(canvas.current!, h, f, marked, one);
  }, [h, width, marked?.c0, marked?.c1, marked?.r0, marked?.r1, one?.c0, one?.r0, isDark.value, zone.value]);

  const cellAt = (e: PointerEvent): { c: number; r: number } => {
    const b = canvas.current!.getBoundingClientRect();
    const c = Math.floor(((e.clientX - b.left - LEFT) / Math.max(1, b.width - LEFT - RIGHT)) * h.columns);
    const r = Math.floor(((b.bottom - BOTTOM - e.clientY) / (HEIGHT - TOP - BOTTOM)) * h.highs.length);
    const k = cellsBetween(h, c, r, c, r);
    return { c: k.c0, r: k.r0 };
  };
  const finish = (explain = false): void => {
    const cells = span ?? one;
    anchor.value = null;
    if (cells) onSelect(boxOf(h, cells), explain);
  };
  const onKeyDown = (e: KeyboardEvent): void => {
    const step = ({ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1], PageUp: [0, 4], PageDown: [0, -4], Home: [-1e9, 0], End: [1e9, 0] } as Record<string, [number, number]>)[e.key];
    if (step) {
      const from = cursor.value ?? startOf(h, marked);
      const to = cellsBetween(h, from.c + step[0], from.r + step[1], from.c + step[0], from.r + step[1]);
      if (e.shiftKey) anchor.value ??= from;
      else anchor.value = null;
      cursor.value = { c: to.c0, r: to.r0 };
      said.value = '';
      requestAnimationFrame(() => (said.value = outer.current?.parentElement?.querySelector('.heat-read')?.textContent ?? ''));
    } else if ((e.key === 'Enter' || e.key === ' ') && (span || one)) finish(e.key === 'Enter');
    else if (e.key === 'Enter' && selected) onSelect(selected, true);
    else if (e.key === 'Escape') {
      anchor.value = null;
      cursor.value = null;
      if (!span) onSelect(null);
    } else return;
    e.preventDefault();
    e.stopPropagation();
  };
  const to = h.from + h.columns * h.step;
  return (
    <>
      {width > 0 && <MarkerRow rollouts={deploys} from={h.from} to={to} x={(ms) => f.x((ms - h.from) / h.step)} tall={HEIGHT - BOTTOM} />}
      <div class="heat" ref={outer} tabIndex={0} role="application" aria-roledescription="heatmap" aria-describedby="heat-how"
        aria-label={`Durations of ${plural(h.total, 'span')} over time`} onKeyDown={onKeyDown} onBlur={() => ((cursor.value = null), (anchor.value = null))}>
        <canvas ref={canvas} aria-hidden="true" style={{ height: `${HEIGHT}px` }}
          onPointerDown={(e) => {
            if (e.button !== 0) return;
            e.currentTarget.setPointerCapture(e.pointerId);
            anchor.value = cursor.value = cellAt(e);
          }}
          onPointerMove={(e) => (cursor.value = cellAt(e))}
          onPointerUp={() => anchor.value && finish()}
          onPointerCancel={() => (anchor.value = null)}
          onPointerLeave={() => anchor.value || (cursor.value = null)} />
      </div>
      <p class="heat-foot small muted">
        <span class="heat-read">{readout || <span id="heat-how">Drag to select spans by time and duration. By keyboard: arrows move, Shift with arrows selects, Enter explains, Esc clears. Spans below 2 ns are left out.</span>}</span>
        {readout && <span id="heat-how" hidden>Arrows move, Shift with arrows selects, Enter explains, Esc clears.</span>}
        <span class="heat-scale" aria-hidden="true">1 <i /> {count(h.most)}</span>
      </p>
      <span class="offscreen" role="status">{said.value}</span>
    </>
  );
}

// Where the keyboard begins: at the selection, else at the fullest cell.
function startOf(h: Heat, marked: Cells | null): { c: number; r: number } {
  if (marked) return { c: marked.c0, r: marked.r1 };
  const i = Math.max(0, h.cells.indexOf(h.most));
  return { c: i % h.columns, r: Math.floor(i / h.columns) };
}

// The same numbers in words: a row for each length, long ones first; intervals without spans are left out.
export function HeatTable({ heat: h }: { heat: Heat }): JSX.Element {
  const columns = Array.from({ length: h.columns }, (_, c) => c).filter((c) => h.highs.some((_, r) => h.cells[r * h.columns + c]));
  const rows = h.highs.map((_, r) => r).reverse();
  return (
    <Scroll label="Spans by time and duration">
      <table class="grid heat-table" data-k="heat-table">
        <thead><tr><th scope="col">Duration</th>{columns.map((c) => <th key={c} scope="col" class="n">{at(h.from + c * h.step, h.step)}</th>)}</tr></thead>
        <tbody>
          {rows.map((r) => (
            <tr key={r}>
              <th scope="row">{duration(h.lows[r]!)} – {duration(h.highs[r]!)}</th>
              {columns.map((c) => <td key={c} class="n">{count(h.cells[r * h.columns + c]!)}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}
