// SPDX-License-Identifier: Apache-2.0
// Rollouts over the time of the window by their lead time, which is drawn on a logarithmic scale; those of which
// it is not known lie below it. The table below is its twin; a time chosen here leaves only its rows there.
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';
import { isBad, leadOf, momentOf, shortName, when, type Rollout } from '../base/delivery';
import { plural, visible } from '../base/format';
import { zone } from '../base/prefs';
import { dateOf, duration } from '../base/time';
import { useWidth } from '../base/width';

interface Dot {
  r: Rollout;
  x: number; // 0 to 1, of the window
  y: number | null; // 0 (short) to 1; null: no lead time is known
  kind: 'failed' | 'back' | 'good';
}

const TICKS: [number, string][] = [[60, '1 min'], [600, '10 min'], [3600, '1 h'], [21_600, '6 h'], [86_400, '1 d'], [604_800, '1 week'], [2_592_000, '30 d'], [31_536_000, '1 year']];

const secondsOf = (r: Rollout): number => momentOf(r) / 1000;
const kindOf = (r: Rollout): Dot['kind'] => (isBad(r) ? 'failed' : r.kind === 'rollback' ? 'back' : 'good');

// By time. from, to: seconds.
export function dotsOf(rollouts: readonly Rollout[], from: number, to: number): { dots: Dot[]; ticks: { y: number; text: string }[] } {
  const leads = rollouts.flatMap((r) => leadOf(r) ?? []).map((ns) => Math.max(1, ns / 1e9));
  const [lo, hi] = [Math.log(Math.min(...leads) / 1.5), Math.log(Math.max(...leads) * 1.5)];
  const y = (s: number): number => (Math.log(Math.max(1, s)) - lo) / (hi - lo);
  const dots = rollouts.map((r): Dot => {
    const ns = leadOf(r);
    return { r, x: (secondsOf(r) - from) / (to - from), y: ns === undefined ? null : y(ns / 1e9), kind: kindOf(r) };
  }).sort((a, b) => a.x - b.x);
  const ticks = leads.length ? TICKS.map(([s, text]) => ({ y: y(s), text })).filter((t) => t.y > 0.02 && t.y < 0.98) : [];
  return { dots, ticks };
}

export const within = (rollouts: readonly Rollout[], span: readonly [number, number] | null): readonly Rollout[] =>
  span ? rollouts.filter((r) => secondsOf(r) >= span[0] && secondsOf(r) <= span[1]) : rollouts;

const ENDS = { failed: ', failed', back: ', a rollback', good: '' };
function dotText(r: Rollout): string {
  const ns = leadOf(r);
  return `${visible(r.service, 60)} ${shortName(r)}, ${when(r.finished ?? r.started)}, ${ns === undefined ? 'no lead time is known' : `lead time ${duration(ns)}`}${ENDS[kindOf(r)]}`;
}

const dayOf = (seconds: number): string => dateOf(BigInt(Math.floor(seconds)) * 1_000_000_000n, zone.value);

const LEFT = 56;
const TALL_MAX = 190;
const LANE = 26; // of those without a lead time
const TOP = 8;

function Mark({ kind, x, y }: { kind: Dot['kind']; x: number; y: number }): JSX.Element {
  if (kind === 'failed') return <path class="failed" d={`M${x - 4} ${y - 4}l8 8m0 -8l-8 8`} />;
  if (kind === 'back') return <path class="back" d={`M${x + 4} ${y - 4}l-7 4l7 4z`} />;
  return <circle class="good" cx={x} cy={y} r="3.5" />;
}

interface Props {
  rollouts: readonly Rollout[]; // at least one
  from: number; // seconds
  to: number;
  chosen: readonly [number, number] | null; // seconds
  choose: (span: readonly [number, number] | null) => void;
  open: (r: Rollout) => void;
}

