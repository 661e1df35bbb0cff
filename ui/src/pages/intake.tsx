// SPDX-License-Identifier: Apache-2.0
// What came in of events, and what of it was not counted or not taken.
import type { JSX } from 'preact';
import { when } from '../base/delivery';
import { count, plural, visible } from '../base/format';
import { Scroll } from '../base/parts';

export interface Intake {
  deploys_without_service: number;
  incidents_without_service: number;
  refused_in_all: number;
  unmapped_in_all: number;
  unmapped: { service: string; facts: number }[];
  unlinked_verdicts: { verdict: string; rollout?: string }[];
  unlinked_canaries: { canary: string; version?: string }[];
  sources: { source: string; events: number; unknown: number; aside: number; last?: string }[];
  refused: { source: string; received: string; reason: string }[];
}

// What was not counted because it said too little, or was not taken at all.
export function IntakePart({ d }: { d: Intake }): JSX.Element {
  const aside = d.sources.reduce((n, s) => n + s.aside, 0);
  const said = [
    aside > 0 && `${plural(aside, 'event was', 'events were')} set aside`,
    d.refused_in_all > 0 && `${plural(d.refused_in_all, 'request was', 'requests were')} refused`,
    d.deploys_without_service > 0 && `${plural(d.deploys_without_service, 'deploy names', 'deploys name')} no service`,
    d.incidents_without_service > 0 && `${plural(d.incidents_without_service, 'incident names', 'incidents name')} no service`,
    d.unlinked_verdicts.length > 0 && `${plural(d.unlinked_verdicts.length, 'verdict names', 'verdicts name')} nothing that is known (${d.unlinked_verdicts.slice(0, 3).map((v) => visible(v.rollout ?? v.verdict, 40)).join(', ')}${d.unlinked_verdicts.length > 3 ? ', …' : ''})`,
    d.unlinked_canaries.length > 0 && `${plural(d.unlinked_canaries.length, 'canary is', 'canaries are')} of a version that was never rolled out`,
    d.unmapped_in_all > 0 && `the catalogue knows ${plural(d.unmapped_in_all, 'service', 'services')} under no name (${d.unmapped.slice(0, 3).map((u) => visible(u.service, 40)).join(', ')}${d.unmapped_in_all > 3 ? ', …' : ''})`,
  ].filter(Boolean);
  return (
    <section class="card" aria-labelledby="intake-title" data-k="intake">
      <h2 id="intake-title">What came in</h2>
      <p>{said.length ? `${said.join('; ')}.` : 'All that came in is counted.'}</p>
      <Scroll label="Sources">
        <table class="grid">
          <thead><tr><th>Source</th><th class="n">Events</th><th class="n">Say nothing to us</th><th class="n">Set aside</th><th>Last</th></tr></thead>
          <tbody>{d.sources.map((s) => <tr key={s.source}><th scope="row"><bdi>{visible(s.source, 60)}</bdi></th><td class="n">{count(s.events)}</td><td class="n">{count(s.unknown)}</td><td class="n">{count(s.aside)}</td><td class="nowrap">{when(s.last)}</td></tr>)}</tbody>
        </table>
      </Scroll>
      {d.refused.length > 0 && (
        <details>
          <summary>{d.refused.length < d.refused_in_all ? `The last ${count(d.refused.length)} of ${count(d.refused_in_all)} refusals` : plural(d.refused_in_all, 'refusal')}</summary>
          <ul class="plain">{d.refused.map((r, i) => <li key={i}>{when(r.received)} <b><bdi>{visible(r.source, 60)}</bdi></b> <bdi>{visible(r.reason, 240)}</bdi></li>)}</ul>
        </details>
      )}
    </section>
  );
}
