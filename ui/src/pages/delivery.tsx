// SPDX-License-Identifier: Apache-2.0
// Delivery: the measures of a scope and window, the rows behind each, and the rollouts.
import { computed } from '@preact/signals';
import { Fragment, type JSX } from 'preact';
import { useLayoutEffect } from 'preact/hooks';
import { getJson } from '../base/api';
import { Csv, type CsvCell } from '../base/csv';
import { because, beside, deployPath, FIRST, groupsOf, interval, leadOf, levelOf, LISTED_MAX, momentOf, number, rowsOf, shortName, value, when, type Catalogue, type Measure, type Measures, type Rollout, type Rollouts, type Scopes } from '../base/delivery';
import { count, plural, visible } from '../base/format';
import { IncidentTable, shownOf, titleOf, type Incidents } from '../base/incidents';
import { Empty, Failed, Icon, Loading, Scroll, useTitle } from '../base/parts';
import { loadOwns, OWN_WINDOWS, ownText, type Owns } from '../base/own';
import { choice, integer, readQuery, span, text, writeQuery, type Values } from '../base/query';
import { resource } from '../base/resource';
import { go, place } from '../base/router';
import { duration } from '../base/time';
import { loadTrends, Spark, TrendTable, type Trends } from '../base/trend';
import { CalendarPart, isIn, slotOf, slotText, type Calendar } from './calendar';
import { IntakePart, type Intake } from './intake';
import { Scatter, within } from './scatter';
import { ServicesPart } from './services';
import { loadTempo, TempoFigure, TempoPart, tempoIsBusy } from './tempo';
import { Weak } from './weak';
import { whyIsRead, WhyPart } from './why';

// --- what the address says ------------------------------------------------------------------------------

const schema = {
  service: text(),
  environment: text(),
  team: text(),
  product: text(),
  tier: integer(0, 0, 9), // 0: any
  zone: text(), // of weeks, months and quarters: Europe/Berlin; UTC when empty
  window: choice('90d', '30d', '365d', 'week', 'month', 'quarter', 'this-week', 'this-month', 'this-quarter'), // the last whole one; the one now
  as: choice('takt', 'fourkeys', 'devlake-2021', 'devlake-2023'),
  clock: choice('author', 'committer'),
  levels: choice('own', 'none', '2024', '2023', '2021', '2019'), // own: of earlier windows
  step: choice('week', 'day', 'month'), // of the trends
  when: choice('day', 'hour'), // the calendar
  slot: text(), // of the table of rollouts: an hour of the week, 0-19 is Monday 19:00
  span: span(), // of the table of rollouts; unix seconds
  why: text(),
  from: integer(0, 0, 1e11), // unix seconds; with `to` instead of the window
  to: integer(0, 0, 1e11),
};
type Ask = Values<typeof schema>;
const ask = computed(() => readQuery(schema, place.value.query));
const set = (more: Partial<Ask>, how: 'push' | 'replace' = 'push'): void => go('delivery' + writeQuery(schema, { ...ask.peek(), ...more }), how);
const isBetween = (a: Ask): boolean => a.from > 0 && a.to > a.from;

const measures = resource<Measures>();
const rollouts = resource<Rollouts>();
const calendar = resource<Calendar>();
const owns = resource<Owns>();
const scopes = resource<Scopes>();
const trends = resource<Trends>();
const intake = resource<Intake>();
const catalogue = resource<Catalogue>();
const incidents = resource<Incidents>();
const ROWS = 200;

const WHOSE = ['service', 'environment', 'team', 'product'] as const;
const whoseOf = (a: Ask): Record<string, string> => ({
  ...Object.fromEntries(WHOSE.flatMap((k) => (a[k] ? [[k, a[k]]] : []))),
  ...(a.tier ? { tier: String(a.tier) } : {}),
  ...(a.zone ? { zone: a.zone } : {}),
});

