// SPDX-License-Identifier: Apache-2.0
// One trace: what it is on top, tools, the waterfall, the details of the selected span.
import { signal, useSignalEffect } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { ApiError, request } from '../base/api';
import { count, plural, visible } from '../base/format';
import { addShortcuts } from '../base/keys';
import { Copy, Empty, Failed, Icon, Loading, Service, useTitle } from '../base/parts';
import { zone } from '../base/prefs';
import { resource } from '../base/resource';
import { addressOf, go } from '../base/router';
import { dateTime, duration, zoneName } from '../base/time';
import { trail } from '../base/trail';
import { TraceMarkers } from '../trace/deploys';
import { Details, moved } from '../trace/details';
import { loadModel } from '../trace/model';
import { NONE } from '../trace/skeleton';
import { TraceView } from '../trace/view';
import { Waterfall } from '../trace/waterfall';

interface Loaded {
  view: TraceView;
  partial: string;
}

const trace = resource<Loaded>();
const ready = signal(false);

async function fetchTrace(id: string, stop: AbortSignal): Promise<Loaded> {
  const answer = await request(`api/takt/traces/${id}/skeleton`, { signal: stop });
  const partial = answer.headers.get('X-Takt-Partial') ?? '';
  const buffer = await answer.arrayBuffer();
  try {
    return { view: new TraceView(await loadModel(buffer)), partial };
  } catch (e) {
    throw new ApiError(0, `The trace could not be read: ${e instanceof Error ? e.message : String(e)}`);
  }
}

function load(id: string): void {
  moved.value = false;
  trace.state.peek().data?.view.stop();
  void trace.load((stop) => fetchTrace(id, stop), false);
}

// Where this trace stands in the list that it was opened from.
const stepOf = (id: string, step: number): string | undefined => trail.peek()[trail.peek().findIndex((p) => p.startsWith(`t/${id}`)) + step];

function Crumb({ id }: { id: string }): JSX.Element {
  const list = trail.value;
  const at = list.findIndex((p) => p.startsWith(`t/${id}`));
  return (
    <p class="crumb">
      <a href={document.querySelector('[data-nav=traces]')?.getAttribute('href') ?? 'traces'}><Icon name="left" /> Traces</a>
      {at >= 0 && list.length > 1 && (
        <>
          <span class="muted">{count(at + 1)} of {count(list.length)}</span>
          {at > 0 && <a href={list[at - 1]!} title="Trace before (k)">before</a>}
          {at + 1 < list.length && <a href={list[at + 1]!} title="Next trace (j)">next</a>}
        </>
      )}
    </p>
  );
}

function Summary({ view, partial, id }: { view: TraceView; partial: string; id: string }): JSX.Element {
  const { s } = view;
  const root = s.root === NONE ? -1 : s.root;
  const errors = view.errors().length;
  const services = view.colours.size;
  return (
    <header class="summary">
      <Crumb id={id} />
      <div class="title">
        <h1>{root >= 0 ? <bdi>{visible(view.nameOf(root), 160) || '(no name)'}</bdi> : 'Trace'}</h1>
        {root >= 0 && <Service name={view.serviceOf(root)} colour={view.colourOf(root)} />}
      </div>
      <dl class="strip" data-k="summary">
        <div><dt>Duration</dt><dd><b>{duration(s.length)}</b></dd></div>
        <div><dt>Spans</dt><dd>{count(s.n)}{s.known > s.n ? ` of ${count(s.known)}` : ''}</dd></div>
        <div><dt>Services</dt><dd>{count(services)}</dd></div>
        <div class={errors ? 'bad' : ''}><dt>Errors</dt><dd>{errors > 0 && <Icon name="error" />}{count(errors)}</dd></div>
        <div><dt>Start, {zoneName(zone.value)}</dt><dd class="mono">{dateTime(s.base, zone.value)}</dd></div>
        <div class="id"><dt>Trace id</dt><dd class="mono"><span>{id}</span><Copy text={id} label="Copy the trace id" /></dd></div>
      </dl>
      {(partial || s.known > s.n) && (
        <p class="note warn" role="status"><Icon name="warn" />
          <span>Not all of this trace is shown: {partial ? visible(partial) : `${count(s.n)} of ${count(s.known)} spans`}.</span></p>
      )}
      {moved.value && (
        <p class="note warn" role="status"><Icon name="warn" /><span>More spans of this trace have arrived.</span> <button type="button" onClick={() => load(id)}>Load again</button></p>
      )}
    </header>
  );
}

