// SPDX-License-Identifier: Apache-2.0
// The latency of a version against the one before: what share of the requests took how long, as two outlines
// over a logarithmic time, or as a table.
import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';
import { digits } from '../base/delivery';
import { plural, visible } from '../base/format';
import { Icon, Scroll } from '../base/parts';
import { duration } from '../base/time';
import { useWidth } from '../base/width';
import type { Latency, LatencySide } from '../search/latency';

const TALL = 120;
const BELOW = 20;
const time = (s: number | null): string => (s === null ? '–' : duration(s * 1e9));
const nameOf = (s: LatencySide): string => (s.name ? visible(s.name, 60) : 'other versions');

// All buckets from the least to the most that either has, those between among them.
export function edgesOf(d: Latency): number[] {
  const known = [...d.old.counts.keys(), ...d.new.counts.keys()];
  if (!known.length) return [];
  const [lo, hi] = [Math.min(...known), Math.max(...known)];
  return Array.from({ length: Math.round(Math.log2(hi / lo)) + 1 }, (_, i) => lo * 2 ** i);
}

const shareOf = (s: LatencySide, edge: number): number => (s.requests ? (s.counts.get(edge) ?? 0) / s.requests : 0);

function Picture({ d, edges }: { d: Latency; edges: readonly number[] }): JSX.Element {
  const outer = useRef<HTMLDivElement>(null);
  const width = useWidth(outer);
  const most = Math.max(...edges.flatMap((e) => [shareOf(d.old, e), shareOf(d.new, e)]));
  const wide = width / edges.length;
  const outline = (s: LatencySide): string => `M0 ${TALL}` + edges.map((e, i) => `V${(TALL - (shareOf(s, e) / most) * (TALL - 6)).toFixed(1)}H${((i + 1) * wide).toFixed(1)}`).join('') + `V${TALL}`;
  const every = Math.max(1, Math.ceil(64 / Math.max(1, wide)));
  return (
    <div ref={outer} class="latency">
      <svg width={Math.max(1, width)} height={TALL + BELOW} role="img" aria-label={`Shares of requests by latency, of ${nameOf(d.old)} and ${nameOf(d.new)}; as a table by the button`}>
        {d.new.requests > 0 && <path class="new" d={outline(d.new)} />}
        {d.old.requests > 0 && <path class="old" d={outline(d.old)} />}
        <line class="axis" x1="0" x2={width} y1={TALL} y2={TALL} />
        {edges.map((e, i) => {
          const end = i === edges.length - 1;
          return end || (i % every === every - 1 && (edges.length - 1 - i) * wide > 64) ? <text key={e} class={end ? 'end' : ''} x={(i + 1) * wide} y={TALL + 15}>{time(e)}</text> : null;
        })}
      </svg>
    </div>
  );
}

function Table({ d, edges }: { d: Latency; edges: readonly number[] }): JSX.Element {
  const cell = (s: LatencySide, e: number): JSX.Element => <td class="n">{s.counts.get(e) ? `${digits(100 * shareOf(s, e))} % (${s.counts.get(e)})` : '–'}</td>;
  return (
    <Scroll label="Requests by latency">
      <table class="grid" data-k="latency-table">
        <thead><tr><th scope="col">Up to</th><th scope="col" class="n"><bdi>{nameOf(d.old)}</bdi></th><th scope="col" class="n"><bdi>{nameOf(d.new)}</bdi></th></tr></thead>
        <tbody>{edges.map((e) => <tr key={e}><th scope="row">{time(e)}</th>{cell(d.old, e)}{cell(d.new, e)}</tr>)}</tbody>
      </table>
    </Scroll>
  );
}

export function LatencyCard({ data: d, table, toggle }: { data: Latency; table: boolean; toggle: () => void }): JSX.Element {
  const edges = edgesOf(d);
  const side = (word: string, s: LatencySide, k: string): JSX.Element => (
    <li><svg class="latency key" width="22" height="12" aria-hidden="true"><path class={k} d="M1 11V3H21V11" /></svg> {word} <b><bdi>{nameOf(s)}</bdi></b>: {s.requests ? <>{s.name ? `p50 ${time(s.p50)}, p99 ${time(s.p99)}, ` : ''}{plural(s.requests, 'request')}</> : 'no request, so nothing can be said'}</li>
  );
  return (
    <section class="card" aria-labelledby="latency-title" data-k="latency">
      <header class="card-head"><h2 id="latency-title">Latency, before and after</h2>{edges.length > 0 && <button type="button" class="quiet" aria-pressed={table} onClick={toggle}>As table</button>}</header>
      <p class="muted small">Requests into the service, of both versions in the same hours: from an hour before to two hours after.</p>
      <ul class="plain">{side('before', d.old, 'old')}{side('after', d.new, 'new')}</ul>
      {d.partial && <p class="note warn"><Icon name="warn" /><span>Not all was counted: {visible(d.partial, 200)}</span></p>}
      {edges.length > 0 && (table ? <Table d={d} edges={edges} /> : <Picture d={d} edges={edges} />)}
    </section>
  );
}