function scopeOf(a: Ask): URLSearchParams {
  const span = isBetween(a) ? { from: String(a.from), to: String(a.to) }
    : /^\d/.test(a.window) ? { window: a.window }
      : a.window.startsWith('this-') ? { calendar: a.window.slice(5), from: String(Math.floor(Date.now() / 1000) - 1) }
        : { calendar: a.window };
  return new URLSearchParams({ ...span, ...whoseOf(a) });
}

function load(a: Ask, keep = true): void {
  const scope = `${scopeOf(a)}`;
  const m = new URLSearchParams(scope);
  if (a.clock === 'committer') m.set('clock', a.clock);
  if (a.as === 'takt') loadTempo(`${m}`, keep);
  if (a.as !== 'takt') m.set('set', a.as);
  else if (/^\d/.test(a.levels)) m.set('levels', a.levels);
  void measures.load((stop) => getJson(`api/takt/delivery/measures?${m}`, stop), keep);
  void calendar.load((stop) => getJson(`api/takt/delivery/calendar?${scope}`, stop), keep);
  void incidents.load((stop) => getJson(`api/takt/delivery/incidents?${scope}&limit=${ROWS}`, stop), keep);
  void scopes.load((stop) => getJson('api/takt/delivery/services', stop));
  void intake.load((stop) => getJson('api/takt/delivery/intake', stop));
  void catalogue.load((stop) => getJson('api/takt/delivery/catalogue', stop));
}

// Of one hour of the week there may be few.
const loadRollouts = (a: Ask): void =>
  void rollouts.load((stop) => getJson(`api/takt/delivery/deploys?${scopeOf(a)}&limit=${slotOf(a.slot) ? LISTED_MAX : ROWS}`, stop));

const whoseAndClock = (a: Ask): Record<string, string> => ({ ...whoseOf(a), ...(a.clock === 'committer' ? { clock: a.clock } : {}) });

// Step by step over the window that the measures are of.
function loadSteps(m: Measures, a: Ask): void {
  const scope = { from: String(BigInt(m.from) / 1_000_000_000n), to: String(BigInt(m.to) / 1_000_000_000n), ...whoseAndClock(a) };
  void trends.load((stop) => loadTrends(trended(m, a).map((x) => x.name), scope, stop, a.step), false);
}

// Of the same measures in earlier windows.
function loadHistory(m: Measures, a: Ask): void {
  if (!isOwn(a)) return;
  void owns.load((stop) => loadOwns(FIRST, m, whoseAndClock(a), stop), false);
}

// --- numbers --------------------------------------------------------------------------------------------

const trended = (data: Measures, a: Ask): Measure[] => (a.as === 'takt' ? FIRST.flatMap((name) => data.measures.filter((m) => m.name === name)) : data.measures);

const isOwn = (a: Ask): boolean => a.as === 'takt' && a.levels === 'own';
const hasLevels = (a: Ask): boolean => a.as !== 'takt' || a.levels !== 'none';

// Of a report, or of one's own history.
const bandOf = (m: Measure, a: Ask): string => (isOwn(a) ? ownText(m, owns.state.value.data?.get(m.name)) : levelOf(m));

function Verdict({ m }: { m: Measure }): JSX.Element | null {
  if (!m.target) return null;
  const { verdict, at_least, at_most, of } = m.target;
  const what = at_least !== undefined ? `at least ${number(m.unit, at_least)}` : `at most ${number(m.unit, at_most!)}`;
  const whose = of ? ` of ${visible(of, 60)}` : '';
  return (
    <span class={`verdict ${verdict.replace(' ', '-')}`} title={`Target${whose}: ${what}`}>
      {verdict === 'met' ? <Icon name="check" /> : verdict === 'missed' ? <Icon name="error" /> : null} {verdict}
      <span class="offscreen">, target{whose} {what}</span>
    </span>
  );
}

// --- parts ----------------------------------------------------------------------------------------------

function rangeText(m: Measure, low: number, high: number): string {
  const [a, b] = [number(m.unit, low), value({ ...m, value: high })];
  return value({ ...m, value: low }) === b ? b : `${a} to ${b}`;
}

