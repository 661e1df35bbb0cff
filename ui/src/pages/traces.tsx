// SPDX-License-Identifier: Apache-2.0
// Recent traces: filters, how many there are, the list.
import { computed, signal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { getJson, type Services, type Status, type TraceList, type TraceRow } from '../base/api';
import { coloursOf } from '../base/colour';
import { count, plural, visible } from '../base/format';
import { addShortcuts } from '../base/keys';
import { Empty, Failed, Icon, Loading, Service, useTitle } from '../base/parts';
import { zone } from '../base/prefs';
import { readQuery, writeQuery } from '../base/query';
import { repeat, resource } from '../base/resource';
import { go, place } from '../base/router';
import { ago, dateOf, duration, timeOfDay, zoneName } from '../base/time';
import { Filters, listPath, schema, type TraceFilter } from './filters';

const LIVE_MS = 2000;
const SERVICES_SHOWN = 4;

const filter = computed<TraceFilter>(() => readQuery(schema, place.value.query));
const list = resource<TraceList>();
const services = resource<Services>();
const status = resource<Status>();
const more = resource<TraceList>();
const picked = signal(0); // the row that the keyboard is on

const load = (keep = true): Promise<void> =>
  list.load((signal) => getJson<TraceList>(listPath(filter.value, null), signal), keep);

async function loadMore(): Promise<void> {
  const have = list.state.value.data;
  if (!have?.cursor) return;
  await more.load((signal) => getJson<TraceList>(listPath(filter.value, have.cursor), signal));
  const { data, error } = more.state.value;
  if (data && !error && list.state.value.data === have) list.set({ ...data, traces: [...have.traces, ...data.traces] });
}

// The page of one filter; another filter begins anew.
function useList(): void {
  const query = place.value.query.toString();
  const live = filter.value.live;
  useEffect(() => {
    picked.value = 0;
    more.stop();
    if (!live) void load();
    const stop = live ? repeat(LIVE_MS, () => load()) : undefined;
    return () => {
      stop?.();
      list.stop();
    };
  }, [query, live]);
  useEffect(() => {
    void services.load((signal) => getJson('api/takt/services', signal));
    void status.load((signal) => getJson('api/takt/status', signal));
  }, []);
}

function Counts({ data, busy }: { data: TraceList; busy: boolean }): JSX.Element {
  return (
    <p class="counts" role="status" data-k="counts">
      <b>{count(data.traces.length)}</b> of <b>{count(data.total)}</b>{data.complete ? '' : ' or more'} traces
      <span class={data.complete ? 'muted' : 'tag warn'}>{data.complete ? ' · complete' : 'partial: the search stopped early'}</span>
      <span class={`busy ${busy ? 'on' : ''}`} aria-hidden="true" />
    </p>
  );
}

function Row({ t, at, longest, colours }: { t: TraceRow; at: number; longest: number; colours: Map<string, number> }): JSX.Element {
  const start = BigInt(t.startUnixNano);
  const ns = Number(t.durationNano);
  return (
    <tr class={at === picked.value ? 'picked' : ''} data-k={t.traceId}>
      <td class="nowrap time"><span class="date">{dateOf(start, zone.value)} </span>{timeOfDay(start, zone.value)}</td>
      <td class="name"><div>
        {t.errors > 0 && <Icon name="error" label={plural(t.errors, 'error')} />}
        <a href={`t/${t.traceId}`} id={`row-${at}`}><bdi>{visible(t.rootName, 120) || '(no name)'}</bdi></a>
        <Service name={t.rootService} colour={colours.get(t.rootService) ?? 0} />
      </div></td>
      <td class="n nowrap length"><div>
        <i aria-hidden="true"><b style={{ width: `${Math.max(1, (100 * ns) / longest)}%` }} /></i>
        <span>{duration(ns)}</span>
      </div></td>
      <td class="n spans">{count(t.spans)}</td>
      <td class={`n errors ${t.errors ? 'bad' : 'muted'}`}>{count(t.errors)}</td>
      <td class="services">
        {t.services.slice(0, SERVICES_SHOWN).map((s) => <Service key={s.name} name={s.name} colour={colours.get(s.name) ?? 0} />)}
        {t.services.length > SERVICES_SHOWN && <span class="muted">+{t.services.length - SERVICES_SHOWN}</span>}
      </td>
    </tr>
  );
}

function Table({ data }: { data: TraceList }): JSX.Element {
  const longest = Math.max(1, ...data.traces.map((t) => Number(t.durationNano)));
  const colours = coloursOf(data.traces.flatMap((t) => [t.rootService, ...t.services.map((s) => s.name)]));
  return (
    <div class="scroll-x">
      <table class="grid traces">
        <thead>
          <tr><th scope="col">Start ({zoneName(zone.value)})</th><th scope="col">Root operation</th><th scope="col" class="n">Duration</th>
            <th scope="col" class="n spans">Spans</th><th scope="col" class="n errors">Errors</th><th scope="col" class="services">Services</th></tr>
        </thead>
        <tbody>{data.traces.map((t, i) => <Row key={t.traceId} t={t} at={i} longest={longest} colours={colours} />)}</tbody>
      </table>
    </div>
  );
}

const everything = (): string => 'traces' + writeQuery(schema, { ...readQuery(schema, new URLSearchParams()), range: 'all' });

// Nothing to show: because nothing ever came, or because nothing fits.
function NoRows(): JSX.Element {
  const s = status.state.value.data;
  if (s && !s.store.spans)
    return (
      <Empty title="No span has been received yet">
        <p>Send the first one from your application, or let Takt send a test span.</p>
        <p><a class="button primary" href="start">How to send</a></p>
      </Empty>
    );
  const newest = s?.store.newest_unix_ns;
  return (
    <Empty title="No trace matches">
      {newest && <p>The newest span began {ago(BigInt(newest), BigInt(s.now_unix_ns))}.</p>}
      <p class="row centre">
        <a class="button" href={'traces' + writeQuery(schema, { ...filter.value, range: 'all', start: '', end: '' })}>Same filters, all time</a>
        <a class="button" href={everything()}>Clear all filters</a>
      </p>
    </Empty>
  );
}

function Results(): JSX.Element {
  const { data, error, busy } = list.state.value;
  if (error && !data) return <Failed what="The traces could not be listed" error={error} retry={() => void load()} />;
  if (!data) return <Loading what="Looking for traces" />;
  const next = more.state.value;
  return (
    <>
      {error && <Failed what="The list could not be refreshed" error={error} retry={() => void load()} />}
      <Counts data={data} busy={busy} />
      {data.traces.length ? <Table data={data} /> : <NoRows />}
      {next.error && <Failed what="The next traces could not be listed" error={next.error} retry={() => void loadMore()} />}
      {data.cursor && !next.error && (
        <p class="row centre"><button type="button" disabled={next.busy} onClick={() => void loadMore()}>Load {count(Math.min(filter.value.limit, data.total - data.traces.length) || filter.value.limit)} more</button></p>
      )}
    </>
  );
}

function pick(step: number): void {
  const n = list.state.value.data?.traces.length ?? 0;
  const at = Math.min(n - 1, Math.max(0, picked.value + step));
  picked.value = at;
  document.getElementById(`row-${at}`)?.focus();
}

export default function Traces(): JSX.Element {
  useTitle('Traces');
  useList();
  useEffect(() => addShortcuts('Traces', [
    { keys: 'j', what: 'Next trace', run: () => pick(document.activeElement?.id.startsWith('row-') ? 1 : 0) },
    { keys: 'k', what: 'Trace before', run: () => pick(-1) },
    { keys: 'Enter', what: 'Open it' },
    { keys: 'l', what: 'Live on or off', run: () => go('traces' + writeQuery(schema, { ...filter.value, live: !filter.value.live }), 'replace') },
  ]), []);
  const { data, error } = list.state.value;
  return (
    <div class="page" data-ready={data || error ? '' : undefined}>
      <h1>Recent traces</h1>
      <Filters filter={filter.value} services={services.state.value.data?.services ?? []} />
      <Results />
    </div>
  );
}
