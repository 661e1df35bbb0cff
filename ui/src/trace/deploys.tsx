// SPDX-License-Identifier: Apache-2.0
// What is known of deploys around a trace: which rollout brought the version of a span, and the
// rollouts that ended while the trace ran, on its time axis.
import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { getJson, type KeyValue } from '../base/api';
import { deployPath, type Rollout } from '../base/delivery';
import { visible } from '../base/format';
import { MarkerRow, useDeploys } from '../base/markers';
import { duration } from '../base/time';
import { useWidth } from '../base/width';
import { valueText } from './values';
import type { TraceView } from './view';

const SHORT_NS = 1e9; // no rollout is looked for within a trace that is shorter
const ROWS = 200;

// Rollouts of a service before a moment, by the path that asks for them.
const asked = signal<ReadonlyMap<string, readonly Rollout[]>>(new Map());

async function ask(path: string): Promise<void> {
  if (asked.peek().has(path)) return;
  asked.value = new Map([...asked.peek(), [path, []]]);
  try {
    const { rollouts } = await getJson<{ rollouts: Rollout[] }>(path);
    asked.value = new Map([...asked.peek(), [path, rollouts]]);
  } catch {
    // Then there is no link; the version is shown all the same.
  }
}

// The newest rollout of a version that had begun by then.
export function rolloutOf(list: readonly Rollout[], version: string, at: bigint): Rollout | null {
  return list.find((r) => (r.version === version || r.sha === version || r.digest === version) && BigInt(r.started ?? r.finished ?? '0') <= at) ?? null;
}

const attribute = (list: KeyValue[] | undefined, key: string): string => valueText(list?.find((a) => a.key === key)?.value);

export function DeployOf({ resource, at }: { resource: KeyValue[] | undefined; at: bigint }): JSX.Element | null {
  const [service, version] = [attribute(resource, 'service.name'), attribute(resource, 'service.version')];
  const hour = (at / 3_600_000_000_000n + 1n) * 3600n; // asked once for all spans of an hour
  const path = service && version ? `api/takt/delivery/deploys?${new URLSearchParams({ service, to: String(hour), window: '90d', limit: String(ROWS) })}` : '';
  useEffect(() => {
    if (path) void ask(path);
  }, [path]);
  const r = path ? rolloutOf(asked.value.get(path) ?? [], version, at) : null;
  if (!r) return null;
  const before = Number(at - BigInt(r.finished ?? r.started ?? String(at)));
  return (
    <p class="small" data-k="deploy-of">
      <a href={deployPath(r.id)}><span aria-hidden="true">▲ </span>Deploy of <bdi>{visible(version, 60)}</bdi></a>{' '}
      <span class="muted">{before >= 0 && r.finished ? `${duration(before)} before this span` : 'under way at this span'}</span>
    </p>
  );
}

// Over the head of the waterfall.
export function TraceMarkers({ view }: { view: TraceView }): JSX.Element {
  const outer = useRef<HTMLDivElement>(null);
  const width = useWidth(outer);
  const ms = (ns: number): number => Number(view.s.base / 1_000_000n) + ns / 1e6;
  const long = view.s.length >= SHORT_NS;
  const deploys = useDeploys(long ? ms(0) : 0, long ? ms(view.s.length) : 0);
  const [from, to] = view.zoom.value;
  void view.foldGaps.value;
  const axis = view.axis(Math.max(1, width));
  return (
    <div class="wf-marks" ref={outer}>
      {width > 0 && deploys.length > 0 && <MarkerRow rollouts={deploys} from={ms(from)} to={ms(to)} x={(at) => axis.x((at - ms(0)) * 1e6)} tall={0} />}
    </div>
  );
}