function UsualRange({ m, a }: { m: Measure; a: Ask }): JSX.Element | null {
  const own = isOwn(a) ? owns.state.value.data?.get(m.name) : undefined;
  if (own?.low === undefined || own.high === undefined) return null;
  return <p class="muted small" data-k={`usual ${m.name}`}>usual: {rangeText(m, own.low, own.high)}, the middle half of {plural(own.known, 'earlier window')}</p>;
}

function Cards({ data, a }: { data: Measures; a: Ask }): JSX.Element {
  return (
    <ul class="figures" aria-label={a.as === 'takt' ? 'The five of DORA' : 'The figures of the other tool'}>
      {trended(data, a).map((m) => (
        <li key={m.name} class="card figure" data-k={`figure ${m.name}`}>
          <h2><a href={'delivery' + writeQuery(schema, { ...a, why: m.name })}>{m.title}</a></h2>
          <p class={`big ${m.value === undefined ? 'muted' : ''}`}>{value(m)}</p>
          <p class="muted small">{[interval(m), beside(m), rowsOf(m)].filter(Boolean).join(' · ')}</p>
          <Spark m={m} trend={trends.state.value.data?.get(m.name)} step={a.step} />
          <p class="row small"><Verdict m={m} />{bandOf(m, a) && <span class="tag">{bandOf(m, a)}</span>}{data.partial && <span class="tag warn">not a whole period yet</span>}</p>
          <UsualRange m={m} a={a} />
          <Weak m={m} />
        </li>
      ))}
      {a.as === 'takt' && <TempoFigure measures={data.measures} hrefOf={(why) => 'delivery' + writeQuery(schema, { ...a, why })} />}
    </ul>
  );
}

const isKnown = (m: Measure, a: Ask): boolean => a.as !== 'takt' || m.value !== undefined || m.n > 0 || m.left_out.length > 0 || FIRST.includes(m.name) || a.why === m.name;

function MeasureRow({ m, a }: { m: Measure; a: Ask }): JSX.Element {
  return (
    <tr data-k={`measure ${m.name}`} aria-selected={a.why === m.name}>
      <th scope="row">{m.title}</th>
      <td class={`n ${m.value === undefined ? 'muted' : ''}`}>{value(m)}</td>
      <td class="n muted">{interval(m)}</td>
      <td class="n">{beside(m).replace('p90 ', '')}</td>
      <td class="n">{count(m.n)}{m.small && m.value !== undefined ? ' (few)' : ''}</td>
      <td><Verdict m={m} /></td>
      {hasLevels(a) && <td class={m.level?.insufficient ? 'muted' : ''}>{bandOf(m, a)}</td>}
      <td><button type="button" class="quiet" aria-pressed={a.why === m.name} onClick={() => set({ why: a.why === m.name ? '' : m.name })}>Why</button></td>
    </tr>
  );
}

const csvOfMeasures = (data: Measures, a: Ask): CsvCell[][] => [
  ['measure', 'title', 'unit', 'value', 'low_95', 'high_95', 'p90', 'numerator', 'denominator', 'rows', 'few', 'target', 'level', 'from', 'to', 'figure'],
  ...data.measures.map((m) => [m.name, m.title, m.unit, m.value, m.interval?.[0], m.interval?.[1], m.p90, m.numerator, m.denominator, m.n, m.small ? 'yes' : 'no', m.target?.verdict, bandOf(m, a), when(data.from), when(data.to), m.figure]),
];

