// SPDX-License-Identifier: Apache-2.0
// The services of the catalogue and those that only events or traces show: whose they are, who calls whom,
// and the default branch of what they ship.
import type { ComponentChildren, JSX } from 'preact';
import type { Catalogue, Listed, Need } from '../base/delivery';
import { count, plural, quote, visible } from '../base/format';
import { Out } from '../base/incidents';
import { Icon, Scroll } from '../base/parts';

const SHOWN = 200;
const NAMES = 6; // of neighbours in a cell

export interface Line {
  service: string;
  listed?: Listed;
  seen: string[];
  needs: Need[];
  neededBy: Need[];
  branches: { repository: string; branch: string }[];
}
export interface Whose {
  service: string;
  team: string;
  product: string;
  tier: number;
}

// Of the scope that is asked for, by name. What is not listed is of no team, product or tier.
export function linesOf(c: Catalogue, whose: Whose): Line[] {
  const listed = c.catalogue.services;
  const unlisted = new Map(c.unlisted.map((u) => [u.service, u.seen]));
  const traced = new Set(c.dependencies.filter((d) => d.inTraces).flatMap((d) => [d.service, d.needs]));
  return [...new Set([...Object.keys(listed), ...unlisted.keys()])]
    .sort()
    .map((service): Line => ({
      service,
      ...(listed[service] ? { listed: listed[service] } : {}),
      seen: unlisted.get(service) ?? (traced.has(service) ? ['traces'] : []),
      needs: c.dependencies.filter((d) => d.service === service),
      neededBy: c.dependencies.filter((d) => d.needs === service),
      branches: c.defaultBranches.filter((b) => b.service === service),
    }))
    .filter((l) => (!whose.service || l.service === whose.service) && (!whose.team || l.listed?.team === whose.team) && (!whose.product || l.listed?.product === whose.product) && (!whose.tier || l.listed?.tier === whose.tier));
}

const known = (d: Need): string => (d.listed && d.inTraces ? 'listed, in traces' : d.listed ? 'listed only' : 'in traces');

function Neighbours({ list, name }: { list: Need[]; name: (d: Need) => string }): JSX.Element {
  if (!list.length) return <span class="muted">–</span>;
  return (
    <>
      {list.slice(0, NAMES).map((d, i) => <>{i > 0 && ', '}<bdi>{visible(name(d), 60)}</bdi> <span class="muted small">({known(d)})</span></>)}
      {list.length > NAMES && <span class="muted"> and {count(list.length - NAMES)} more</span>}
    </>
  );
}

function Seen({ l }: { l: Line }): JSX.Element {
  const traces: ComponentChildren = <a href={`traces?${new URLSearchParams({ q: `{ resource.service.name = ${quote(l.service)} }` })}`}>traces</a>;
  const parts = [l.listed && 'the catalogue', ...l.seen.map((s) => (s === 'traces' ? traces : s))].filter(Boolean);
  return <>{parts.map((p, i) => <>{i > 0 && ', '}{p}</>)}{!l.listed && <> <span class="tag">not listed</span></>}</>;
}

function Row({ l }: { l: Line }): JSX.Element {
  return (
    <tr data-k={`service ${l.service}`}>
      <th scope="row"><bdi>{visible(l.service, 60)}</bdi></th>
      <td><bdi>{visible(l.listed?.team ?? '', 60) || '–'}</bdi>{l.listed?.owner && <span class="muted"> <bdi>{visible(l.listed.owner, 60)}</bdi></span>}</td>
      <td class="n">{l.listed?.tier ?? '–'}</td>
      <td><Seen l={l} /></td>
      <td class="wrap"><Neighbours list={l.needs} name={(d) => d.needs} /></td>
      <td class="wrap"><Neighbours list={l.neededBy} name={(d) => d.service} /></td>
      <td>{l.branches.length ? l.branches.map((b, i) => <>{i > 0 && ', '}<bdi title={visible(b.repository, 120)}>{visible(b.branch, 60)}</bdi></>) : <span class="muted">–</span>}</td>
      <td>{l.listed?.runbook ? <Out url={l.listed.runbook}>{/^https?:/i.test(l.listed.runbook) ? 'runbook' : visible(l.listed.runbook, 60)}</Out> : <span class="muted">–</span>}</td>
    </tr>
  );
}

export function ServicesPart({ data, whose }: { data: Catalogue; whose: Whose }): JSX.Element | null {
  const lines = linesOf(data, whose);
  const bare = lines.filter((l) => !l.listed).length;
  if (!lines.length && !data.problem) return null;
  return (
    <section class="card" aria-labelledby="services-title" data-k="services">
      <h2 id="services-title">{plural(lines.length, 'service')}{bare > 0 && `, ${count(bare)} not in the catalogue`}</h2>
      {data.problem && <p class="note warn"><Icon name="warn" /><span>The catalogue was not read again: <bdi>{visible(data.problem, 240)}</bdi></span></p>}
      {lines.length > 0 && (
        <Scroll label="Table of the services">
          <table class="grid">
            <thead><tr><th>Service</th><th>Team and owner</th><th class="n">Tier</th><th>Known from</th><th>Needs</th><th>Needed by</th><th>Default branch</th><th>Runbook</th></tr></thead>
            <tbody>{lines.slice(0, SHOWN).map((l) => <Row key={l.service} l={l} />)}</tbody>
          </table>
        </Scroll>
      )}
      <p class="muted small">
        {lines.length > SHOWN && `${count(SHOWN)} of ${count(lines.length)} are shown. `}
        {data.source === 'file' ? <>The catalogue is the file <bdi>{visible(data.file ?? '', 120)}</bdi>.</> : 'The catalogue is kept by the API; takt catalogue prints it.'}
        {` A feature flag that was not changed for ${plural(data.flagAgeDays, 'day')} is past its time.`}
      </p>
    </section>
  );
}
