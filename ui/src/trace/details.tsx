// SPDX-License-Identifier: Apache-2.0
// The panel beside the waterfall: what the skeleton knows of the selected span at once, the rest
// when the server has answered.
import { signal } from '@preact/signals';
import type { ComponentChildren, JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { ApiError, getJson, type SpanDetails } from '../base/api';
import { count, quote, visible } from '../base/format';
import { Copy, Failed, Icon, Loading, Service } from '../base/parts';
import { zone } from '../base/prefs';
import { resource } from '../base/resource';
import { addressOf } from '../base/router';
import { dateTime, duration, zoneName } from '../base/time';
import { DeployOf } from './deploys';
import type { Group } from './display';
import { oddities } from './rows';
import { ENDS_BEFORE, idOf, NONE, rowOfId, STATUS_ERROR } from './skeleton';
import { outside, selfTime } from './tree';
import { Attributes } from './values';
import type { TraceView } from './view';

const kinds = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'];
const details = resource<SpanDetails>();
export const moved = signal(false); // the trace grew since its skeleton was read

function load(view: TraceView, row: number): void {
  void details.load(async (signal) => {
    const path = `api/takt/traces/${view.s.traceId}/spans?rows=${row}`;
    const got = (await getJson<{ spans: SpanDetails[] }>(path, signal)).spans[0];
    if (!got) throw new ApiError(404, 'The span is not there any more.');
    if (got.span.spanId.toLowerCase() !== idOf(view.s, row)) {
      moved.value = true;
      throw new ApiError(0, 'Spans arrived since this trace was loaded; load it again.');
    }
    return got;
  }, false);
}

function Section({ title, n, children, open = true }: { title: string; n?: number | undefined; children: ComponentChildren; open?: boolean }): JSX.Element {
  return (
    <details class="sect" open={open}>
      <summary><h3>{title}</h3>{n !== undefined && <span class="muted">{count(n)}</span>}</summary>
      {children}
    </details>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }): JSX.Element {
  return <div><dt>{name}</dt><dd>{children}</dd></div>;
}

function Facts({ view, row }: { view: TraceView; row: number }): JSX.Element {
  const { s } = view;
  const parent = s.parent[row]!;
  const after = outside(s, row).after;
  const critical = view.criticalRows.get(row)?.time;
  const negative = (s.flags[row]! & ENDS_BEFORE) !== 0;
  const start = s.base + BigInt(Math.round(s.start[row]!));
  return (
    <dl class="facts">
      <Fact name="Duration"><b>{duration(negative ? -s.duration[row]! : s.duration[row]!)}</b></Fact>
      <Fact name="Self">{duration(selfTime(s, view.t, row))}</Fact>
      {critical !== undefined && <Fact name="Critical">{duration(critical)}</Fact>}
      <Fact name={`Start, ${zoneName(zone.value)}`}><span class="mono">{dateTime(start, zone.value, 6)}</span></Fact>
      <Fact name="After trace start">{duration(s.start[row]!)}</Fact>
      {after > 0 && <Fact name="After parent’s end">{duration(after)}</Fact>}
      <Fact name="Kind">{kinds[s.kind[row]!] ?? s.kind[row]}</Fact>
      <Fact name="Status">{['unset', 'ok', 'error'][s.status[row]!] ?? s.status[row]}</Fact>
      <Fact name="Span id"><code>{idOf(s, row)}</code><Copy text={idOf(s, row)} label="Copy the span id" /></Fact>
      {parent !== NONE && (
        <Fact name="Parent">
          <button type="button" class="link" onClick={() => view.selectRow(parent)}>{visible(view.nameOf(parent), 60) || '(no name)'}</button>
        </Fact>
      )}
    </dl>
  );
}

function Events({ view, d }: { view: TraceView; d: SpanDetails }): JSX.Element | null {
  const list = d.span.events ?? [];
  if (!list.length && !d.span.droppedEventsCount) return null;
  return (
    <Section title="Events" n={list.length}>
      {list.map((e, i) => (
        <div class={`event ${e.name === 'exception' ? 'bad' : ''}`} key={i}>
          <p><b><bdi>{visible(e.name ?? '', 120) || '(no name)'}</bdi></b> <span class="muted">{duration(Number(BigInt(e.timeUnixNano ?? '0') - view.s.base))}</span></p>
          <Attributes list={e.attributes} dropped={e.droppedAttributesCount} />
        </div>
      ))}
      {!!d.span.droppedEventsCount && <p class="small muted">{count(d.span.droppedEventsCount)} more were dropped by the sender.</p>}
    </Section>
  );
}

function Links({ view, d }: { view: TraceView; d: SpanDetails }): JSX.Element | null {
  const list = d.span.links ?? [];
  if (!list.length && !d.span.droppedLinksCount) return null;
  return (
    <Section title="Links" n={list.length}>
      {list.map((l, i) => {
        const here = l.traceId === view.s.traceId ? rowOfId(view.s, l.spanId) : -1;
        return (
          <div class="event" key={i}>
            {here >= 0
              ? <button type="button" class="link" onClick={() => view.selectRow(here)}>{visible(view.nameOf(here), 60)} (this trace)</button>
              : <a class="mono" href={`t/${l.traceId}?span=${l.spanId}`}>{l.traceId} · {l.spanId}</a>}
            <Attributes list={l.attributes} />
          </div>
        );
      })}
      {!!d.span.droppedLinksCount && <p class="small muted">{count(d.span.droppedLinksCount)} more were dropped by the sender.</p>}
    </Section>
  );
}

function Fetched({ view, row }: { view: TraceView; row: number }): JSX.Element {
  const { data: d, error } = details.state.value;
  if (error) return <Failed what="The details did not load" error={error} retry={() => load(view, row)} />;
  if (!d || d.row !== row) return <Loading what="Loading attributes" />;
  const scope = [d.scope?.name, d.scope?.version].filter(Boolean).join(' ');
  return (
    <div data-details={idOf(view.s, row)}>
      <DeployOf resource={d.resource?.attributes} at={view.s.base + BigInt(Math.round(view.s.start[row]!))} />
      <Section title="Attributes" n={d.span.attributes?.length ?? 0}>
        {d.span.attributes?.length ? <Attributes list={d.span.attributes} dropped={d.span.droppedAttributesCount} /> : <p class="small muted">The span has none.</p>}
      </Section>
      <Events view={view} d={d} />
      <Links view={view} d={d} />
      <Section title="Resource" n={d.resource?.attributes?.length ?? 0}><Attributes list={d.resource?.attributes} dropped={d.resource?.droppedAttributesCount} /></Section>
      {(scope || d.scope?.attributes?.length) && (
        <Section title="Scope"><p class="small mono">{visible(scope)}</p><Attributes list={d.scope?.attributes} /></Section>
      )}
      {d.span.traceState && <Section title="Trace state"><p class="small mono wrap">{visible(d.span.traceState, 2000)}</p></Section>}
    </div>
  );
}

function Head({ view, row, title }: { view: TraceView; row: number; title: string }): JSX.Element {
  return (
    <header class="panel-head">
      <div>
        <h2><bdi>{title}</bdi></h2>
        <Service name={view.serviceOf(row)} colour={view.colourOf(row)} />
      </div>
      <Copy text={() => addressOf(view.path())} label="Copy a link to this span" />
      <button type="button" class="quiet icon" aria-label="Close the details" onClick={() => view.select(-1)}><Icon name="close" /></button>
    </header>
  );
}

function SpanPanel({ view, row }: { view: TraceView; row: number }): JSX.Element {
  useEffect(() => {
    load(view, row);
    return () => details.stop();
  }, [view, row]);
  const message = view.strings.get(view.s.message[row]!);
  const isError = view.s.status[row] === STATUS_ERROR;
  return (
    <>
      <Head view={view} row={row} title={visible(view.nameOf(row), 200) || '(no name)'} />
      {(isError || message) && (
        <p class={`note ${isError ? 'bad' : ''}`}>{isError && <Icon name="error" />}<bdi>{visible(message, 400) || 'The span ended with an error.'}</bdi></p>
      )}
      {oddities(view, row).map((o) => <p class="note warn" key={o}><Icon name="warn" />{o[0]!.toUpperCase() + o.slice(1)}.</p>)}
      <Facts view={view} row={row} />
      <Fetched view={view} row={row} />
      <p class="small"><a href={`traces?${new URLSearchParams({ q: `{ resource.service.name = ${quote(view.serviceOf(row))} && name = ${quote(view.nameOf(row))} }`, range: 'all' })}`}>Traces with this operation</a></p>
    </>
  );
}

const MEMBERS_SHOWN = 20;

function GroupPanel({ view, group }: { view: TraceView; group: Group }): JSX.Element {
  const row = group.members[0]!;
  const slowest = [...group.members].sort((a, b) => view.s.duration[b]! - view.s.duration[a]!).slice(0, MEMBERS_SHOWN);
  return (
    <>
      <Head view={view} row={row} title={`${count(group.members.length)} × ${visible(view.nameOf(row), 160) || '(no name)'}`} />
      <dl class="facts">
        <Fact name="Sum"><b>{duration(group.sum)}</b></Fact>
        <Fact name="p50">{duration(group.p50)}</Fact>
        <Fact name="p95">{duration(group.p95)}</Fact>
        <Fact name="From first to last">{duration(group.end - group.start)}</Fact>
        <Fact name="Errors">{count(group.errors)}</Fact>
      </dl>
      <Section title={`Slowest ${Math.min(MEMBERS_SHOWN, slowest.length)} of ${count(group.members.length)}`}>
        <ul class="members">
          {slowest.map((r) => (
            <li key={r}><button type="button" class="link" onClick={() => view.selectRow(r)}>{duration(view.s.duration[r]!)}</button>
              <span class="muted"> at {duration(view.s.start[r]!)}</span>{view.s.status[r] === STATUS_ERROR && <Icon name="error" label="error" />}</li>
          ))}
        </ul>
      </Section>
    </>
  );
}

export function Details({ view }: { view: TraceView }): JSX.Element | null {
  const node = view.selected.value;
  if (node < 0) return null;
  const group = view.group(node);
  return (
    <aside class="panel" aria-label={group ? 'Group' : 'Span'} tabIndex={-1} id="details">
      {group ? <GroupPanel view={view} group={group} /> : <SpanPanel view={view} row={view.rowOf(node)} key={node} />}
    </aside>
  );
}