// In groups; what nothing is known of is named only, in one line of its group.
function MeasureTable({ data, a }: { data: Measures; a: Ask }): JSX.Element {
  const all = groupsOf(data.measures);
  const columns = hasLevels(a) ? 8 : 7;
  return (
    <section class="card" aria-labelledby="all-measures">
      <header class="card-head"><h2 id="all-measures">All measures</h2><Csv name="takt-measures" of="All measures" rows={() => csvOfMeasures(data, a)} /></header>
      <Scroll label="Table of the measures">
        <table class="grid measures">
          <thead><tr><th>Measure</th><th class="n">Value</th><th class="n">95 % interval</th><th class="n">p90 or count</th><th class="n">Rows</th><th>Target</th>{hasLevels(a) && <th>{isOwn(a) ? 'Against its history' : 'Level'}</th>}<th>Behind it</th></tr></thead>
          {all.map((g) => {
            const known = g.measures.filter((m) => isKnown(m, a));
            const none = g.measures.filter((m) => !known.includes(m));
            return (
              <tbody key={g.title}>
                {all.length > 1 && <tr class="group"><th scope="rowgroup" colSpan={columns}>{g.title}</th></tr>}
                {known.map((m) => <MeasureRow key={m.name} m={m} a={a} />)}
                {none.length > 0 && <tr class="none"><td colSpan={columns}><span>No data: {none.map((m, i) => <Fragment key={m.name}>{i > 0 && ', '}<a data-k={`measure ${m.name}`} href={'delivery' + writeQuery(schema, { ...a, why: m.name })}>{m.title}</a></Fragment>)}</span></td></tr>}
              </tbody>
            );
          })}
        </table>
      </Scroll>
    </section>
  );
}

// Some targets got it and some did not.
const isPart = (r: Rollout): boolean => (r.done_targets ?? 0) > 0 && r.done_targets! < (r.targets ?? 0);

async function csvOfRollouts(a: Ask): Promise<CsvCell[][]> {
  const list = await getJson<Rollouts>(`api/takt/delivery/deploys?${scopeOf(a)}&limit=${LISTED_MAX}`);
  const shown = within(ofSlot(list.rollouts, a), a.span);
  const rows = shown.map((r) => [r.id, r.service, r.environment, r.version, r.sha, r.kind, r.state, when(r.started), when(r.finished), seconds(leadOf(r)), r.commits_state, r.commits, r.canary, r.failure && (because[r.failure] ?? r.failure), when(r.recovered), r.actor, r.url]);
  const cut = list.rollouts.length < list.all ? [[`the newest ${count(list.rollouts.length)} of ${plural(list.all, 'rollout')}`]] : [];
  return [['rollout', 'service', 'environment', 'version', 'sha', 'kind', 'state', 'started', 'finished', 'lead_seconds', 'commits_state', 'commits', 'canary', 'failed_because_of', 'recovered', 'by', 'url'], ...rows, ...cut];
}
const seconds = (ns: number | undefined): number | undefined => (ns === undefined ? undefined : Math.round(ns / 1e9));

function ofSlot(list: readonly Rollout[], a: Ask): readonly Rollout[] {
  const slot = slotOf(a.slot);
  return slot ? list.filter((r) => isIn(slot, momentOf(r), a.zone)) : list;
}

const titleOfRollouts = (list: Rollouts): string => (list.rollouts.length < list.all ? `The newest ${count(list.rollouts.length)} of ${plural(list.all, 'rollout')}` : plural(list.all, 'rollout'));

