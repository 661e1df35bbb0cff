// SPDX-License-Identifier: Apache-2.0
// A row for every service that serves, ships or is hurt: its errors and its p95 against the time before,
// its last deploy, its open incident.
import type { JSX } from 'preact';
import { deployPath, digits, shortName, verdictOf, when, type Rollout } from '../base/delivery';
import { count, plural, quote, visible } from '../base/format';
import type { Incident } from '../base/incidents';
import { Icon, Scroll } from '../base/parts';
import { duration } from '../base/time';
import { byNeed, HALF_HOUR, rose, type Health, type Side } from '../search/health';

export const DEPLOYS_DAYS = 30;
const SHOWN = 20;

export interface HealthData {
  end: bigint; // ns
  services: Health[];
  partial: string; // why not all was counted
  rollouts: Rollout[]; // the newest first
  open: Incident[];
}
interface Line extends Health {
  deploy?: Rollout;
  incidents: Incident[];
}

const none: Side = { spans: 0, errors: 0, p95: null };

// Those with open incidents first.
export function linesOf(d: HealthData): Line[] {
  const known = new Map(d.services.map((h) => [h.service, h]));
  const names = new Set([...known.keys(), ...d.rollouts.map((r) => r.service), ...d.open.map((i) => i.service ?? '')]);
  names.delete('');
  return [...names]
    .map((service): Line => {
      const deploy = d.rollouts.find((r) => r.service === service);
      return { ...(known.get(service) ?? { service, now: none, before: none }), ...(deploy ? { deploy } : {}), incidents: d.open.filter((i) => i.service === service) };
    })
    .sort((a, b) => Number(b.incidents.length > 0) - Number(a.incidents.length > 0) || byNeed(a, b));
}

const share = (s: Side): string => (s.spans ? `${digits((100 * s.errors) / s.spans)} %` : '–');
const p95 = (s: Side): string => (s.p95 === null ? '–' : duration(s.p95 * 1e9));

function Row({ l, end }: { l: Line; end: bigint }): JSX.Element {
  const to = (more: string, sort = ''): string =>
    `traces?${new URLSearchParams({ q: `{ resource.service.name = ${quote(l.service)}${more} }`, range: 'between', start: String(end - HALF_HOUR), end: String(end), ...(sort ? { sort } : {}) })}`;
  const worse = rose(l);
  const said = l.deploy && verdictOf(l.deploy);
  const incident = l.incidents[0];
  return (
    <tr data-k={`health ${l.service}`}>
      <th scope="row"><a href={to('')}><bdi>{visible(l.service, 60)}</bdi></a></th>
      <td class={`n nowrap ${worse ? 'bad' : ''}`}>{worse && <><Icon name="error" /> rose to </>}{l.now.errors ? <a href={to(' && status = error')}>{share(l.now)}</a> : share(l.now)} <span class="muted">was {share(l.before)}</span></td>
      <td class="n nowrap">{l.now.p95 === null ? '–' : <a href={to('', 'slowest')}>{p95(l.now)}</a>} <span class="muted">was {p95(l.before)}</span></td>
      <td class="n">{l.now.spans ? count(l.now.spans) : l.before.spans ? <span class="bad">none any more</span> : <span class="muted">none</span>}</td>
      <td>{l.deploy ? <><a href={deployPath(l.deploy.id)}>{shortName(l.deploy) || l.deploy.id.slice(0, 8)}</a> <span class="muted nowrap">{when(l.deploy.finished ?? l.deploy.started)}</span></> : <span class="muted">none in {DEPLOYS_DAYS} days</span>}</td>
      <td class={said?.good === false ? 'bad' : ''}>{said ? <>{said.good === false && <Icon name="error" />} {said.word}{l.deploy!.recovered ? ', recovered' : ''}</> : <span class="muted">–</span>}</td>
      <td>{incident ? <span class="bad"><Icon name="error" /> <bdi>{visible(incident.title || incident.key, 60)}</bdi>{incident.severity !== undefined && `, severity ${incident.severity}`}{l.incidents.length > 1 && ` and ${l.incidents.length - 1} more`}</span> : <span class="muted">none open</span>}</td>
    </tr>
  );
}

export function HealthCard({ data }: { data: HealthData }): JSX.Element | null {
  const lines = linesOf(data);
  if (!lines.length) return null;
  const worse = lines.filter(rose).length;
  return (
    <section class="card" aria-labelledby="health-title" data-k="health">
      <h2 id="health-title">{plural(lines.length, 'service')}{worse ? `, ${plural(worse, 'has', 'have')} more errors than before` : ''}</h2>
      <p class="muted small">Spans where requests come in: the last 30 min, and the 30 min before.</p>
      {data.partial && <p class="note warn"><Icon name="warn" /><span>Not all was counted: {visible(data.partial, 160)}.</span></p>}
      <Scroll label="Health of the services">
        <table class="grid">
          <thead><tr><th>Service</th><th class="n">Errors</th><th class="n">p95</th><th class="n">Requests</th><th>Last deploy</th><th>How it went</th><th>Incident</th></tr></thead>
          <tbody>{lines.slice(0, SHOWN).map((l) => <Row key={l.service} l={l} end={data.end} />)}</tbody>
        </table>
      </Scroll>
      {lines.length > SHOWN && <p class="muted small">{SHOWN} of {count(lines.length)}, those in need first.</p>}
    </section>
  );
}
