// SPDX-License-Identifier: Apache-2.0
// The two lenses of the first page. Executive: the measures of twelve weeks against the twelve before,
// and what users got. On call: what is open, how the services do, how loud alerts are, what changed lately
// and what fails now. Every figure opens to its rows.
import { computed } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { getJson, type TraceList } from '../base/api';
import { because, beside, between, changeOf, deployPath, digits, FIRST, interval, rowsOf, shortName, value, verdictOf, when, type Measure, type Measures, type Rollout } from '../base/delivery';
import { count, plural, quote, visible } from '../base/format';
import { bySeverity, IncidentTable, severityText, type Incidents } from '../base/incidents';
import { Failed, Icon, Loading, Scroll, useTitle } from '../base/parts';
import { choice, readQuery } from '../base/query';
import { resource } from '../base/resource';
import { place } from '../base/router';
import { duration } from '../base/time';
import { loadTrends, Spark, TrendTable, type Trends } from '../base/trend';
import type { SeriesAnswer } from '../search/answers';
import { seriesPath } from '../search/ask';
import { loadHealth } from '../search/health';
import { operationsOf, type Operation } from '../search/operations';
import { AlertsCard, type Alerts } from './alerts';
import { InWords, loadTeams, TeamsCard, type Teams as TeamsData } from './words';
import { DEPLOYS_DAYS, HealthCard, type HealthData } from './health';

const schema = { lens: choice('oncall', 'exec') };
const lens = computed(() => readQuery(schema, place.value.query).lens);

const WEEKS = 12;
const WEEK_S = 7 * 86_400;
const DAY_NS = 86_400_000_000_000n;
const SHOWN = 8;

interface Twelve {
  now: Measures;
  before: Measures;
  trends: Trends;
}
const twelve = resource<Twelve>();
const users = resource<Operation[]>();
const recent = resource<Rollout[]>();
const failing = resource<TraceList>();
const incidents = resource<Incidents>();
const health = resource<HealthData>();
const alerts = resource<Alerts>();
const teams = resource<TeamsData>();

const seconds = (ns: string): string => String(BigInt(ns) / 1_000_000_000n);

async function loadTwelve(stop: AbortSignal): Promise<Twelve> {
  const now = await getJson<Measures>(`api/takt/delivery/measures?window=${WEEKS * 7}d`, stop);
  const from = Number(seconds(now.from));
  const [before, trends] = await Promise.all([
    getJson<Measures>(`api/takt/delivery/measures?from=${from - WEEKS * WEEK_S}&to=${from}`, stop),
    loadTrends(FIRST, { from: seconds(now.from), to: seconds(now.to) }, stop),
  ]);
  return { now, before, trends };
}

// The requests of the last day, by where they came in: one answer of one step each.
async function loadUsers(stop: AbortSignal): Promise<Operation[]> {
  const end = (BigInt(Date.now()) / 60_000n + 1n) * 60_000_000_000n;
  const at = { start: end - DAY_NS, end };
  const ask = (spans: string, what: string): Promise<SeriesAnswer> =>
    getJson(seriesPath(`{ nestedSetParent < 0${spans} } | ${what} by (resource.service.name, name) with(exemplars=false)`, at, Number(DAY_NS / 1_000_000n), 0), stop);
  const [all, bad, slow] = await Promise.all([ask('', 'count_over_time()'), ask(' && status = error', 'count_over_time()'), ask('', 'quantile_over_time(duration, 0.95)')]);
  return operationsOf(all, bad, slow);
}

const loadIncidents = (stop: AbortSignal): Promise<Incidents> => getJson<Incidents>('api/takt/delivery/incidents?window=7d&limit=200', stop);

// Spans up to the end of the minute: those of a clock a little ahead are among them.
async function loadServices(stop: AbortSignal): Promise<HealthData> {
  const end = (BigInt(Date.now()) / 60_000n + 1n) * 60_000_000_000n;
  const [counted, deploys, known] = await Promise.all([
    loadHealth(end, stop),
    getJson<{ rollouts: Rollout[] }>(`api/takt/delivery/deploys?window=${DEPLOYS_DAYS}d&limit=1000`, stop),
    loadIncidents(stop),
  ]);
  return { ...counted, end, rollouts: deploys.rollouts, open: known.incidents.filter((i) => !i.recovered) };
}

