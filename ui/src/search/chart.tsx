// SPDX-License-Identifier: Apache-2.0
// Lines of a metrics query: a picture with a readout for pointer and keyboard, a legend, marks that
// open a trace each, and the same numbers as a table.
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';
import { palette } from '../base/colour';
import type { Rollout } from '../base/delivery';
import { count, plural, visible } from '../base/format';
import { MarkerRow } from '../base/markers';
import { Icon, Scroll } from '../base/parts';
import { zone } from '../base/prefs';
import { go } from '../base/router';
import { dateTime, duration, zoneName } from '../base/time';
import { useWidth } from '../base/width';
import { SECONDS, type Lines, type Point } from './lines';
import { figure, timeMarks, valueMarks } from './scale';

const HEIGHT = 260;
const LEFT = 62;
const RIGHT = 10;
const TOP = 10;
const BOTTOM = 24;
const HIT_PX = 12;
const DASHES = ['', '6 3', '2 3'];

// Durations as durations, else the number with its unit.
const say = (v: number, unit: string): string => (unit === SECONDS ? duration(v * 1e9) : figure(v) + unit);

const colour = (i: number): string => `var(--c${i % palette.length})`;
const dash = (i: number): string => DASHES[Math.floor(i / palette.length) % DASHES.length]!;
const stamp = (ms: number): string => dateTime(BigInt(Math.round(ms)) * 1_000_000n, zone.value, ms % 1000 ? 3 : 0);

// A path with holes where there is no value; a lonely point is a small ring.
function pathOf(values: Float64Array, x: (i: number) => number, y: (v: number) => number): string {
  let d = '';
  let on = false;
  values.forEach((v, i) => {
    if (!Number.isFinite(v)) return void (on = false);
    const lonely = !on && !Number.isFinite(values[i + 1] ?? NaN);
    d += `${on ? 'L' : 'M'}${x(i).toFixed(1)} ${y(v).toFixed(1)}${lonely ? 'm-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0m2 0' : ''}`;
    on = true;
  });
  return d;
}