export function Scatter({ rollouts, from, to, chosen, choose, open }: Props): JSX.Element {
  const outer = useRef<HTMLDivElement>(null);
  const width = useWidth(outer);
  const cursor = useSignal<number | null>(null);
  const anchor = useSignal<number | null>(null);
  const drag = useSignal<readonly [number, number] | null>(null); // shares of the window
  const said = useSignal('');
  const { dots, ticks } = dotsOf(rollouts, from, to);
  const tall = dots.some((d) => d.y !== null) ? TALL_MAX : 0;
  const room = Math.max(1, width - LEFT - 10);
  const px = (x: number): number => LEFT + x * room;
  const py = (y: number | null): number => (y === null ? TOP + tall + LANE / 2 + 4 : TOP + (1 - y) * tall);
  const secondsAt = (x: number): number => from + x * (to - from);
  const shareAt = (e: PointerEvent): number => Math.min(1, Math.max(0, (e.clientX - outer.current!.getBoundingClientRect().left - LEFT) / room));
  const take = (a: number, b: number): void => choose([Math.floor(secondsAt(Math.min(a, b))), Math.ceil(secondsAt(Math.max(a, b)))]);

  const step = (to: number, extend: boolean): void => {
    const i = Math.min(dots.length - 1, Math.max(0, to));
    if (!extend) anchor.value = null;
    else anchor.value ??= cursor.value ?? i;
    cursor.value = i;
    said.value = dotText(dots[i]!.r);
    if (extend) take(dots[anchor.value!]!.x, dots[i]!.x);
  };
  const onKeyDown = (e: KeyboardEvent): void => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const now = cursor.value;
    const where: Record<string, number> = { ArrowRight: now === null ? 0 : now + 1, ArrowLeft: now === null ? dots.length - 1 : now - 1, Home: 0, End: dots.length - 1 };
    if (e.key in where) step(where[e.key]!, e.shiftKey);
    else if (e.key === 'Enter' && now !== null) open(dots[now]!.r);
    else if (e.key === 'Escape') {
      anchor.value = null;
      choose(null);
    } else return;
    e.preventDefault();
  };
  const onPointerDown = (e: PointerEvent): void => {
    if (e.button !== 0) return;
    outer.current!.setPointerCapture(e.pointerId);
    drag.value = [shareAt(e), shareAt(e)];
  };
  const onPointerUp = (): void => {
    const d = drag.value;
    drag.value = null;
    if (d && Math.abs(d[1] - d[0]) * room > 4) take(d[0], d[1]);
  };
  const box = drag.value ?? (chosen && ([(chosen[0] - from) / (to - from), (chosen[1] - from) / (to - from)] as const));
  const [left, right] = box ? [Math.min(...box), Math.max(...box)].map((x) => Math.min(1, Math.max(0, x))) as [number, number] : [0, 0];
  const at = cursor.value === null ? null : dots[Math.min(cursor.value, dots.length - 1)];
  return (
    <div>
      <div class="scatter" ref={outer} tabIndex={0} role="application" aria-roledescription="scatter plot" aria-describedby="scatter-how" data-k="scatter"
        aria-label={`Lead times of ${plural(dots.length, 'rollout')} over time, ${plural(dots.filter((d) => d.kind === 'failed').length, 'failure')}`}
        onKeyDown={onKeyDown} onBlur={() => ((cursor.value = null), (anchor.value = null), (said.value = ''))}
        onPointerDown={onPointerDown} onPointerMove={(e) => drag.value && (drag.value = [drag.value[0], shareAt(e)])} onPointerUp={onPointerUp} onPointerCancel={() => (drag.value = null)}>
        <svg width={Math.max(1, width)} height={TOP + tall + LANE + 6} aria-hidden="true">
          {ticks.map((t) => <g key={t.text}><line class="axis" x1={LEFT} x2={px(1)} y1={py(t.y)} y2={py(t.y)} /><text x={LEFT - 8} y={py(t.y) + 4}>{t.text}</text></g>)}
          <line class="axis" x1={LEFT} x2={px(1)} y1={TOP + tall + 4} y2={TOP + tall + 4} />
          {dots.some((d) => d.y === null) && <text x={LEFT - 8} y={py(null) + 4}>no lead</text>}
          {box && <rect class="chosen" x={px(left)} width={Math.max(2, (right - left) * room)} y={TOP - 6} height={tall + LANE + 8} />}
          {dots.map((d) => <Mark key={d.r.id} kind={d.kind} x={px(d.x)} y={py(d.y)} />)}
          {at && <circle class="cursor" cx={px(at.x)} cy={py(at.y)} r="8" />}
        </svg>
      </div>
      <p class="muted small scatter-ends" aria-hidden="true"><span>{dayOf(from)}</span><span>{dayOf(to)}</span></p>
      <p class="muted small" id="scatter-how"><span class="good">●</span> no failure known <span class="failed">✖</span> failed <span class="back">◀</span> a rollback. Height is the lead time. Drag, or Shift and the arrows, choose a time; arrows go from one to the next, Enter opens it, Esc clears.</p>
      {!tall && <p class="muted small" data-k="no-lead">Of none of them a lead time is known: that needs their commits, by takt import git PATH or the pushes of GitHub and GitLab.</p>}
      <p class="small" role="status">{said.value}</p>
    </div>
  );
}
