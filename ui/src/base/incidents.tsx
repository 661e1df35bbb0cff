// SPDX-License-Identifier: Apache-2.0
// Incidents as the server lists them, and their table: on the page of delivery and on the first page.
import type { ComponentChildren, JSX } from 'preact';
import { because, between, deployPath, shortName, when } from './delivery';
import { count, plural, quote, visible } from './format';
import { Icon, Scroll } from './parts';
import { duration } from './time';

export interface Incident {
  key: string;
  title?: string;
  service?: string;
  environment?: string;
  severity?: number; // 1 is the worst
  state?: string;
  began?: string; // as told, else when it was noticed
  impact?: string; // when it hurt first, as the measures have it
  impact_says?: string; // how that is known
  detected?: string;
  recovered?: string; // absent: it is open
  paused?: string;
  url?: string;
  cause?: { rollout: string; rule: string; rank: number; decides?: boolean; confirmed?: boolean; neighbour?: boolean; says?: string; service: string; version?: string; sha?: string; digest?: string; candidates: number };
  flag?: { name?: string; says?: string };
}
export interface Incidents {
  incidents: Incident[]; // the open ones first, the worst of them on top
  all: number;
  open: number;
  duplicates: number; // of others, not listed
  to: string;
}

const MINUTE = 60_000_000_000n;

export const safe = (url: string | undefined): string | undefined => (url && /^https?:\/\//i.test(url) ? url : undefined);

// To a page elsewhere; what is no address of one is only text.
export function Out({ url, children }: { url: string | undefined; children: ComponentChildren }): JSX.Element {
  const to = safe(url);
  return to ? <a href={to} target="_blank" rel="noreferrer noopener">{children}</a> : <>{children}</>;
}

export const startOf = (i: Incident): string | undefined => i.impact ?? i.began;

// The traces of the service from five minutes before it began to its end; the whole of its time, when it is open.
export function tracesOf(i: Incident, now: string, errors: boolean): string | null {
  const from = startOf(i);
  if (!from || !i.service) return null;
  const q = `{ resource.service.name = ${quote(i.service)}${errors ? ' && status = error' : ''} }`;
  return `traces?${new URLSearchParams({ q, range: 'between', start: String(BigInt(from) - 5n * MINUTE), end: i.recovered ?? now })}`;
}

// How long users were hurt: what lay between a wrong end and the reopening is not counted. Of an open one in
// whole minutes.
export function lengthOf(i: Incident, now: string): string {
  const from = startOf(i);
  if (!from) return '';
  const ns = BigInt(i.recovered ?? now) - BigInt(from) - BigInt(i.paused ?? '0');
  if (ns < 0n) return '';
  return i.recovered ? duration(Number(ns)) : ns < MINUTE ? '< 1 min' : duration(Number((ns / MINUTE) * MINUTE));
}

// How many of each severity, the worst first; what nobody told last.
export function bySeverity(list: readonly Incident[]): { severity: number | null; n: number }[] {
  const of = (i: Incident): number => i.severity ?? Infinity;
  return [...new Set(list.map(of))].sort((a, b) => a - b).map((s) => ({ severity: s === Infinity ? null : s, n: list.filter((i) => of(i) === s).length }));
}
export const severityText = (s: number | null): string => (s === null ? 'no severity told' : `severity ${s}`);

function Cause({ i }: { i: Incident }): JSX.Element {
  const c = i.cause;
  if (!c) return i.flag ? <>flag <b><bdi>{visible(i.flag.name ?? '', 60)}</bdi></b> <span class="muted">{visible(i.flag.says ?? '', 120)}</span></> : <span class="muted">no rollout is linked</span>;
  const more = c.candidates - 1;
  return (
    <>
      <a href={deployPath(c.rollout)}>{c.service !== i.service && <><bdi>{visible(c.service, 60)}</bdi> </>}<bdi>{shortName(c) || c.rollout.slice(0, 8)}</bdi></a>{' '}
      <span class="tag" title={visible(c.says ?? '', 240)}>rank {c.rank}: {because[c.rule] ?? c.rule}</span>{' '}
      {c.neighbour && <><span class="tag">of a neighbour</span>{' '}</>}
      {c.confirmed ? <span class="tag">confirmed by a person</span> : !c.decides && <span class="tag">a candidate only</span>}
      {more > 0 && <span class="muted small"> {plural(more, 'more candidate')}</span>}
    </>
  );
}

function Row({ i, now }: { i: Incident; now: string }): JSX.Element {
  const [all, bad] = [tracesOf(i, now, false), tracesOf(i, now, true)];
  const from = startOf(i);
  return (
    <tr data-k={`incident ${i.key}`}>
      <th scope="row" class="wrap"><Out url={i.url}><bdi>{visible(i.title || i.key, 120)}</bdi></Out></th>
      <td class={i.recovered ? '' : 'nowrap bad'}>{i.recovered ? 'over' : <><Icon name="error" /> open</>}{i.state === 'acknowledged' && !i.recovered && ', acknowledged'}</td>
      <td class="n">{i.severity ?? <span class="muted">–</span>}</td>
      <td><bdi>{visible(i.service ?? '', 60) || '–'}</bdi>{i.environment && <span class="muted"> <bdi>{visible(i.environment, 40)}</bdi></span>}</td>
      <td class="nowrap" title={i.impact_says}>{when(from)}</td>
      <td class="n nowrap">{i.detected && from && BigInt(i.detected) >= BigInt(from) ? `after ${between(from, i.detected)}` : <span class="muted">–</span>}</td>
      <td class="nowrap">{i.recovered ? when(i.recovered) : <span class="muted">not yet</span>}</td>
      <td class="n nowrap">{lengthOf(i, now)}</td>
      <td><Cause i={i} /></td>
      <td class="nowrap">{all && bad ? <><a href={all}>all</a> · <a href={bad}>errors</a></> : <span class="muted">–</span>}</td>
    </tr>
  );
}

export function IncidentTable({ list, now, label }: { list: readonly Incident[]; now: string; label: string }): JSX.Element {
  return (
    <Scroll label={label}>
      <table class="grid incidents">
        <thead><tr><th>Incident</th><th>State</th><th class="n">Severity</th><th>Service</th><th>Began</th><th class="n">Detected</th><th>Recovered</th><th class="n">Lasted</th><th>Cause and evidence</th><th>Traces</th></tr></thead>
        <tbody>{list.map((i) => <Row key={i.key} i={i} now={now} />)}</tbody>
      </table>
    </Scroll>
  );
}

// "3 incidents, 1 of them open"
export const titleOf = (d: Incidents): string => (d.all ? `${plural(d.all, 'incident')}${d.open ? `, ${d.open === d.all ? '' : `${count(d.open)} of them `}open` : ''}` : 'No incident');

export function shownOf(d: Incidents, shown: number): string {
  return [shown < d.all && `${count(shown)} of ${count(d.all)} are shown`, d.duplicates > 0 && `${plural(d.duplicates, 'duplicate')} of others left out`].filter(Boolean).join(' · ');
}