function RolloutsPart({ data, a }: { data: Measures; a: Ask }): JSX.Element {
  const { data: list, error } = rollouts.state.value;
  if (error) return <Failed what="The rollouts could not be listed" error={error} retry={() => loadRollouts(ask.peek())} />;
  if (!list) return <Loading what="Reading rollouts" />;
  const slot = slotOf(a.slot);
  const here = ofSlot(list.rollouts, a);
  const shown = within(here, a.span);
  const edge = (ns: string): number => Number(BigInt(ns) / 1_000_000_000n);
  return (
    <section class="card" aria-labelledby="rollouts-title" data-k="rollouts">
      <header class="card-head"><h2 id="rollouts-title">{titleOfRollouts(list)}</h2>{list.rollouts.length > 0 && <Csv name="takt-rollouts" of="Rollouts" rows={() => csvOfRollouts(a)} />}</header>
      {here.length > 0 && <Scatter rollouts={here} from={edge(data.from)} to={edge(data.to)} chosen={a.span} choose={(span) => set({ span }, 'replace')} open={(r) => go(deployPath(r.id))} />}
      {slot && <p class="note" data-k="slot"><span>{count(here.length)} of them ended in the hour of {slotText(slot)}, {visible(a.zone || 'UTC', 40)}.</span> <button type="button" onClick={() => set({ slot: '' })}>All hours</button></p>}
      {a.span && <p class="note" data-k="span"><span>{count(shown.length)} of them, from {when(`${a.span[0]}000000000`)} to {when(`${a.span[1]}000000000`)}.</span> <button type="button" onClick={() => set({ span: null })}>All</button> <button type="button" onClick={() => set({ from: a.span![0], to: a.span![1], span: null })}>The figures of this time</button></p>}
      {shown.length > 0 && (
        <Scroll label="Table of the rollouts">
          <table class="grid">
            <thead><tr><th>Version</th><th>Service</th><th>Finished</th><th>Environment</th><th>Kind</th><th>State</th><th class="n">Lead time</th><th class="n">Commits</th><th>Canary</th><th>Failed because of</th></tr></thead>
            <tbody>
              {shown.map((r) => (
                <tr key={r.id}>
                  <th scope="row"><a href={deployPath(r.id)}><bdi>{shortName(r) || r.id.slice(0, 8)}</bdi></a></th>
                  <td><bdi>{visible(r.service, 60)}</bdi></td>
                  <td class="nowrap">{when(r.finished ?? r.started)}</td>
                  <td><bdi>{visible(r.environment, 60)}</bdi></td>
                  <td>{r.kind}</td>
                  <td class={r.state === 'failed' ? 'bad' : ''}>{r.state}{isPart(r) && <span class="tag warn">partial: {count(r.done_targets!)} of {plural(r.targets!, 'target')}</span>}</td>
                  <td class="n">{leadOf(r) === undefined ? '–' : duration(leadOf(r)!)}</td>
                  <td class="n">{r.commits_state === 'known' || r.commits_state === 'none' ? count(r.commits) : r.commits_state}</td>
                  <td class={r.canary === 'failed' ? 'bad' : ''}>{r.canary}</td>
                  <td>{r.failure && (because[r.failure] ?? r.failure)}{r.recovered && `, recovered after ${duration(Number(BigInt(r.recovered) - BigInt(r.finished!)))}`}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </section>
  );
}

function CalendarOf({ a }: { a: Ask }): JSX.Element {
  const { data, error } = calendar.state.value;
  if (error) return <Failed what="The calendar could not be read" error={error} retry={() => load(ask.peek())} />;
  if (!data) return <Loading what="Reading the calendar" />;
  return (
    <CalendarPart data={data} by={a.when} zone={a.zone}
      hrefOfBy={(when) => 'delivery' + writeQuery(schema, { ...a, when })}
      hrefOfSlot={(slot) => 'delivery' + writeQuery(schema, { ...a, slot })}
      hrefOfTime={(from, to) => 'delivery' + writeQuery(schema, { ...a, from, to, span: null, slot: '' })} />
  );
}

function HowToSend(): JSX.Element {
  return (
    <>
      <p>Incidents come from PagerDuty, Opsgenie, Alertmanager, Grafana, GitHub, GitLab and others at /hooks/…, from CloudEvents at /events, and from a shell:</p>
      <pre class="hint" tabIndex={0} aria-label="Commands for an incident">{'takt event incident --id INC-31 --service shop --severity 2 \\\n  --title "errors in checkout" --state triggered --detected-at now\ntakt event incident --id INC-31 --state resolved --resolved-at now'}</pre>
    </>
  );
}

function IncidentsPart(): JSX.Element {
  const { data, error } = incidents.state.value;
  if (error) return <Failed what="The incidents could not be listed" error={error} retry={() => load(ask.peek())} />;
  if (!data) return <Loading what="Reading incidents" />;
  return (
    <section class="card" aria-labelledby="incidents-title" data-k="incidents" id="incidents">
      <h2 id="incidents-title">{titleOf(data)}{data.all ? '' : ' in this time'}</h2>
      {data.incidents.length > 0 && <IncidentTable list={data.incidents} now={nowNs()} label="Table of the incidents" />}
      {shownOf(data, data.incidents.length) && <p class="muted small">{shownOf(data, data.incidents.length)}</p>}
      {!data.all && <HowToSend />}
    </section>
  );
}

const nowNs = (): string => `${Date.now()}000000`;

const named = (v: string[]): [string, string][] => v.map((n) => [n, visible(n, 60)]);

// The zone of this browser first, then every one that it knows; the one that is asked for, whether known or not.
function zonesOf(asked: string): [string, string][] {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const all = [own, asked, ...Intl.supportedValuesOf('timeZone')].filter((z) => z && z !== 'UTC');
  return [['', 'UTC'], ...[...new Set(all)].map((z): [string, string] => [z, visible(z, 40)])];
}

function Controls({ a }: { a: Ask }): JSX.Element {
  const known = scopes.state.value.data?.services ?? [];
  const names = [...new Set([...known.map((s) => s.service), a.service])].filter(Boolean).sort();
  const environments = [...new Set([...known.filter((s) => !a.service || s.service === a.service).map((s) => s.environment), a.environment])].filter(Boolean).sort();
  const listed = Object.values(catalogue.state.value.data?.catalogue.services ?? {});
  const distinct = (k: 'team' | 'product'): string[] => [...new Set([...listed.map((s) => s[k] ?? ''), a[k]])].filter(Boolean).sort();
  const [teams, products] = [distinct('team'), distinct('product')];
  const tiers = [...new Set([...listed.map((s) => s.tier ?? 0), a.tier])].filter((t) => t > 0).sort();
  const field = (id: Exclude<keyof Ask, 'span'>, label: string, options: [string, string][]): JSX.Element => (
    <div class="field">
      <label for={`d-${id}`}>{label}</label>
      <select id={`d-${id}`} value={a[id]} onChange={(e) => set({ [id]: id === 'tier' ? Number(e.currentTarget.value) : e.currentTarget.value, ...(id === 'as' ? { why: '' } : {}) })}>
        {options.map(([v, shown]) => <option key={v} value={v}>{shown}</option>)}
      </select>
    </div>
  );
  const day = (s: number): string => when(`${s}000000000`);
  return (
    <div class="fields" role="group" aria-label="Of what">
      {field('service', 'Service', [['', 'all'], ...named(names)])}
      {field('environment', 'Environment', [['', 'all that are production'], ...named(environments)])}
      {teams.length > 0 && field('team', 'Team', [['', 'all'], ...named(teams)])}
      {products.length > 0 && field('product', 'Product', [['', 'all'], ...named(products)])}
      {tiers.length > 0 && field('tier', 'Tier', [['0', 'all'], ...tiers.map((t): [string, string] => [String(t), `tier ${t}`])])}
      {!isBetween(a) && field('window', 'Window', [['30d', '30 days'], ['90d', '90 days'], ['365d', 'a year'], ['week', 'the last whole week'], ['month', 'the last whole month'], ['quarter', 'the last whole quarter'], ['this-week', 'this week so far'], ['this-month', 'this month so far'], ['this-quarter', 'this quarter so far']])}
      {field('zone', 'Weeks and months in', zonesOf(a.zone))}
      {isBetween(a) && <p class="field between">{day(a.from)} to {day(a.to)} <button type="button" class="link" onClick={() => set({ from: 0, to: 0 })}>The last 90 days</button></p>}
      {field('as', 'Measures as in', [['takt', 'Takt'], ['fourkeys', 'fourkeys'], ['devlake-2021', 'DevLake, 2021'], ['devlake-2023', 'DevLake, 2023']])}
      {a.as === 'takt' && field('clock', 'Lead times from', [['author', "the author's time"], ['committer', "the committer's time"]])}
      {a.as === 'takt' && field('levels', 'Levels of', [['own', 'its own history'], ['none', 'none'], ['2024', 'DORA 2024'], ['2023', 'DORA 2023'], ['2021', 'DORA 2021'], ['2019', 'DORA 2019']])}
    </div>
  );
}

function ServicesOf({ a }: { a: Ask }): JSX.Element | null {
  const { data, error } = catalogue.state.value;
  if (error) return <Failed what="The services could not be listed" error={error} retry={() => load(ask.peek())} />;
  return data ? <ServicesPart data={data} whose={a} /> : null;
}

function Nothing(): JSX.Element {
  return (
    <Empty title="No rollouts are known yet">
      <p>Takt learns of them from events, webhooks, and tags of a git history:</p>
      <pre class="hint" tabIndex={0} aria-label="Commands">{'takt event deploy --service shop --environment production \\\n  --version v1 --commit SHA --state success\ntakt import git PATH'}</pre>
      <p class="muted">GitHub, GitLab, Argo CD and others send to /hooks/github, /hooks/gitlab …; CloudEvents to /events.</p>
    </Empty>
  );
}

export default function Delivery(): JSX.Element {
  useTitle('Delivery');
  const a = ask.value;
  const scope = [a.service, a.environment, a.team, a.product, a.tier, a.zone, a.window, a.from, a.to];
  useLayoutEffect(() => load(a), [...scope, a.clock, a.levels, a.as]);
  useLayoutEffect(() => loadRollouts(a), [...scope, slotOf(a.slot) !== null]);
  const { data, error } = measures.state.value;
  useLayoutEffect(() => {
    if (data) loadSteps(data, a);
  }, [data, a.step]);
  useLayoutEffect(() => {
    if (data) loadHistory(data, a);
  }, [data]);
  const asked = data?.measures.find((m) => m.name === a.why);
  const known = scopes.state.value.data;
  return (
    <div class="page" data-ready={(data && known && rollouts.state.value.data && ![measures, rollouts, trends, intake, catalogue, incidents, calendar, owns].some((r) => r.state.value.busy) && (a.as !== 'takt' || !tempoIsBusy()) && (!asked || whyIsRead())) || error ? '' : undefined}>
      <h1>Delivery</h1>
      <Controls a={a} />
      {error ? <Failed what="The measures could not be computed" error={error} retry={() => load(a)} />
        : !data || !known ? <Loading what="Computing the measures" />
          : !known.services.length ? <><Nothing />{incidents.state.value.data?.all ? <IncidentsPart /> : null}<ServicesOf a={a} /></> : (
            <>
              {data.partial && <p class="note warn" data-k="partial"><Icon name="warn" /><span>The last period is not over yet: the figures are of {when(data.from)} until now, and will change.</span></p>}
              <Cards data={data} a={a} />
              {isOwn(a) && <p class="muted small">Against its history: the middle half of up to {OWN_WINDOWS} earlier windows as long as this one is usual. The DORA report of 2025 names no levels.</p>}
              <nav class="row lenses" aria-label="Trends by">
                {(['day', 'week', 'month'] as const).map((step) => <a key={step} href={'delivery' + writeQuery(schema, { ...a, step })} aria-current={a.step === step ? 'true' : undefined}>By {step}</a>)}
              </nav>
              {trends.state.value.data && <TrendTable measures={trended(data, a)} trends={trends.state.value.data} zone={a.zone} step={a.step} />}
              {asked && <WhyPart m={asked} close={() => set({ why: '' })} />}
              {a.as === 'takt' && <TempoPart measures={data.measures} hrefOf={(why) => 'delivery' + writeQuery(schema, { ...a, why })} retry={() => load(a)} />}
              <MeasureTable data={data} a={a} />
              <IncidentsPart />
              <CalendarOf a={a} />
              <RolloutsPart data={data} a={a} />
              <ServicesOf a={a} />
              {intake.state.value.data && <IntakePart d={intake.state.value.data} />}
            </>
          )}
    </div>
  );
}