function Find({ view }: { view: TraceView }): JSX.Element {
  const n = view.matches.value.length;
  const sel = view.selected.value;
  const at = sel >= 0 ? view.matches.value.indexOf(view.rowOf(sel)) : -1;
  return (
    <div class="find" role="search" aria-label="Find in this trace">
      <input id="find" type="search" value={view.query.value} placeholder="Find in trace" aria-label="Find in trace" spellcheck={false}
        onInput={(e) => view.setQuery(e.currentTarget.value)}
        onKeyDown={(e) => {
          if (e.key === 'Enter') view.nextMatch(e.shiftKey ? -1 : 1);
          if (e.key === 'Escape') e.currentTarget.blur();
        }} />
      <span class="found-n" role="status">{view.query.value ? (at >= 0 ? `${count(at + 1)} of ${count(n)}` : plural(n, 'match', 'matches')) : ''}</span>
      <button type="button" class="quiet icon" aria-label="Match before" disabled={!n} onClick={() => view.nextMatch(-1)}><Icon name="up" /></button>
      <button type="button" class="quiet icon" aria-label="Next match" disabled={!n} onClick={() => view.nextMatch(1)}><Icon name="down" /></button>
    </div>
  );
}

function Tools({ view }: { view: TraceView }): JSX.Element {
  const errors = view.errors().length;
  const groups = view.model.grouped.groups.length;
  const [from, to] = view.zoom.value;
  const zoomed = from > 0 || to < view.length;
  return (
    <div class="tools" role="toolbar" aria-label="Trace tools">
      <Find view={view} />
      <div class="pair">
        <button type="button" disabled={!errors} onClick={() => view.nextError(1)} title="Next error (e)"><Icon name="error" /> Next error</button>
      </div>
      <button type="button" aria-pressed={view.critical.value} onClick={() => view.toggleCritical()} title="Critical path (c)">Critical path</button>
      {groups > 0 && <button type="button" aria-pressed={view.grouping.value} onClick={() => view.setGrouping(!view.grouping.value)} title="Group five or more alike">Group alike</button>}
      {view.gaps.length > 0 && <button type="button" aria-pressed={view.foldGaps.value} onClick={() => view.toggleGaps()} title="Fold idle time (x)">Fold {plural(view.gaps.length, 'gap')}</button>}
      <span class="pair">
        <button type="button" onClick={() => view.setFoldAll(true)}>Fold all</button>
        <button type="button" onClick={() => view.setFoldAll(false)}>Unfold all</button>
      </span>
      {zoomed && <button type="button" onClick={() => view.setZoom([0, view.length])} title="Whole trace (0)">Whole trace</button>}
      <Copy text={() => addressOf(view.path())} label="Copy a link to this view">Link</Copy>
    </div>
  );
}

function Legend({ view }: { view: TraceView }): JSX.Element {
  return (
    <ul class="legend" aria-label="Services">
      {[...view.colours].slice(0, 24).map(([name, colour]) => (
        <li key={name}><button type="button" class="quiet" onClick={() => view.setQuery(name)} title="Find this service"><Service name={name} colour={colour} /></button></li>
      ))}
      {view.colours.size > 24 && <li class="muted">+{view.colours.size - 24} more</li>}
    </ul>
  );
}

function Grid({ view }: { view: TraceView }): JSX.Element {
  const refs = {
    grid: useRef<HTMLDivElement>(null), head: useRef<HTMLDivElement>(null), inner: useRef<HTMLDivElement>(null),
    view: useRef<HTMLDivElement>(null), sheet: useRef<HTMLDivElement>(null), bars: useRef<HTMLCanvasElement>(null), axis: useRef<HTMLCanvasElement>(null),
    map: useRef<HTMLCanvasElement>(null), cell: useRef<HTMLDivElement>(null),
  };
  useEffect(() => {
    const parts = Object.fromEntries(Object.entries(refs).map(([k, r]) => [k, r.current!])) as unknown as ConstructorParameters<typeof Waterfall>[1];
    const w = new Waterfall(view, parts);
    parts.grid.focus({ preventScroll: true });
    ready.value = true;
    return () => {
      ready.value = false;
      w.stop();
    };
  }, [view]);
  return (
    <div class="wf-box">
      <canvas class="wf-map" ref={refs.map} aria-hidden="true" />
      <div class="wf" ref={refs.grid} role="treegrid" tabIndex={0} aria-label="Spans" aria-colcount={3}>
        <div class="wf-inner" ref={refs.inner}>
          <div class="wf-head" ref={refs.head} role="row" aria-rowindex={1}>
            <div role="columnheader">Service and operation</div>
            <div role="columnheader" class="wf-time">Duration</div>
            <div role="columnheader" class="wf-cell" ref={refs.cell}><span class="offscreen">Time</span><canvas ref={refs.axis} aria-hidden="true" /><TraceMarkers view={view} /></div>
          </div>
          <div class="wf-view" ref={refs.view}>
            <div class="wf-sheet" ref={refs.sheet} role="rowgroup" />
            <canvas class="wf-bars" ref={refs.bars} aria-hidden="true" />
          </div>
        </div>
      </div>
    </div>
  );
}

