// SPDX-License-Identifier: Apache-2.0
// Traces: a query, the picture of what it finds, why some of it differs, the list. Without a query
// the newest traces. What is seen is what the address says.
import { computed, signal, useSignal } from '@preact/signals';
import type { ComponentChildren, ComponentType, JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { getJson, type ApiError, type Services, type Status } from '../base/api';
import { isBad as isBadDeploy, momentOf, shortName, type Rollout } from '../base/delivery';
import { count, plural, visible } from '../base/format';
import { addShortcuts } from '../base/keys';
import { useDeploys } from '../base/markers';
import { Empty, Failed, Icon, Loading, useTitle } from '../base/parts';
import { zone } from '../base/prefs';
import { readQuery } from '../base/query';
import { repeat, resource } from '../base/resource';
import { go, place } from '../base/router';
import { ago, dateTime, duration, timeOfDay, zoneName } from '../base/time';
import { trail } from '../base/trail';
import type { Explanation, Found, SeriesAnswer } from '../search/answers';
import { elsewherePath, explainPath, fromOldAddress, heatPath, listPath, noSelection, pathOf, readDefaults, schema, seriesPath, stretchOf, type Ask, type Stretch } from '../search/ask';
import { compareSelection, compareTraces } from '../search/cohorts';
import { beforeOf } from '../search/differences';
import { draft, run, runs } from '../search/draft';
import { Editor } from '../search/editor';
import { Fields } from '../search/fields';
import { addCondition, durationLiteral, isComparison, isMetrics, readFilter, setCondition, valueOf } from '../search/filter';
import { cellsOf, countIn, makeHeat, type Box, type Heat } from '../search/heat';
import { makeLines, unitOf, type Lines } from '../search/lines';
import { RangePicker } from '../search/range';
import { Counts, picked, spanRows, Table } from '../search/results';
import { Save } from '../search/save';
import { stepFor } from '../search/scale';

const LIVE_MS = 2000;
const HEAT_COLUMNS = 120;
const CHART_POINTS = 180;
const EXEMPLARS = 60;

const ask = computed<Ask>(() => readQuery(schema, place.value.query));
const metrics = computed(() => isMetrics(ask.value.q));

interface Chart {
  answer: SeriesAnswer;
  lines: Lines;
  from: number;
  to: number;
}

const list = resource<Found>();
const more = resource<Found>();
const elsewhere = resource<Found>();
const heat = resource<Heat>();
const explain = resource<Explanation & { of: string }>(); // of: what was asked
const chart = resource<Chart>();
const services = resource<Services>();
const status = resource<Status>();

// The time that the last question was about: for pictures, what follows from them, and next pages.
const asked = signal<Stretch | null>(null);

// --- asking -------------------------------------------------------------------------------------------

// By the server's clock, as far as it is known.
let clockOffset = 0n;
const now = (): bigint => BigInt(Date.now()) * 1_000_000n + clockOffset;

// One question at a time: another would end the one that somebody waits for.
let statusComing: Promise<void> | null = null;

async function loadStatus(): Promise<void> {
  statusComing ??= status.load((signal) => getJson<Status>('api/takt/status', signal)).finally(() => (statusComing = null));
  await statusComing;
  const s = status.state.peek().data;
  if (s) clockOffset = BigInt(s.now_unix_ns) - BigInt(Date.now()) * 1_000_000n;
}

// The stretch that a picture shows: what is asked for, or all that is stored.
function extentOf(a: Ask): Stretch | null {
  const at = stretchOf(a, now());
  if (at || a.range !== 'all') return at;
  const store = status.state.peek().data?.store;
  if (!store?.oldest_unix_ns || !store.newest_unix_ns) return { start: 0n, end: now() };
  return { start: BigInt(store.oldest_unix_ns) - 1n, end: BigInt(store.newest_unix_ns) };
}

const ms = (ns: bigint): number => Number(ns / 1000n) / 1000;

async function loadHeat(a: Ask, at: Stretch, stop: AbortSignal): Promise<Heat> {
  const [from, to] = [ms(at.start), ms(at.end)];
  const step = stepFor(to - from, HEAT_COLUMNS);
  return makeHeat(await getJson<SeriesAnswer>(heatPath(a, at, step)!, stop), from, to, step);
}

async function loadChart(a: Ask, at: Stretch, stop: AbortSignal): Promise<Chart> {
  const [from, to] = [ms(at.start), ms(at.end)];
  const answer = await getJson<SeriesAnswer>(seriesPath(a.q, at, stepFor(to - from, CHART_POINTS), EXEMPLARS), stop);
  const lines = makeLines(answer, a.q);
  return { answer, lines, from, to: Math.max(to, lines.times[lines.times.length - 1] ?? to) };
}

async function loadList(a: Ask, keep: boolean): Promise<void> {
  await list.load((stop) => getJson<Found>(listPath(a, asked.peek(), null), stop), keep);
  const { data, error } = list.state.peek();
  if (data && !error && !data.traces.length && a.range !== 'all') void elsewhere.load((stop) => getJson<Found>(elsewherePath(a), stop), false);
}

// What the pictures show, and the time that the list is about.
async function askPictures(keep: boolean): Promise<void> {
  const a = ask.peek();
  asked.value = stretchOf(a, now());
  if (a.range === 'all') await loadStatus();
  const extent = extentOf(a);
  if (!extent) return;
  if (metrics.peek()) await chart.load((stop) => loadChart(a, extent, stop), keep);
  else if (heatPath(a, extent, 1)) await heat.load((stop) => loadHeat(a, extent, stop), keep);
}

async function askList(keep: boolean): Promise<void> {
  if (!keep) {
    more.stop();
    picked.value = 0;
  }
  if (!metrics.peek()) await loadList(ask.peek(), keep);
}

async function loadMore(): Promise<void> {
  const have = list.state.value.data;
  if (!have?.cursor) return;
  await more.load((stop) => getJson<Found>(listPath(ask.value, asked.value, have.cursor), stop));
  const { data, error } = more.state.value;
  if (!data || error || list.state.value.data !== have) return;
  list.set({ ...data, total: data.total ?? have.total ?? null, columns: [...new Set([...(have.columns ?? []), ...(data.columns ?? [])])], complete: have.complete && data.complete, why: have.why ?? data.why ?? null, traces: [...have.traces, ...data.traces] });
}

const retry = (): void => void (askPictures(true), askList(true));

async function loadExplain(a: Ask, at: Stretch): Promise<void> {
  const of = explainPath(a, at, a.box!);
  await explain.load(async (stop) => ({ of, ...(await getJson<Explanation>(of, stop)) }));
  const { data, error } = explain.state.peek();
  const h = heat.state.peek().data;
  const cells = h && cellsOf(h, a.box!);
  // Spans that came since the picture was drawn are explained: it catches up.
  if (data?.of === of && !error && !a.before && cells && countIn(h, cells) !== data.selection) await askPictures(true);
}

// What explains the selection as it is now; null: not known yet.
function explained(a: Ask): Explanation | null {
  const extent = a.box && a.explain ? extentOf(a) : null;
  const { data, error } = explain.state.value;
  return extent && data && !error && data.of === explainPath(a, extent, a.box!) ? data : null;
}

const isOld = (): boolean => fromOldAddress(place.peek().query) !== null;

// The moment of a selection is that of the picture it was made on: nothing to ask anew.
function isShown(a: Ask, query: string | null): boolean {
  const have = asked.peek();
  return !!a.at && query === a.q && !!have && String(have.end) === a.at && stretchOf(a, 0n)?.start === have.start && !!heat.state.peek().data;
}

// Asks again when the question changes, not when only its looks do.
function useAsking(): void {
  const a = ask.value;
  const about = [a.q, a.range, a.start, a.end, a.at, a.live, runs.value];
  const shown = useRef<string | null>(null);
  useEffect(() => {
    if (isOld()) go(pathOf({ ...a, q: a.q || fromOldAddress(place.peek().query)! }), 'replace');
  }, [a]);
  useEffect(() => {
    if (isOld() || isShown(a, shown.current)) return;
    shown.current = a.q;
    if (!a.live) void askPictures(false);
  }, about);
  useEffect(() => {
    if (isOld() || a.live) return;
    void askList(list.state.peek().data?.cursor !== undefined && isShown(a, shown.current));
  }, [...about, a.sort, a.rows, a.limit]);
  useEffect(() => {
    if (!a.live) return undefined;
    let first = true;
    return repeat(LIVE_MS, () => {
      const keep = !first;
      first = false;
      return Promise.all([askPictures(keep), askList(keep)]);
    });
  }, [...about, a.sort, a.rows, a.limit]);
  useEffect(() => () => [list, more, heat, chart, elsewhere, explain].forEach((r) => r.stop()), []);
  const at = asked.value;
  const box = JSON.stringify(a.box);
  useEffect(() => {
    const extent = a.box && a.explain ? extentOf(a) : null;
    if (extent) void loadExplain(a, extent);
  }, [a.q, a.explain, a.before, box, at?.start, at?.end]);
  useEffect(() => {
    void services.load((signal) => getJson('api/takt/services', signal));
    void loadStatus();
  }, []);
  const rows = rowPaths.value;
  useEffect(() => void (trail.value = rows), [rows]);
}

// --- changing what is asked -------------------------------------------------------------------------

const set = (change: Partial<Ask>, how: 'push' | 'replace' = 'push'): void => go(pathOf({ ...ask.peek(), ...change }), how);

// A selection is one of a moment: a range that follows the clock stands still with it.
function select(b: Box | null, withExplain = false): void {
  const a = ask.peek();
  if (!b) return set({ ...noSelection, at: '' });
  const at = asked.peek();
  set({ box: b, before: 0, explain: withExplain || a.explain, at: a.range === 'all' || a.range === 'between' || !at ? '' : String(at.end), live: false });
}

function zoom(b: Box): void {
  let q = setCondition(draft.peek(), 'duration', '<=', durationLiteral(b.max));
  if (b.min > 0) q = setCondition(q, 'duration', '>', durationLiteral(b.min));
  draft.value = q;
  set({ q, range: 'between', start: `${Math.round(b.from)}000000`, end: `${Math.round(b.to)}000000`, at: '', ...noSelection, tick: [], live: false });
}

const onCondition = (text: string): void => run(ask.peek(), addCondition(draft.peek(), text));

function onTick(trace: string): void {
  const have = ask.peek().tick;
  set({ tick: have.includes(trace) ? have.filter((t) => t !== trace) : [...have, trace].slice(-2) }, 'replace');
}

// --- parts ----------------------------------------------------------------------------------------------

// A part that is loaded when it is needed first.
function Lazy<M>({ load, children }: { load: () => Promise<M>; children: (m: M) => ComponentChildren }): JSX.Element {
  const part = useSignal<{ m: M } | null>(null);
  const failed = useSignal(false);
  useEffect(() => void load().then((m) => (part.value = { m }), () => (failed.value = true)), []);
  if (failed.value) return <p class="muted">This part of the page could not be loaded.</p>;
  return part.value ? <>{children(part.value.m)}</> : <div class="heat-room" aria-busy="true" />;
}

// The deploy at a moment, as its mark on the time axis names it.
const deployAt = (ms: number, deploys: readonly Rollout[]): Rollout | null => deploys.find((r) => momentOf(r) === ms) ?? null;
const deployName = (r: Rollout): string => `${isBadDeploy(r) ? '✖' : '▲'} ${visible(r.service, 40)} ${shortName(r)}`;

function Selection({ a, h, deploys }: { a: Ask; h: Heat; deploys: readonly Rollout[] }): JSX.Element | null {
  const b = a.box;
  if (!b) return null;
  const cells = cellsOf(h, b);
  // One number: what the explanation counted, once it is there.
  const n = a.before ? null : explained(a)?.selection;
  const before = beforeOf(b, deploys, valueOf(readFilter(a.q), 'resource.service.name', '='));
  const isExplained = a.explain && !a.before;
  const isCompared = a.explain && a.before > 0;
  const extent = extentOf(a);
  return (
    <Lazy load={() => import('../search/heatmap')}>{(m) => (
      <div class="row selection" data-k="selection">
        <span><b>Selection:</b> {n !== null && n !== undefined ? plural(n, 'span') : cells ? plural(countIn(h, cells), 'span') : 'outside the picture'} · {m.boxText(b, h.step)}</span>
        <span class="row">
          <button type="button" class={a.explain ? '' : 'primary'} aria-pressed={isExplained} onClick={() => set({ explain: !isExplained, before: 0 })}>Explain</button>
          <button type="button" onClick={() => zoom(b)}>Zoom</button>
          <button type="button" onClick={() => select(null)}>Clear</button>
          <button type="button" aria-pressed={isCompared} title={before.deploy ? 'With the same length of time before this deploy' : 'With the same length of time before the selection'}
            onClick={() => set(isCompared ? { explain: false, before: 0 } : { explain: true, before: Math.round(before.at) })}>Compare with before{before.deploy && ` ${deployName(before.deploy)}`}</button>
          {extent && <a class="button" href={compareSelection(a, extent, b)} title="By where their traces spend their time">Compare {a.before ? 'traces with those before' : 'with the rest'}</a>}
        </span>
      </div>
    )}</Lazy>
  );
}

function ExplainPart({ a, deploys }: { a: Ask; deploys: readonly Rollout[] }): JSX.Element | null {
  if (!a.box || !a.explain) return null;
  const { data, error } = explain.state.value;
  const extent = extentOf(a);
  if (error) return <Failed what="The selection could not be explained" error={error} retry={() => extent && void loadExplain(a, extent)} />;
  if (!data || (a.before > 0 && !explained(a))) return <Loading what={a.before ? 'Comparing the selection with the time before' : 'Comparing the selection with the rest'} />;
  const told = a.before > 0 ? { title: <BeforeTitle a={a} data={data} deploys={deploys} />, sides: ['Since', 'Before'] as const } : {};
  return <Lazy load={() => import('../search/explain')}>{({ Explain }) => <Explain data={data} {...told} deploys={deploys} onCondition={onCondition} />}</Lazy>;
}

// Which times are compared, and how many spans as long as the selection each of them has.
function BeforeTitle({ a, data, deploys }: { a: Ask; data: Explanation; deploys: readonly Rollout[] }): JSX.Element {
  const [to, long] = [a.box!.to, a.box!.to - a.before];
  const time = (ms: number): string => (long > 86400e3 ? dateTime : timeOfDay)(BigInt(Math.round(ms)) * 1_000_000n, zone.value, long < 60e3 ? 3 : 0);
  const deploy = deployAt(a.before, deploys);
  return (
    <>
      {plural(data.selection, 'span')} of {duration(a.box!.min)} – {duration(a.box!.max)} from {time(a.before)} to {time(to)}
      {deploy && <>, since {deployName(deploy)}</>}, against {count(data.rest)} in the same length of time before
    </>
  );
}

function Picture({ a }: { a: Ask }): JSX.Element | null {
  const { data: h, error, busy } = heat.state.value;
  const deploys = useDeploys(h?.from ?? 0, h ? h.from + h.columns * h.step : 0);
  if (isBad(error)) return null; // the list says so
  if (error && !h) return <p class="note bad" role="alert"><Icon name="error" /><span>The picture of durations failed: {visible(error.message)}</span> <button type="button" onClick={retry}>Try again</button></p>;
  if (!h) return busy ? <section class="card heat-card" aria-busy="true"><div class="heat-room" /></section> : null;
  if (!h.total && !a.box) return null;
  return (
    <section class="card heat-card" aria-label="Durations over time">
      <header class="card-head">
        <h2>Durations of {count(h.total)} {a.q.trim() ? 'matching ' : ''}{h.total === 1 ? 'span' : 'spans'}</h2>
        {h.partial && <span class="tag warn">partial: {visible(h.partial, 120)}</span>}
        <button type="button" class="quiet" aria-pressed={a.table} onClick={() => set({ table: !a.table }, 'replace')}>As table</button>
      </header>
      <Lazy load={() => import('../search/heatmap')}>{({ Heatmap, HeatTable }) =>
        a.table ? <HeatTable heat={h} /> : <Heatmap heat={h} selected={a.box} onSelect={select} deploys={deploys} />}</Lazy>
      <Selection a={a} h={h} deploys={deploys} />
      <ExplainPart a={a} deploys={deploys} />
    </section>
  );
}

// compare() has no lines to look at: what it says are differences.
function Comparison({ data, query, deploys }: { data: SeriesAnswer; query: string; deploys: readonly Rollout[] }): JSX.Element {
  return (
    <section class="card" aria-label="Comparison" data-k="comparison">
      <header class="card-head"><h2>What sets the selection apart</h2></header>
      <Lazy load={() => Promise.all([import('../search/explain'), import('../search/differences')])}>{([{ Explain }, { explanationOf }]) => <Explain data={explanationOf(data, query)} deploys={deploys} onCondition={onCondition} />}</Lazy>
    </section>
  );
}

function ChartPart({ a }: { a: Ask }): JSX.Element {
  const { data, error } = chart.state.value;
  const deploys = useDeploys(data?.from ?? 0, data?.to ?? 0);
  if (isBad(error)) return <Invalid error={error!} />;
  if (error && !data) return <Failed what="The metrics could not be computed" error={error} retry={retry} />;
  if (a.range === 'between' && !stretchOf(a, 0n)) return <Empty title="Choose a time"><p>Metrics need a from and a to.</p></Empty>;
  if (!data) return <Loading what="Computing metrics" />;
  if (isComparison(a.q)) return <Comparison data={data.answer} query={a.q} deploys={deploys} />;
  const unit = unitOf(a.q);
  return (
    <section class="card" aria-label="Metrics" data-k="chart">
      <header class="card-head">
        <h2>{plural(data.lines.lines.length, 'line')}{data.lines.hidden ? ` of ${plural(data.lines.lines.length + data.lines.hidden, 'series', 'series')}` : ''}</h2>
        <button type="button" class="quiet" aria-pressed={a.table} onClick={() => set({ table: !a.table }, 'replace')}>As table</button>
      </header>
      {data.lines.lines.length ? (
        <Lazy load={() => import('../search/chart')}>{({ Chart, ChartTable, ChartNotes }) => (
          <>
            <ChartNotes data={data.lines} />
            {a.table ? <ChartTable data={data.lines} unit={unit} /> : <Chart data={data.lines} unit={unit} from={data.from} to={data.to} deploys={deploys} />}
          </>
        )}</Lazy>
      ) : <NoRows a={a} found={null} />}
    </section>
  );
}

// A query that the server does not take, as opposed to one that failed.
const isBad = (error: ApiError | null): boolean => error?.status === 400;

function Invalid({ error }: { error: ApiError }): JSX.Element {
  return (
    <div class="empty invalid" role="alert">
      <h2><Icon name="warn" /> The query cannot be run</h2>
      <pre class="reason">{error.message.split('\n').map((line) => visible(line, 800)).join('\n')}</pre>
    </div>
  );
}

const everything = (): string => pathOf({ ...readDefaults(), range: 'all' });

// Nothing to show: because nothing ever came, because nothing fits, or because it lies elsewhere.
function NoRows({ a, found }: { a: Ask; found: Found | null }): JSX.Element {
  const s = status.state.value.data;
  if (s && !s.store.spans)
    return (
      <Empty title="No span has been received yet">
        <p>Send the first one from your application, or let Takt send a test span.</p>
        <p><a class="button primary" href="start">How to send</a></p>
      </Empty>
    );
  const other = found && a.range !== 'all' ? elsewhere.state.value.data : null;
  const newest = other?.traces[0];
  const stored = s?.store.newest_unix_ns;
  return (
    <Empty title={newest ? 'No trace matches in this time' : found ? 'No trace matches' : 'No samples'}>
      {!found && <p>No span matches in this time, or none of them has the field that is measured.</p>}
      {newest ? (
        <p>{other.total ? `${other.exact === false ? 'At least ' : ''}${plural(other.total, 'trace matches', 'traces match')}` : 'Traces match'} at other times; the newest began {dateTime(BigInt(newest.startUnixNano), zone.value, 0)} {zoneName(zone.value)}.</p>
      ) : stored && s ? <p>The newest span began {ago(BigInt(stored), BigInt(s.now_unix_ns))}.</p> : null}
      {found && !found.complete && <p class="tag warn">partial: {visible(found.why || 'the search stopped early')}</p>}
      <p class="row centre">
        {a.range !== 'all' && <a class="button" href={pathOf({ ...a, range: 'all', start: '', end: '', at: '', ...noSelection })}>Same query, all time</a>}
        {newest && <a class="button" href={pathOf({ ...a, ...around(BigInt(newest.startUnixNano)), ...noSelection })}>Go there</a>}
        <a class="button" href={everything()}>Clear the query</a>
      </p>
    </Empty>
  );
}

const HALF_HOUR = 1_800_000_000_000n;
const around = (ns: bigint): Partial<Ask> => ({ range: 'between', start: String(ns - HALF_HOUR), end: String(ns + HALF_HOUR), at: '', live: false });

// What is sorted where rows are spans: spans by their length, else still the traces.
const sorts: readonly [Ask['sort'], Record<Ask['rows'], string>][] = [
  ['newest', { traces: 'newest first', spans: 'newest traces first' }],
  ['slowest', { traces: 'slowest first', spans: 'slowest spans first' }],
  ['spans', { traces: 'most spans first', spans: 'most spans in a trace first' }],
];

function Tools({ a }: { a: Ask }): JSX.Element {
  const two = a.tick.length === 2;
  return (
    <div class="row results-tools">
      <div class="pair" role="group" aria-label="Rows">
        {(['traces', 'spans'] as const).map((r) => <button key={r} type="button" aria-pressed={a.rows === r} onClick={() => set({ rows: r })}>{r === 'traces' ? 'Traces' : 'Spans'}</button>)}
      </div>
      <label class="row sort">Sort
        <select aria-label="Sort" value={a.sort} onChange={(e) => set({ sort: e.currentTarget.value as Ask['sort'] })}>
          {sorts.map(([value, what]) => <option key={value} value={value}>{what[a.rows]}</option>)}
        </select>
      </label>
      {a.tick.length > 0 && (
        <span class="row" data-k="ticked">
          {two ? <a class="button primary" href={compareTraces(a.tick[0]!, a.tick[1]!)}>Compare</a> : <span class="muted">Tick one more to compare</span>}
          <button type="button" class="quiet" onClick={() => set({ tick: [] }, 'replace')}>Untick</button>
        </span>
      )}
    </div>
  );
}

function Results({ a }: { a: Ask }): JSX.Element {
  const { data, error, busy } = list.state.value;
  if (isBad(error)) return <Invalid error={error!} />;
  if (error && !data) return <Failed what="The traces could not be listed" error={error} retry={retry} />;
  if (!data) return <Loading what="Looking for traces" />;
  const next = more.state.value;
  const left = (data.total ?? 0) - data.traces.length;
  return (
    <>
      {error && <Failed what="The list could not be refreshed" error={error} retry={retry} />}
      <div class="results-head"><Counts ask={a} found={data} busy={busy} /><Tools a={a} /></div>
      {data.traces.length ? <Table ask={a} found={data} onTick={onTick} onCondition={onCondition} /> : <NoRows a={a} found={data} />}
      {next.error && <Failed what="The next traces could not be listed" error={next.error} retry={() => void loadMore()} />}
      {data.cursor && !next.error && (
        <p class="row centre"><button type="button" disabled={next.busy} onClick={() => void loadMore()}>Load {count(left > 0 ? Math.min(a.limit, left) : a.limit)} more</button></p>
      )}
    </>
  );
}

// --- the page -------------------------------------------------------------------------------------------

const rowPaths = computed<string[]>(() => {
  const found = list.state.value.data;
  if (!found) return [];
  return ask.value.rows === 'spans' ? spanRows(found, ask.value.sort).map((r) => `t/${r.trace.traceId}?span=${r.span.spanId}`) : found.traces.map((t) => `t/${t.traceId}`);
});

function pick(step: number): void {
  const at = Math.min(rowPaths.value.length - 1, Math.max(0, picked.value + step));
  picked.value = at;
  document.getElementById(`row-${at}`)?.focus();
}

function tickPicked(): void {
  const id = rowPaths.value[picked.value]?.slice(2, 34);
  if (id) onTick(id);
}

function useKeys(): void {
  useEffect(() => addShortcuts('Traces', [
    { keys: 'q', what: 'Write the query', run: () => document.getElementById('q')?.focus() },
    { keys: 'j', what: 'Next row', run: () => pick(document.activeElement?.id.startsWith('row-') ? 1 : 0) },
    { keys: 'k', what: 'Row before', run: () => pick(-1) },
    { keys: 'Enter', what: 'Open it' },
    { keys: 'x', what: 'Tick it, to compare', run: tickPicked },
    { keys: 'c', what: 'Compare the two that are ticked', run: () => ask.value.tick.length === 2 && go(compareTraces(ask.value.tick[0]!, ask.value.tick[1]!)) },
    { keys: 'm', what: 'To the picture; Shift with arrows selects', run: () => document.querySelector<HTMLElement>('.heat, .chart')?.focus() },
    { keys: 'l', what: 'Live on or off', run: () => set({ live: !ask.value.live, at: '' }, 'replace') },
  ]), []);
}

const Parts: ComponentType<{ a: Ask }> = ({ a }) => (metrics.value ? <ChartPart a={a} /> : <><Picture a={a} /><Results a={a} /></>);

export default function Traces(): JSX.Element {
  useTitle('Traces');
  useAsking();
  useKeys();
  const a = ask.value;
  const { data, error } = (metrics.value ? chart : list).state.value;
  return (
    <div class="page search" data-ready={data || error ? '' : undefined}>
      <div class="search-head"><h1>Traces</h1><RangePicker ask={a} /></div>
      <Editor ask={a} stretch={() => asked.peek()} side={<Save ask={a} />} />
      <Fields ask={a} services={services.state.value.data?.services ?? []} />
      <Parts a={a} />
    </div>
  );
}
