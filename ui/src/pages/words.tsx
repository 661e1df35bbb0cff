// SPDX-License-Identifier: Apache-2.0
// The executive lens in words, and by team: each clause and each number opens to its figure.
import { Fragment, type JSX } from 'preact';
import { changeOf, FIRST, value, type Catalogue, type Measure, type Measures } from '../base/delivery';
import { getJson } from '../base/api';
import { Csv } from '../base/csv';
import { count, visible } from '../base/format';
import { Scroll } from '../base/parts';

const TEAMS_MAX = 12;

interface TeamFigures {
  team: string;
  measures: readonly Measure[];
}
export interface Teams {
  all: number; // teams in the catalogue
  teams: TeamFigures[];
}

const overlap = (a: [number, number], b: [number, number]): boolean => a[0] <= b[1] && b[0] <= a[1];

// How it changed: what lies within the doubt of both is no change.
export function wordOf(m: Measure, before: Measure | undefined): string {
  if (m.value === undefined) return 'not known';
  if (before?.value === undefined) return 'with nothing to compare';
  if (m.value === before.value || (m.interval && before.interval && overlap(m.interval, before.interval))) return 'no sure change';
  const change = changeOf(m.value, before.value);
  const way = m.value > before.value ? 'up' : 'down';
  return change ? `${way} ${change.slice(1)}` : way;
}

export function InWords({ now, before, hrefOf }: { now: readonly Measure[]; before: readonly Measure[]; hrefOf: (name: string) => string }): JSX.Element {
  return (
    <p class="in-words" data-k="words">
      {now.map((m, i) => <Fragment key={m.name}>{i > 0 && ', '}<a href={hrefOf(m.name)}>{i ? m.title.replace(/^./, (c) => c.toLowerCase()) : m.title}</a> {wordOf(m, before.find((b) => b.name === m.name))}</Fragment>)}.
    </p>
  );
}

// Teams only, never people.
export async function loadTeams(window: Record<string, string>, stop: AbortSignal): Promise<Teams> {
  const { catalogue } = await getJson<Catalogue>('api/takt/delivery/catalogue', stop);
  const teams = [...new Set(Object.values(catalogue.services).map((s) => s.team ?? ''))].filter(Boolean).sort();
  const figures = await Promise.all(teams.slice(0, TEAMS_MAX).map(async (team) => {
    const { measures } = await getJson<Measures>(`api/takt/delivery/measures?${new URLSearchParams({ ...window, team })}`, stop);
    return { team, measures: FIRST.flatMap((n) => measures.filter((m) => m.name === n)) };
  }));
  return { all: teams.length, teams: figures };
}

export function TeamsCard({ data, window }: { data: Teams; window: Record<string, string> }): JSX.Element | null {
  if (!data.teams.length) return null;
  const heads = data.teams[0]!.measures;
  return (
    <section class="card" aria-labelledby="teams-title" data-k="teams">
      <header class="card-head"><h2 id="teams-title">By team</h2><Csv name="takt-teams" of="Measures by team" rows={() => [['team', ...heads.map((m) => m.name)], ...data.teams.map((t) => [t.team, ...t.measures.map((m) => m.value)])]} /></header>
      <Scroll label="Measures by team">
        <table class="grid">
          <thead><tr><th scope="col">Team</th>{heads.map((m) => <th key={m.name} scope="col" class="n">{m.title}</th>)}</tr></thead>
          <tbody>
            {data.teams.map((t) => (
              <tr key={t.team} data-k={`team ${t.team}`}>
                <th scope="row"><bdi>{visible(t.team, 60)}</bdi></th>
                {t.measures.map((m) => <td key={m.name} class="n"><a href={`delivery?${new URLSearchParams({ team: t.team, ...window, why: m.name })}`}>{value(m)}</a>{m.small && m.value !== undefined && <span class="muted"> (few)</span>}</td>)}
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {data.all > data.teams.length && <p class="muted small">{count(data.teams.length)} of {count(data.all)} teams, by name.</p>}
    </section>
  );
}
