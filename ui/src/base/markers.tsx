// SPDX-License-Identifier: Apache-2.0
// Deploys on a time axis: a row of marks above any picture that has time along, each a link to its
// rollout. Marks that would lie on one another are one mark with a count, which opens the list.
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { getJson } from './api';
import { deployPath, isBad, momentOf, shortName, when, type Rollout } from './delivery';
import { plural, visible } from './format';
import { resource, type Resource } from './resource';
import { useSignal } from '@preact/signals';

const MARKERS_MAX = 100; // deploys asked for: the newest of the range
const APART_PX = 22;

interface Marker {
  at: number; // ms since 1970
  deploys: Rollout[]; // the newest first
}

// The range asked for is a little wider than the one shown, in round steps, so that a picture that
// follows the clock does not ask each time.
export function markersPath(from: number, to: number, service = ''): string | null {
  if (!(to > from)) return null;
  const step = Math.max(10, 10 ** Math.floor(Math.log10((to - from) / 1000 / 10)));
  const q = new URLSearchParams({
    from: String(Math.max(1, Math.floor(from / 1000 / step) * step)),
    to: String(Math.ceil(to / 1000 / step) * step),
    limit: String(MARKERS_MAX),
  });
  if (service) q.set('service', service);
  return `api/takt/delivery/deploys?${q}`;
}

// Marks at px positions at least APART_PX from each other. x: of a moment, in px.
export function clustered(rollouts: readonly Rollout[], from: number, to: number, x: (ms: number) => number): Marker[] {
  const inside = rollouts.map((r) => ({ r, at: momentOf(r) })).filter(({ at }) => at >= from && at <= to).sort((a, b) => a.at - b.at);
  const out: Marker[] = [];
  for (const { r, at } of inside) {
    const last = out[out.length - 1];
    if (last && x(at) - x(last.at) < APART_PX) last.deploys.unshift(r);
    else out.push({ at, deploys: [r] });
  }
  return out;
}

const nameOf = (r: Rollout): string => `${visible(r.service, 60)} ${shortName(r)}${isBad(r) ? ', failed' : r.kind === 'rollback' ? ', a rollback' : ''}`;

export function labelOf(m: Marker): string {
  const one = m.deploys[0]!;
  if (m.deploys.length === 1) return `Deploy of ${nameOf(one)}, ${when(one.finished ?? one.started)}`;
  const rest = m.deploys.length - 4;
  return `${plural(m.deploys.length, 'deploy')}: ${m.deploys.slice(0, 4).map(nameOf).join('; ')}${rest > 0 ? `; ${rest} more` : ''}`;
}

export function hrefOf(m: Marker): string {
  if (m.deploys.length === 1) return deployPath(m.deploys[0]!.id);
  const times = m.deploys.map(momentOf);
  return `delivery?${new URLSearchParams({ from: String(Math.floor(Math.min(...times) / 1000)), to: String(Math.ceil(Math.max(...times) / 1000) + 1) })}`;
}

export const kindOf = (m: Marker): string => (m.deploys.some(isBad) ? 'failed' : m.deploys.every((r) => r.kind === 'rollback') ? 'back' : 'good');

// The deploys of a range; empty until they are known, and when there is nobody to ask.
export function useDeploys(from: number, to: number, service = ''): readonly Rollout[] {
  const own = useSignal<Resource<{ rollouts: Rollout[] }> | null>(null);
  own.value ??= resource();
  const path = markersPath(from, to, service);
  useEffect(() => {
    if (path) void own.peek()!.load((stop) => getJson(path, stop));
  }, [path]);
  useEffect(() => () => own.peek()!.stop(), []);
  return own.value.state.value.data?.rollouts ?? [];
}

interface Props {
  rollouts: readonly Rollout[];
  from: number; // ms
  to: number;
  x: (ms: number) => number; // px from the left side of the row
  tall: number; // px: how far down the lines of the marks go
}

export function MarkerRow({ rollouts, from, to, x, tall }: Props): JSX.Element | null {
  const marks = clustered(rollouts, from, to, x);
  if (!marks.length) return null;
  const all = rollouts.length >= MARKERS_MAX ? `The newest ${MARKERS_MAX} deploys` : 'Deploys';
  return (
    <ul class="markers" aria-label={`${all} in this time`} data-k="markers" style={{ '--tall': `${tall}px` }}>
      {marks.map((m) => (
        <li key={m.at} style={{ left: `${x(m.at).toFixed(1)}px` }}>
          <a class={`marker ${kindOf(m)}`} href={hrefOf(m)} aria-label={labelOf(m)} title={labelOf(m)}>
            <span aria-hidden="true">{kindOf(m) === 'failed' ? '✖' : '▲'}{m.deploys.length > 1 ? m.deploys.length : ''}</span>
          </a>
        </li>
      ))}
    </ul>
  );
}
