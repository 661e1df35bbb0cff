// SPDX-License-Identifier: Apache-2.0
// How loud each team's alerts are: the last week against a usual one, the mean of the four before.
import type { JSX } from 'preact';
import { digits } from '../base/delivery';
import { count, visible } from '../base/format';
import { Icon, Scroll } from '../base/parts';

export interface AlertTeam {
  team?: string;
  weeks: number[]; // the last first
  firing: number;
  incidents: number; // of the last week
}
export interface Alerts {
  teams: AlertTeam[];
}

const STORM = 3; // times a usual week
const STORM_LEAST = 10; // alerts

export const usualOf = (t: AlertTeam): number => t.weeks.slice(1).reduce((a, b) => a + b, 0) / Math.max(1, t.weeks.length - 1);
// Far over its own past; a team that had none before has no past to be over.
export const isStorm = (t: AlertTeam): boolean => t.weeks[0]! >= STORM_LEAST && usualOf(t) > 0 && t.weeks[0]! >= STORM * usualOf(t);

function Row({ t }: { t: AlertTeam }): JSX.Element {
  const usual = usualOf(t);
  return (
    <tr data-k={`alerts ${t.team ?? ''}`}>
      <th scope="row">{t.team ? <a href={`delivery?${new URLSearchParams({ team: t.team })}`}><bdi>{visible(t.team, 60)}</bdi></a> : <span class="muted">no team is known</span>}</th>
      <td class="n">{count(t.weeks[0]!)}</td>
      <td class="n">{digits(usual)}</td>
      <td class="n">{count(t.firing)}</td>
      <td class="n">{count(t.incidents)}</td>
      <td>{isStorm(t) && <span class="bad"><Icon name="warn" /> {count(Math.round(t.weeks[0]! / usual))} times a usual week</span>}</td>
    </tr>
  );
}

export function AlertsCard({ data }: { data: Alerts }): JSX.Element {
  return (
    <section class="card" aria-labelledby="alerts-title" data-k="alerts">
      <h2 id="alerts-title">{data.teams.length ? 'Alerts by team, 7 days' : 'No alert in five weeks'}</h2>
      {data.teams.length > 0 ? (
        <Scroll label="Alerts by team">
          <table class="grid">
            <thead><tr><th>Team</th><th class="n">Alerts</th><th class="n">A usual week</th><th class="n">Firing</th><th class="n">Incidents</th><th>Against its past</th></tr></thead>
            <tbody>{data.teams.map((t) => <Row key={t.team ?? ''} t={t} />)}</tbody>
          </table>
        </Scroll>
      ) : <p class="muted">Alertmanager, Grafana, PagerDuty and Opsgenie send to /hooks/alertmanager, /hooks/grafana, …; the team is the catalogue's for the service, else the label <code>team</code>.</p>}
    </section>
  );
}