function Foot({ view }: { view: TraceView }): JSX.Element {
  const { critical } = view.model;
  return (
    <footer class="foot">
      <div class="foot-facts" data-k="foot">
      <span><b>{count(view.s.n)}</b> of <b>{count(Math.max(view.s.known, view.s.n))}</b> spans · {count(view.visible.value.length)} rows</span>
      {view.critical.value && (
        <span>critical path {duration(critical.total)}{critical.unknown ? ` · ${duration(critical.unknown)} ran on after parents had ended: asynchronous or unknown` : ''}</span>
      )}
      </div>
      <span class="offscreen" role="status">{view.said.value}</span>
    </footer>
  );
}

const focusGrid = (): void => document.querySelector<HTMLElement>('.wf')?.focus();

function useKeys(view: TraceView, id: string): void {
  const walk = (step: number): void => {
    const to = trail.peek().some((p) => p.startsWith(`t/${id}`)) ? stepOf(id, step) : undefined;
    if (to) go(to);
  };
  useEffect(() => addShortcuts('Trace', [
    { keys: 'ArrowDown', what: 'Next row; ↑ Home End Page too' },
    { keys: 'ArrowRight', what: 'Unfold, into; ← fold, out' },
    { keys: 'j', what: 'Next trace of the list', run: () => walk(1) },
    { keys: 'k', what: 'The trace before', run: () => walk(-1) },
    { keys: 'f', what: 'Find', run: () => document.getElementById('find')?.focus() },
    { keys: 'n', what: 'Next match', run: () => view.nextMatch(1) },
    { keys: 'N', what: 'Match before', run: () => view.nextMatch(-1) },
    { keys: 'e', what: 'Next error', run: () => view.nextError(1) },
    { keys: 'E', what: 'Error before', run: () => view.nextError(-1) },
    { keys: 'c', what: 'Critical path', run: () => view.toggleCritical() },
    { keys: ']', what: 'Next span on the critical path', run: () => view.nextCritical(1) },
    { keys: '[', what: 'The one before', run: () => view.nextCritical(-1) },
    { keys: 'w', what: 'Zoom in', run: () => view.zoomBy(0.7) },
    { keys: 's', what: 'Zoom out', run: () => view.zoomBy(1 / 0.7) },
    { keys: 'a', what: 'Earlier', run: () => view.panBy(-0.2) },
    { keys: 'd', what: 'Later', run: () => view.panBy(0.2) },
    { keys: 'z', what: 'Zoom to the selected span', run: () => view.zoomToSelected() },
    { keys: '0', what: 'Whole trace', run: () => view.setZoom([0, view.length]) },
    { keys: 'x', what: 'Fold idle time', run: () => view.gaps.length && view.toggleGaps() },
    { keys: 'y', what: 'Copy a link to this view', run: () => document.querySelector<HTMLElement>('.tools .copy')?.click() },
    { keys: 'Enter', what: 'Into the details', run: () => document.getElementById('details')?.focus() },
    { keys: 'Escape', what: 'Close the details', run: () => (view.select(-1), focusGrid()) },
  ]), [view, id]);
}

function Shown({ loaded: { view, partial }, id }: { loaded: Loaded; id: string }): JSX.Element {
  useKeys(view, id);
  const root = view.s.root;
  useTitle(root === NONE ? 'Trace' : `${visible(view.nameOf(root), 60)} · ${visible(view.serviceOf(root), 40)}`);
  const open = view.selected.value >= 0;
  return (
    <div class={`trace ${open ? 'with-panel' : ''}`} data-ready={ready.value ? '' : undefined}>
      <Summary view={view} partial={partial} id={id} />
      <Tools view={view} />
      <Legend view={view} />
      <div class="trace-body">
        <Grid view={view} />
        <Details view={view} />
      </div>
      <Foot view={view} />
    </div>
  );
}

export default function Trace({ id }: { id: string }): JSX.Element {
  useTitle('Trace');
  useEffect(() => {
    load(id);
    return () => {
      trace.stop();
      trace.state.peek().data?.view.stop();
    };
  }, [id]);
  useSignalEffect(() => void document.body.classList.toggle('fixed', !!trace.state.value.data));
  useEffect(() => () => document.body.classList.remove('fixed'), []);
  const { data, error } = trace.state.value;
  if (error?.status === 404)
    return (
      <div class="page">
        <Empty top title="No such trace">
          <p class="mono">{id}</p>
          <p>It was never received, has not arrived yet, or is older than what is kept.</p>
          <p class="row centre"><button type="button" onClick={() => load(id)}>Look again</button><a class="button" href="traces">Traces</a></p>
        </Empty>
      </div>
    );
  if (error) return <div class="page"><Failed top what="The trace could not be loaded" error={error} retry={() => load(id)} /></div>;
  if (!data || data.view.s.traceId !== id) return <Loading what="Loading the trace" />;
  return <Shown loaded={data} id={id} key={id} />;
}