const windowOf = (m: Measures): Record<string, string> => ({ from: seconds(m.from), to: seconds(m.to) });

async function loadExecutive(): Promise<void> {
  await twelve.load(loadTwelve);
  const now = twelve.state.peek().data?.now;
  if (now) void teams.load((stop) => loadTeams(windowOf(now), stop));
}

function load(which: 'oncall' | 'exec'): void {
  void users.load(loadUsers);
  void incidents.load(loadIncidents);
  if (which === 'exec') return void loadExecutive();
  void health.load(loadServices);
  void alerts.load((stop) => getJson<Alerts>('api/takt/delivery/alerts', stop));
  void recent.load(async (stop) => (await getJson<{ rollouts: Rollout[] }>('api/takt/delivery/deploys?window=7d&limit=50', stop)).rollouts);
  void failing.load((stop) => getJson<TraceList>(`api/takt/search?${new URLSearchParams({ q: '{ status = error }', start: String((BigInt(Date.now()) - 1_800_000n) * 1_000_000n), end: String(BigInt(Date.now() + 60_000) * 1_000_000n), limit: String(SHOWN), count: '1' })}`, stop));
}

// --- executive ------------------------------------------------------------------------------------------

const figurePath = (now: Measures, why: string): string => `delivery?${new URLSearchParams({ ...windowOf(now), why })}`;

function MeasureCard({ m, before, data }: { m: Measure; before: Measure | undefined; data: Twelve }): JSX.Element {
  const change = changeOf(m.value, before?.value);
  return (
    <li class="card figure" data-k={`figure ${m.name}`}>
      <h3><a href={figurePath(data.now, m.name)}>{m.title}</a></h3>
      <p class={`big ${m.value === undefined ? 'muted' : ''}`}>{value(m)}</p>
      <Spark m={m} trend={data.trends.get(m.name)} />
      <p class="muted small">{[change && `${change} against the ${WEEKS} weeks before`, interval(m), beside(m), rowsOf(m)].filter(Boolean).join(' · ')}</p>
    </li>
  );
}

function ByTeam({ now }: { now: Measures }): JSX.Element | null {
  const { data, error } = teams.state.value;
  if (error) return <Failed what="The measures of the teams could not be computed" error={error} retry={() => load('exec')} />;
  return data && <TeamsCard data={data} window={windowOf(now)} />;
}

function Executive(): JSX.Element {
  const { data, error } = twelve.state.value;
  if (error) return <Failed what="The measures could not be computed" error={error} retry={() => load('exec')} />;
  if (!data) return <Loading what="Computing the measures" />;
  const shown = FIRST.flatMap((name) => data.now.measures.filter((m) => m.name === name));
  return (
    <section aria-labelledby="delivery-title" class="lens-part">
      <h2 id="delivery-title">Delivery, {WEEKS} weeks</h2>
      <ul class="figures">
        {shown.map((m) => <MeasureCard key={m.name} m={m} before={data.before.measures.find((b) => b.name === m.name)} data={data} />)}
      </ul>
      <InWords now={shown} before={data.before.measures} hrefOf={(why) => figurePath(data.now, why)} />
      <TrendTable measures={shown} trends={data.trends} />
      <ByTeam now={data.now} />
    </section>
  );
}

// --- what users got -------------------------------------------------------------------------------------

const tracesOf = (q: string, sort = ''): string => `traces?${new URLSearchParams({ q, range: '24h', ...(sort ? { sort } : {}) })}`;

