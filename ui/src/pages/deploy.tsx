// SPDX-License-Identifier: Apache-2.0
// One rollout: what it brought, how it went, what came of it, and what a person says of that.
import { computed, useSignal } from '@preact/signals';
import type { ComponentChildren, ComponentType, JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { getJson, request, type ApiError } from '../base/api';
import { because, between, deployPath, shortName, verdictOf, when, type Rollout } from '../base/delivery';
import { count, plural, quote, visible } from '../base/format';
import { Out, safe } from '../base/incidents';
import { useDeploys } from '../base/markers';
import { Card, Copy, Empty, Failed, Icon, Loading, Scroll, useTitle } from '../base/parts';
import { zone } from '../base/prefs';
import { flag, readQuery, text, writeQuery } from '../base/query';
import { resource } from '../base/resource';
import { go, place } from '../base/router';
import { duration, zoneName } from '../base/time';
import { loadErrorShare, type ErrorShare } from '../search/errorshare';
import { loadLatency, type Latency } from '../search/latency';
import { RollbackLine, WhatChanged, type Changed, type Rollback } from './changed';
import { Attempts, Runs, type Went } from './course';
import type { Impact } from './impact';
import { leadTime, waits } from './lead';

interface Near {
  id: string;
  version?: string;
  sha?: string;
  digest?: string;
  kind: string;
  state: string;
  finished?: string;
}
interface Commit {
  sha: string;
  author?: string;
  subject?: string;
  authored?: string;
  committed?: string;
  bot?: boolean;
  twin?: boolean;
  revert?: boolean;
}
interface Change {
  key: string;
  number?: number;
  title?: string;
  author?: string;
  opened?: string;
  merged?: string;
  url?: string;
}
interface Link {
  rule: string;
  rank: number;
  incident?: string;
  decides?: boolean;
  confirmed?: boolean;
  neighbour?: boolean;
  says: string;
  title?: string;
  severity?: number;
  state?: string;
  began?: string;
  detected?: string;
  recovered?: string;
  url?: string;
}
interface Verdict {
  incident: string;
  says: string;
  by?: string;
  why?: string;
  at?: string;
  title?: string;
}
interface Deploy extends Went {
  previous?: Near;
  next?: Near;
  commits: Commit[];
  change_requests: Change[];
  links: Link[];
  verdicts: Verdict[];
  rollback?: Rollback;
}

const schema = { table: flag(), latency: flag(), changed: text() }; // which picture is a table; what of the changes is open
const ask = computed(() => readQuery(schema, place.value.query));

const deploy = resource<Deploy>();
const impact = resource<Impact | null>();
const changed = resource<Changed>();
const errors = resource<ErrorShare>();
const latency = resource<Latency | null>();
const HOUR = 3_600_000_000_000n;

// Nobody computed it, or this server does not: there is nothing to show, and that is no failure.
async function loadImpact(id: string, stop: AbortSignal): Promise<Impact | null> {
  try {
    return await getJson<Impact>(`api/takt/delivery/impact?rollout=${id}`, stop);
  } catch (e) {
    if ((e as ApiError).status === 404) return null;
    throw e;
  }
}

function around(r: Rollout): { start: bigint; end: bigint } | null {
  const first = r.started ?? r.finished;
  if (!first) return null;
  return { start: BigInt(first) - HOUR, end: BigInt(r.finished ?? first) + 2n * HOUR };
}

async function load(id: string): Promise<void> {
  void impact.load((stop) => loadImpact(id, stop), false);
  void changed.load((stop) => getJson<Changed>(`api/takt/delivery/changed?rollout=${encodeURIComponent(id)}`, stop), false);
  await deploy.load((stop) => getJson<Deploy>(`api/takt/delivery/deploy?rollout=${encodeURIComponent(id)}`, stop), deploy.state.peek().data?.rollout.id === id);
  const r = deploy.state.peek().data?.rollout;
  const at = r?.id === id ? around(r) : null;
  if (!r || !at) return;
  void errors.load((stop) => loadErrorShare(r.service, at, stop), false);
  const before = deploy.state.peek().data?.previous?.version ?? '';
  void latency.load(async (stop) => (r.version ? loadLatency(r.service, r.version, before, at, stop) : null), false);
}

// --- small parts ----------------------------------------------------------------------------------------

function Fact({ name, children }: { name: string; children: ComponentChildren }): JSX.Element {
  return <div><dt>{name}</dt><dd>{children}</dd></div>;
}

const nameOf = (r: { version?: string; sha?: string; digest?: string; id: string }): string => shortName(r) || r.id.slice(0, 8);

function ChangedPart({ r }: { r: Rollout }): JSX.Element | null {
  const { data, error } = changed.state.value;
  const now = ask.value;
  if (error && error.status !== 404) return <Failed what="What changed could not be read" error={error} retry={() => void load(r.id)} />;
  if (!data || data.rollout !== r.id) return null;
  return <WhatChanged r={r} changed={data} impact={impact.state.value.data ?? null} open={now.changed} show={(key) => go(deployPath(r.id) + writeQuery(schema, { ...now, changed: key }), 'replace')} />;
}

// --- the top --------------------------------------------------------------------------------------------

function Head({ d }: { d: Deploy }): JSX.Element {
  const r = d.rollout;
  const said = verdictOf(r);
  const lead = leadTime(d);
  return (
    <header class="deploy-head">
      <p class="crumb"><a href={`delivery?${new URLSearchParams({ service: r.service, environment: r.environment })}`}><Icon name="left" /><span>Delivery of <bdi>{visible(r.service, 60)}</bdi></span></a></p>
      <div class="row">
        <h1><bdi>{visible(r.service, 80)}</bdi> <bdi>{nameOf(r)}</bdi></h1>
        <span class={`verdict-big ${said.good === true ? 'good' : said.good === false ? 'failed' : ''}`} data-k="verdict">
          {said.good === true ? <Icon name="check" /> : said.good === false ? <Icon name="error" /> : null} {said.word}
        </span>
      </div>
      <dl class="strip-facts" data-k="deploy">
        <Fact name="Environment"><bdi>{visible(r.environment, 60)}</bdi></Fact>
        <Fact name="Kind">{r.kind}</Fact>
        <Fact name={`Finished, ${zoneName(zone.value)}`}>{when(r.finished) || 'not yet'}</Fact>
        {r.started && r.finished && <Fact name="Took">{between(r.started, r.finished)}</Fact>}
        <Fact name="Targets">{count(r.done_targets ?? 0)} of {count(r.targets ?? 0)}</Fact>
        {lead !== null && <Fact name="Lead time">{duration(lead)}</Fact>}
        {r.recovered && <Fact name="Recovered after">{between(r.finished, r.recovered)}</Fact>}
        {r.actor && <Fact name="By"><bdi>{visible(r.actor, 60)}</bdi>{r.trigger ? `, ${r.trigger}` : ''}</Fact>}
        {r.sha && <Fact name="Commit"><code>{r.sha.slice(0, 12)}</code><Copy text={r.sha} label="Copy the commit's id" /></Fact>}
        {r.undoes && <Fact name="Takes back"><a href={deployPath(r.undoes)}>the rollout before</a></Fact>}
        {r.reverts && <Fact name="Reverts"><a href={deployPath(r.reverts)}>a commit of an earlier rollout</a></Fact>}
      </dl>
      <p class="row small">
        {d.previous && <a href={deployPath(d.previous.id)}><Icon name="left" /> before: {nameOf(d.previous)}{between(d.previous.finished, r.finished) && `, ${between(d.previous.finished, r.finished)} earlier`}</a>}
        {d.next && <a href={deployPath(d.next.id)}>after: {nameOf(d.next)} ({d.next.kind}) <Icon name="right" /></a>}
        {safe(r.url) && <Out url={r.url}>Where it was made <Icon name="link" /></Out>}
      </p>
      <ChangedPart r={r} />
      <RollbackLine service={r.service} rollback={d.rollback} />
    </header>
  );
}

// --- what came of it --------------------------------------------------------------------------------------

const eventOf = (incident: string, rollout: string, says: string, by: string): object => ({
  specversion: '1.0',
  id: crypto.getRandomValues(new Uint32Array(4)).join('-'),
  source: 'takt/app',
  type: 'dev.takt.verdict',
  time: new Date().toISOString(),
  data: { incident, rollout, says, ...(by ? { said_by: by } : {}) },
});

const quoteShell = (t: string): string => `'${t.replaceAll("'", "'\\''")}'`;

// A person's word on an incident's link to this rollout. Where the door is closed to pages, the
// command that says the same is shown.
function Say({ d, incident, now }: { d: Deploy; incident: string; now: 'confirm' | 'deny' | null }): JSX.Element {
  const error = useSignal('');
  const wanted = useSignal('');
  const busy = useSignal(false);
  const by = useSignal('');
  const say = async (says: string): Promise<void> => {
    busy.value = true;
    error.value = '';
    wanted.value = says;
    try {
      await request('events', { method: 'POST', headers: { 'content-type': 'application/cloudevents+json' }, body: JSON.stringify(eventOf(incident, d.rollout.id, says, by.value.trim())) });
      await load(d.rollout.id);
    } catch (e) {
      error.value = (e as Error).message;
    }
    busy.value = false;
  };
  const title = visible(incident, 60);
  return (
    <div class="say">
      <label class="offscreen" for={`by-${incident}`}>Your name, for the verdict on {title}</label>
      <input id={`by-${incident}`} class="short" placeholder="your name" value={by.value} autocomplete="name" onInput={(e) => (by.value = e.currentTarget.value)} />
      <button type="button" disabled={busy.value || now === 'confirm'} aria-pressed={now === 'confirm'} onClick={() => void say('confirm')}>Confirm<span class="offscreen"> that it caused {title}</span></button>
      <button type="button" disabled={busy.value || now === 'deny'} aria-pressed={now === 'deny'} onClick={() => void say('deny')}>Deny<span class="offscreen"> that it caused {title}</span></button>
      {error.value && (
        <p class="note bad" role="alert"><span>It was not taken: {visible(error.value, 300)} From a shell: <code>takt event verdict --incident {quoteShell(incident)} --rollout {d.rollout.id} --says {wanted.value}</code></span></p>
      )}
    </div>
  );
}

function LinkRow({ d, l }: { d: Deploy; l: Link }): JSX.Element {
  return (
    <li class={l.decides ? 'decides' : ''} data-k={`link ${l.incident ?? l.rule}`}>
      <div>
        <b><Out url={l.url}><bdi>{visible(l.title || l.incident || because[l.rule] || l.rule, 120)}</bdi></Out></b>{' '}
        <span class="tag">rank {l.rank}: {because[l.rule] ?? l.rule}</span>{' '}
        {l.incident && !l.decides && <span class="tag">a candidate only</span>}
        {l.neighbour && <span class="tag">of a neighbour</span>}
        {l.confirmed && <span class="tag">confirmed by a person</span>}
      </div>
      <p><bdi>{visible(l.says, 240)}</bdi></p>
      {l.incident && (
        <p class="muted small">
          {[l.severity !== undefined && `severity ${l.severity}`, l.state, l.began && `began ${when(l.began)}`, l.recovered ? `recovered after ${between(l.began, l.recovered)}` : 'open'].filter(Boolean).join(' · ')}
        </p>
      )}
      {l.incident && <Say d={d} incident={l.incident} now={l.confirmed ? 'confirm' : null} />}
    </li>
  );
}

function Incidents({ d }: { d: Deploy }): JSX.Element | null {
  const denied = d.verdicts.filter((v) => v.says === 'deny' && !d.links.some((l) => l.incident === v.incident));
  if (!d.links.length && !denied.length) return <Card id="incidents" title="What came of it"><p class="muted">No incident, rollback or mend is linked with this rollout.</p></Card>;
  const links = [...d.links].sort((a, b) => Number(!!b.decides) - Number(!!a.decides) || a.rank - b.rank);
  return (
    <Card id="incidents" title="What came of it">
      <ul class="links">
        {links.map((l, i) => <LinkRow key={`${l.incident}${l.rule}${i}`} d={d} l={l} />)}
        {denied.map((v) => (
          <li key={v.incident} class="muted" data-k={`denied ${v.incident}`}>
            <div><b><bdi>{visible(v.title || v.incident, 120)}</bdi></b> <span class="tag">denied{v.by ? ` by ${visible(v.by, 40)}` : ''}</span></div>
            {v.why && <p><bdi>{visible(v.why, 240)}</bdi></p>}
            <Say d={d} incident={v.incident} now="deny" />
          </li>
        ))}
      </ul>
    </Card>
  );
}

// --- what it brought --------------------------------------------------------------------------------------

const unknown: Record<string, string> = {
  baseline: 'It is the first rollout that is known: what it brought cannot be told.',
  unknown: 'Its commit is not in a history that was imported: takt import git PATH.',
  none: 'It brought no commit that was not there before.',
  cut: 'It brought more commits than are listed.',
};

function Waits({ d }: { d: Deploy }): JSX.Element | null {
  const w = waits(d);
  if (!w) return null;
  const share = (v: number): string => `${((v / (w.open + w.merged || 1)) * 100).toFixed(1)}%`;
  return (
    <div data-k="waits">
      <p>{d.change_requests.length > 1 ? 'In the middle, its changes were' : 'Its change was'} open for review {duration(w.open)}, then merged and not deployed {duration(w.merged)}.</p>
      <div class="shares" aria-hidden="true"><i style={{ width: share(w.open) }} /><i style={{ width: share(w.merged) }} /></div>
    </div>
  );
}

function Commits({ d }: { d: Deploy }): JSX.Element {
  const r = d.rollout;
  const end = r.finished;
  return (
    <Card id="brought" title={d.commits.length ? plural(r.commits, 'commit') : 'What it brought'}>
      {unknown[r.commits_state] && <p class="muted">{unknown[r.commits_state]}</p>}
      <Waits d={d} />
      {d.change_requests.length > 0 && (
        <ul class="changes" aria-label="Change requests">
          {d.change_requests.map((c) => <li key={c.key}><Out url={c.url}>{c.number !== undefined ? `#${c.number} ` : ''}<bdi>{visible(c.title || c.key, 120)}</bdi></Out> <span class="muted">{[c.author && visible(c.author, 40), c.opened && c.merged && `open ${between(c.opened, c.merged)}`].filter(Boolean).join(' · ')}</span></li>)}
        </ul>
      )}
      {d.commits.length > 0 && (
        <Scroll label="Table of the commits">
          <table class="grid">
            <thead><tr><th>Commit</th><th>Message</th><th>Author</th><th class="n">Written before</th><th class="n">Committed before</th></tr></thead>
            <tbody>
              {d.commits.map((c) => (
                <tr key={c.sha}>
                  <th scope="row" class="mono">{c.sha.slice(0, 9)}</th>
                  <td class="wrap"><bdi>{visible(c.subject ?? '', 160)}</bdi>{c.revert && <span class="tag">revert</span>}{c.twin && <span class="tag">delivered before</span>}{c.bot && <span class="tag">bot</span>}</td>
                  <td><bdi>{visible(c.author ?? '', 60)}</bdi></td>
                  <td class="n">{between(c.authored, end)}</td>
                  <td class="n">{between(c.committed, end)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
      {d.commits.length > 0 && d.commits.length < r.commits && <p class="muted small">{count(d.commits.length)} of {plural(r.commits, 'commit')} are shown.</p>}
    </Card>
  );
}

// --- its traces -----------------------------------------------------------------------------------------

function searchOf(r: Rollout, more: string, sort = ''): string {
  const version = r.version ? ` && resource.service.version = ${quote(r.version)}` : '';
  return `traces?${new URLSearchParams({ q: `{ resource.service.name = ${quote(r.service)}${version}${more} }`, range: 'all', ...(sort ? { sort } : {}) })}`;
}

// What sets the traces of this version apart from those of the others.
const explainPath = (r: Rollout): string => `traces?${new URLSearchParams({ q: `{ resource.service.name = ${quote(r.service)} } | compare({ resource.service.version = ${quote(r.version ?? '')} })`, ...stretchOf(r) })}`;
function stretchOf(r: Rollout): Record<string, string> {
  const at = around(r);
  return at ? { range: 'between', start: String(at.start), end: String(at.end) } : { range: 'all' };
}

// Those that took about as long as half of them.
function typicalOf(r: Rollout, p50: number | null | undefined): string | null {
  if (!p50) return null;
  const ns = (v: number): string => `${Math.round(v * 1e9)}ns`;
  return searchOf(r, ` && (kind = server || kind = consumer || nestedSetParent < 0) && duration >= ${ns(p50 * 0.9)} && duration <= ${ns(p50 * 1.1)}`);
}

function Traces({ r }: { r: Rollout }): JSX.Element {
  const typical = typicalOf(r, r.version ? latency.state.value.data?.new.p50 : null);
  return (
    <p class="row" data-k="traces">
      <span class="muted">Traces of {r.version ? 'this version' : 'the service'}:</span>
      <a href={searchOf(r, '')}>newest</a><a href={searchOf(r, ' && status = error')}>with errors</a><a href={searchOf(r, '', 'slowest')}>slowest</a>
      {typical && <a href={typical}>typical</a>}
      {r.version && <a href={explainPath(r)}>explain against other versions</a>}
    </p>
  );
}

function ErrorChart({ r, table }: { r: Rollout; table: boolean }): JSX.Element | null {
  const part = useSignal<typeof import('../search/chart') | null>(null);
  const { data, error } = errors.state.value;
  const marks = useDeploys(data?.from ?? 0, data?.to ?? 0, r.service);
  useEffect(() => void import('../search/chart').then((m) => (part.value = m), () => {}), []);
  if (error) return <Failed what="The errors around it could not be counted" error={error} retry={() => void load(r.id)} />;
  if (!data) return null;
  const m = part.value;
  return (
    <section class="card" aria-labelledby="errors-title" data-k="errors">
      <header class="card-head">
        <h2 id="errors-title">Errors around it</h2>
        {data.spans > 0 && <button type="button" class="quiet" aria-pressed={table} onClick={() => go(deployPath(r.id) + writeQuery(schema, { ...ask.peek(), table: !table }), 'replace')}>As table</button>}
      </header>
      {!data.spans ? <p class="muted">No span of <bdi>{visible(r.service, 60)}</bdi> is stored from an hour before to two hours after it.</p>
        : !m ? <Loading what="Drawing" />
          : <>
            <p class="muted">{count(data.errors)} of {plural(data.spans, 'span')} of the service have errors, from an hour before to two hours after.</p>
            <m.ChartNotes data={data.lines} />
            {table ? <m.ChartTable data={data.lines} unit=" %" /> : <m.Chart data={data.lines} unit=" %" from={data.from} to={data.to} deploys={marks} />}
          </>}
      <Traces r={r} />
    </section>
  );
}

function LatencyPart({ r }: { r: Rollout }): JSX.Element | null {
  const part = useSignal<typeof import('./latency').LatencyCard | null>(null);
  const { data, error } = latency.state.value;
  useEffect(() => {
    if (data) void import('./latency').then((m) => (part.value = m.LatencyCard), () => {});
  }, [data]);
  if (error) return <Failed what="The latency around it could not be read" error={error} retry={() => void load(r.id)} />;
  if (!r.version) return <Card id="latency-title" k="latency" title="Latency, before and after"><p class="muted">Cannot know: the rollout names no version, so its requests cannot be told from others.</p></Card>;
  const Shown = part.value;
  if (!data || !Shown || !(data.old.requests + data.new.requests)) return null; // the errors say that there are no spans
  const now = ask.value;
  return <Shown data={data} table={now.latency} toggle={() => go(deployPath(r.id) + writeQuery(schema, { ...now, latency: !now.latency }), 'replace')} />;
}

function ImpactPart(): JSX.Element | null {
  const part = useSignal<ComponentType<{ data: Impact }> | null>(null);
  const { data, error } = impact.state.value;
  useEffect(() => {
    if (data) void import('./impact').then((m) => (part.value = m.ImpactCard), () => {});
  }, [data]);
  if (error) return <Failed what="Its impact could not be read" error={error} retry={() => void load(deploy.state.peek().data?.rollout.id ?? '')} />;
  const Shown = part.value;
  return data && Shown ? <Shown data={data} /> : null;
}

export default function DeployPage({ id }: { id: string }): JSX.Element {
  const { data: d, error } = deploy.state.value;
  const shown = d && (d.rollout.id === id) ? d : null;
  useTitle(shown ? `${visible(shown.rollout.service, 40)} ${nameOf(shown.rollout)}` : 'Deploy');
  useEffect(() => {
    void load(id);
    return () => [deploy, impact, changed, errors, latency].forEach((r) => r.stop());
  }, [id]);
  if (error?.status === 404)
    return <div class="page" data-ready=""><Empty top title="No such rollout"><p class="mono">{visible(id, 80)}</p><p>Rollouts are made anew from the events; one whose events changed may have another id.</p><p><a class="button" href="delivery">Delivery</a></p></Empty></div>;
  if (error && !shown) return <div class="page" data-ready=""><Failed top what="The rollout could not be read" error={error} retry={() => void load(id)} /></div>;
  if (!shown) return <div class="page"><Loading what="Reading the rollout" /></div>;
  const settled = (s: { data: unknown; error: unknown; busy: boolean }): boolean => !s.busy;
  const ready = [errors, impact, changed, latency].every((x) => settled(x.state.value));
  return (
    <div class="page" data-ready={ready ? '' : undefined}>
      <Head d={shown} />
      <ImpactPart />
      <Incidents d={shown} />
      <Commits d={shown} />
      <LatencyPart r={shown.rollout} />
      <ErrorChart r={shown.rollout} table={ask.value.table} />
      <Attempts d={shown} />
      <Runs d={shown} />
    </div>
  );
}