export function Chart({ data, unit, from, to, deploys = [] }: { data: Lines; unit: string; from: number; to: number; deploys?: readonly Rollout[] }): JSX.Element {
  const outer = useRef<HTMLDivElement>(null);
  const width = useWidth(outer);
  const picked = useSignal(-1);
  const n = data.times.length;
  const marks = valueMarks(data.lo, data.hi, 5);
  const room = Math.max(1, width - LEFT - RIGHT);
  const xt = (ms: number): number => LEFT + ((ms - from) / Math.max(1, to - from)) * room;
  const x = (i: number): number => xt(data.times[i]!);
  const y = (v: number): number => TOP + (1 - (v - marks.lo) / (marks.hi - marks.lo)) * (HEIGHT - TOP - BOTTOM);
  // A mark lies at its own duration, or on its line where that counts spans.
  const yp = (p: Point): number => {
    const k = data.times.findIndex((t) => t >= p.at);
    const v = data.lines[p.line]!.values[k] ?? NaN;
    return y(unit === SECONDS || !Number.isFinite(v) ? Math.min(p.value, marks.hi) : v);
  };
  const i = picked.value >= 0 && picked.value < n ? picked.value : -1;
  const readout = i < 0 ? '' : `${stamp(data.times[i]!)}: ${data.lines.slice(0, 8).map((l) => `${visible(l.name, 60)} ${Number.isFinite(l.values[i]!) ? say(l.values[i]!, unit) : 'none'}`).join(', ')}`;

  const nearest = (e: PointerEvent): { i: number; point: (typeof data.points)[number] | null } => {
    const b = outer.current!.getBoundingClientRect();
    const [px, py] = [e.clientX - b.left, e.clientY - b.top];
    let best = 0;
    data.times.forEach((_, k) => Math.abs(x(k) - px) < Math.abs(x(best) - px) && (best = k));
    const near = data.points.map((p) => ({ p, d: Math.hypot(xt(p.at) - px, yp(p) - py) })).sort((a, b) => a.d - b.d)[0];
    return { i: n ? best : -1, point: near && near.d < HIT_PX ? near.p : null };
  };
  const onKeyDown = (e: KeyboardEvent): void => {
    const to = { ArrowRight: i + 1, ArrowUp: i + 1, ArrowLeft: i < 0 ? n - 1 : i - 1, ArrowDown: i - 1, Home: 0, End: n - 1, PageUp: i + 10, PageDown: i - 10, Escape: -1 }[e.key];
    if (to === undefined || !n) return;
    e.preventDefault();
    picked.value = e.key === 'Escape' ? -1 : Math.max(0, Math.min(n - 1, to));
  };
  return (
    <>
      {width > 0 && <MarkerRow rollouts={deploys} from={from} to={to} x={xt} tall={HEIGHT - BOTTOM} />}
      <div class="chart" ref={outer} tabIndex={0} role="slider" aria-orientation="horizontal" aria-label="Moment of the chart" aria-valuemin={0} aria-valuemax={Math.max(0, n - 1)} aria-valuenow={Math.max(0, i)}
        aria-valuetext={readout || `${plural(data.lines.length, 'line')}, ${plural(n, 'moment')}`} onKeyDown={onKeyDown} onBlur={() => (picked.value = -1)}>
        <svg width={width} height={HEIGHT} aria-hidden="true"
          onPointerMove={(e) => {
            const near = nearest(e);
            picked.value = near.i;
            e.currentTarget.style.cursor = near.point ? 'pointer' : '';
          }}
          onPointerLeave={() => (picked.value = -1)}
          onClick={(e) => {
            const { point } = nearest(e as unknown as PointerEvent);
            if (point) go(`t/${point.trace}`);
          }}>
          {marks.marks.map((v) => (
            <g key={v}>
              <line x1={LEFT} x2={width - RIGHT} y1={Math.round(y(v)) + 0.5} y2={Math.round(y(v)) + 0.5} class="chart-line" />
              <text x={LEFT - 8} y={y(v) + 4} text-anchor="end">{say(v, unit)}</text>
            </g>
          ))}
          {timeMarks(from, to, Math.max(2, Math.floor(room / 76)), zone.value).map((m) => (
            <text key={m.at} x={Math.min(width - RIGHT - 18, Math.max(LEFT + 16, xt(m.at)))} y={HEIGHT - 7} text-anchor="middle">{m.label}</text>
          ))}
          {i >= 0 && <line x1={x(i)} x2={x(i)} y1={TOP} y2={HEIGHT - BOTTOM} class="chart-cursor" />}
          {data.lines.map((l, k) => <path key={k} d={pathOf(l.values, x, y)} fill="none" stroke={colour(k)} stroke-width="1.75" stroke-dasharray={dash(k)} stroke-linejoin="round" />)}
          {i >= 0 && data.lines.map((l, k) => Number.isFinite(l.values[i]!) && <circle key={k} cx={x(i)} cy={y(l.values[i]!)} r="3.5" fill={colour(k)} class="chart-dot" />)}
          {data.points.map((p, k) => <path key={k} d={`M${xt(p.at).toFixed(1)} ${(yp(p) - 4.5).toFixed(1)}l4.5 4.5-4.5 4.5-4.5-4.5z`} fill={colour(p.line)} class="chart-point"><title>{`Trace ${p.trace}`}</title></path>)}
        </svg>
      </div>
      <p class="small muted chart-at">{i >= 0 ? `${stamp(data.times[i]!)} ${zoneName(zone.value)}` : `The values are the last ones; point at the chart, or use the arrow keys, to read others${data.points.length ? '. ◆ opens a trace' : ''}.`}</p>
      <ul class="chart-legend" aria-label="Lines">
        {data.lines.map((l, k) => {
          const v = i >= 0 ? l.values[i]! : l.last;
          return (
            <li key={k} data-k={`line ${l.name}`}>
              <svg width="22" height="8" aria-hidden="true"><line x1="0" x2="22" y1="4" y2="4" stroke={colour(k)} stroke-width="3" stroke-dasharray={dash(k)} /></svg>
              <bdi>{visible(l.name, 80)}</bdi> <b>{Number.isFinite(v) ? say(v, unit) : '–'}</b>
            </li>
          );
        })}
      </ul>
    </>
  );
}

export function ChartTable({ data, unit }: { data: Lines; unit: string }): JSX.Element {
  return (
    <>
      <Scroll label="Values by time">
        <table class="grid chart-table" data-k="chart-table">
          <thead><tr><th scope="col">Until ({zoneName(zone.value)})</th>{data.lines.map((l, k) => <th key={k} scope="col" class="n"><bdi>{visible(l.name, 60)}</bdi></th>)}</tr></thead>
          <tbody>
            {data.times.map((t, i) => (
              <tr key={t}><th scope="row">{stamp(t)}</th>{data.lines.map((l, k) => <td key={k} class="n">{Number.isFinite(l.values[i]!) ? say(l.values[i]!, unit) : '–'}</td>)}</tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {data.points.length > 0 && (
        <section>
          <h3>Traces of the marks</h3>
          <ul class="exemplars">
            {data.points.map((p, k) => (
              <li key={k}><a href={`t/${p.trace}`} class="mono">{p.trace}</a> <span>{stamp(p.at)}</span> <b>{say(p.value, unit)}</b> <bdi class="muted">{visible(data.lines[p.line]!.name, 60)}</bdi></li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

export function ChartNotes({ data }: { data: Lines }): JSX.Element {
  return (
    <>
      {data.partial && <p class="note warn" role="status"><Icon name="warn" /><span>Not all spans were counted: {visible(data.partial)}.</span></p>}
      {data.hidden > 0 && <p class="note" role="status"><span>{count(data.lines.length)} of {count(data.lines.length + data.hidden)} lines are shown, those with the highest values. Add <code>| topk(10)</code> to choose.</span></p>}
    </>
  );
}