function Users(): JSX.Element | null {
  const { data, error } = users.state.value;
  if (error) return <Failed what="The requests could not be counted" error={error} retry={() => load(lens.peek())} />;
  if (!data?.length) return null;
  const [all, bad] = [data.reduce((n, o) => n + o.spans, 0), data.reduce((n, o) => n + o.errors, 0)];
  return (
    <section class="card" aria-labelledby="users-title" data-k="users">
      <h2 id="users-title">What users got, last 24 h</h2>
      <p><a href={tracesOf('{ nestedSetParent < 0 && status = error }')}><b>{digits((100 * bad) / all)} %</b> of requests failed</a> <span class="muted">{count(bad)} of {plural(all, 'root span')}</span></p>
      <Scroll label="Key transactions">
        <table class="grid">
          <thead><tr><th>Transaction</th><th>Service</th><th class="n">Requests</th><th class="n">Failed</th><th class="n">p95</th></tr></thead>
          <tbody>
            {data.slice(0, SHOWN).map((o) => {
              const q = `nestedSetParent < 0 && resource.service.name = ${quote(o.service)} && name = ${quote(o.name)}`;
              return (
                <tr key={o.service + o.name}>
                  <th scope="row"><a href={tracesOf(`{ ${q} }`)}><bdi>{visible(o.name, 60) || '(no name)'}</bdi></a></th>
                  <td><bdi>{visible(o.service, 60)}</bdi></td><td class="n">{count(o.spans)}</td>
                  <td class="n">{o.errors ? <a href={tracesOf(`{ ${q} && status = error }`)}>{digits((100 * o.errors) / o.spans)} %</a> : '0 %'}</td>
                  <td class="n">{o.p95 === null ? '–' : <a href={tracesOf(`{ ${q} }`, 'slowest')}>{duration(o.p95 * 1e9)}</a>}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </Scroll>
      {data.length > SHOWN && <p class="muted small">{SHOWN} of {count(data.length)}, those with the most requests.</p>}
    </section>
  );
}

// --- on call --------------------------------------------------------------------------------------------

// What is open now; for the executive how many of each severity only.
function Open({ short }: { short: boolean }): JSX.Element | null {
  const { data, error } = incidents.state.value;
  if (error) return <Failed what="The incidents could not be listed" error={error} retry={() => load(lens.peek())} />;
  if (!data) return <Loading what="Reading incidents" />;
  const open = data.incidents.filter((i) => !i.recovered);
  const over = data.all - data.open;
  return (
    <section class="card" aria-labelledby="open-title" data-k="open">
      <h2 id="open-title">{data.open ? plural(data.open, 'open incident') : 'No open incident'}</h2>
      {open.length > 0 && (
        <ul class="row severities" aria-label="By severity">
          {bySeverity(open).map(({ severity, n }) => <li key={severity}><Icon name="error" /> <b>{count(n)}</b> {severityText(severity)}</li>)}
        </ul>
      )}
      {!short && open.length > 0 && <IncidentTable list={open.slice(0, SHOWN)} now={`${Date.now()}000000`} label="Open incidents" />}
      <p class="muted small">{!short && open.length > SHOWN && `${SHOWN} of ${count(data.open)}, the worst first. `}{over ? `${plural(over, 'more was', 'more were')} open in the last 7 days and ${over === 1 ? 'is' : 'are'} over. ` : 'None other in the last 7 days. '}<a href="delivery">All of them</a></p>
    </section>
  );
}

function Services(): JSX.Element | null {
  const { data, error } = health.state.value;
  if (error) return <Failed what="The health of the services could not be read" error={error} retry={() => load('oncall')} />;
  return data ? <HealthCard data={data} /> : <Loading what="Counting requests" />;
}

function Teams(): JSX.Element | null {
  const { data, error } = alerts.state.value;
  if (error) return <Failed what="The alerts could not be counted" error={error} retry={() => load('oncall')} />;
  return data && <AlertsCard data={data} />;
}

function Recent(): JSX.Element | null {
  const { data, error } = recent.state.value;
  if (error) return <Failed what="The deploys could not be listed" error={error} retry={() => load('oncall')} />;
  if (!data) return <Loading what="Reading deploys" />;
  const open = data.filter((r) => r.failure && !r.recovered); // what did not get through harms nobody
  return (
    <section class="card" aria-labelledby="recent-title" data-k="recent">
      <h2 id="recent-title">{data.length ? `${plural(data.length, 'deploy')} in 7 days` : 'No deploy in 7 days'}</h2>
      {open.length > 0 && <p class="note bad"><Icon name="error" /><span>{plural(open.length, 'failed and is not recovered', 'failed and are not recovered')}: {open.slice(0, 5).map((r, i) => <>{i ? ', ' : ''}<a href={deployPath(r.id)}><bdi>{visible(r.service, 40)}</bdi> {shortName(r)}</a></>)}</span></p>}
      {data.length > 0 && (
        <Scroll label="Recent deploys">
          <table class="grid">
            <thead><tr><th>Finished</th><th>Deploy</th><th>Kind</th><th>How it went</th></tr></thead>
            <tbody>
              {data.slice(0, SHOWN).map((r) => (
                <tr key={r.id}>
                  <td class="nowrap">{when(r.finished ?? r.started)}</td>
                  <th scope="row"><a href={deployPath(r.id)}><bdi>{visible(r.service, 60)}</bdi> {shortName(r)}</a></th>
                  <td>{r.kind}</td>
                  <td class={verdictOf(r).good === false ? 'bad' : ''}>{verdictOf(r).word}{r.failure ? `: ${because[r.failure] ?? r.failure}` : ''}{r.recovered ? `, recovered after ${between(r.finished, r.recovered)}` : ''}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
      {data.length > SHOWN && <p class="muted small">{SHOWN} of {count(data.length)}. <a href="delivery?window=30d">All of them</a></p>}
    </section>
  );
}

function Failing(): JSX.Element | null {
  const { data, error } = failing.state.value;
  if (error) return <Failed what="The traces with errors could not be listed" error={error} retry={() => load('oncall')} />;
  if (!data) return null;
  return (
    <section class="card" aria-labelledby="failing-title" data-k="failing">
      <h2 id="failing-title">{data.traces.length ? `${plural(data.total ?? data.traces.length, 'trace')} with errors in 30 min` : 'No trace with errors in 30 min'}</h2>
      {data.traces.length > 0 && (
        <ul class="plain">
          {data.traces.map((t) => <li key={t.traceId}><Icon name="error" /> <a href={`t/${t.traceId}`}><bdi>{visible(t.rootName ?? '', 80) || t.traceId.slice(0, 12)}</bdi></a> <span class="muted"><bdi>{visible(t.rootService ?? '', 40)}</bdi> · {duration(Number(t.durationNano))} · {when(t.startUnixNano)}</span></li>)}
        </ul>
      )}
    </section>
  );
}

export default function Lens(): JSX.Element {
  const which = lens.value;
  useTitle(which === 'exec' ? 'Executive' : 'On call');
  useEffect(() => {
    load(which);
    return () => [twelve, users, recent, failing, incidents, health, alerts, teams].forEach((r) => r.stop());
  }, [which]);
  const done = (r: { state: { value: { data: unknown; error: unknown; busy: boolean } } }): boolean => !r.state.value.busy && !!(r.state.value.data || r.state.value.error);
  const ready = (which === 'exec' ? [twelve, users, incidents, ...(twelve.state.value.error ? [] : [teams])] : [recent, failing, users, incidents, health, alerts]).every(done);
  return (
    <div class="page" data-ready={ready ? '' : undefined}>
      <h1>{which === 'exec' ? 'How delivery goes' : 'Is anything wrong?'}</h1>
      <nav class="row lenses" aria-label="Lens">
        <a href="." aria-current={which === 'oncall' ? 'page' : undefined}>On call</a>
        <a href="?lens=exec" aria-current={which === 'exec' ? 'page' : undefined}>Executive</a>
      </nav>
      {which === 'exec' ? <><Executive /><Open short /></> : <><Open short={false} /><Services /><Recent /><Failing /><Teams /></>}
      <Users />
    </div>
  );
}
