// SPDX-License-Identifier: Apache-2.0
// What was found: how many and whether that is all, as rows of traces or of spans, with a column for
// each attribute that the query reads. Two ticked traces can be compared.
import { signal, useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { coloursOf } from '../base/colour';
import { bytes, count, plural, visible } from '../base/format';
import { Icon, Service, showBelow } from '../base/parts';
import { zone } from '../base/prefs';
import { dateOf, duration, timeOfDay, zoneName } from '../base/time';
import { plain, shown, typeOf, type Found, type FoundAttribute, type FoundSpan, type FoundTrace } from './answers';
import type { Ask } from './ask';
import { fieldOf, literalOf, piecesOf } from './filter';

const SERVICES_SHOWN = 3;
const SERVICES_BESIDE_COLUMNS = 2;
const COLUMNS_BESIDE_SERVICES = 3; // more of them, and the services are left to the trace itself
const VALUES_SHOWN = 2;

export const picked = signal(0); // the row that the keyboard is on

interface Actions {
  onTick: (trace: string) => void;
  onCondition: (text: string) => void;
}

interface SpanRow {
  trace: FoundTrace;
  span: FoundSpan;
  of: readonly FoundAttribute[]; // of its set
}
const SPANS_SHOWN = 1000; // of those that are sorted

const spansIn = (found: Found): number => found.traces.reduce((n, t) => n + (t.sets ?? []).reduce((k, s) => k + s.spans.length, 0), 0);

// The counts, the table and the keys all ask for the rows of what is found.
let made: { found: Found; sort: Ask['sort']; rows: readonly SpanRow[] } | undefined;
export function spanRows(found: Found, sort: Ask['sort']): readonly SpanRow[] {
  if (made?.found !== found || made.sort !== sort) made = { found, sort, rows: sorted(found, sort) };
  return made.rows;
}

// The spans of the traces that are listed, trace by trace; or the slowest of them all, the newer first of two.
function sorted(found: Found, sort: Ask['sort']): SpanRow[] {
  const rows = found.traces.flatMap((trace) => (trace.sets ?? []).flatMap((s) => s.spans.map((span) => ({ trace, span, of: s.attributes }))));
  if (sort !== 'slowest') return rows;
  const later = (a: SpanRow, b: SpanRow): number => Number(BigInt(b.span.startUnixNano) - BigInt(a.span.startUnixNano));
  return rows.sort((a, b) => Number(b.span.durationNano) - Number(a.span.durationNano) || later(a, b)).slice(0, SPANS_SHOWN);
}

// What rows of spans leave out, and of how many they are the slowest.
function spansNote(found: Found, sort: Ask['sort']): string {
  const all = found.matchedSpans;
  const have = spansIn(found);
  if (sort === 'slowest') return have === all ? 'slowest of all' : `slowest of the ${count(have)} that were sorted`;
  const cut = found.traces.flatMap((t) => t.sets ?? []).filter((s) => s.spans.length < s.matched);
  return cut.length ? `the first ${count(Math.max(...cut.map((s) => s.spans.length)))} of each trace` : '';
}

export function Counts({ ask, found, busy }: { ask: Ask; found: Found; busy: boolean }): JSX.Element {
  const n = found.traces.length;
  const total = found.total;
  const known = total !== null && total !== undefined;
  const least = known && found.exact === false ? 'at least ' : '';
  const traces = `${count(n)} of ${known ? least + count(total) : n === 0 ? '0' : 'an unknown number of'} ${total === 1 ? 'trace' : 'traces'}`;
  const rows = ask.rows === 'spans' ? spanRows(found, ask.sort).length : -1;
  const note = rows > 0 ? spansNote(found, ask.sort) : '';
  const { scan } = found;
  const scanned = scan && [scan.spans !== undefined && plural(scan.spans, 'span'), scan.traces !== undefined && plural(scan.traces, 'trace'), scan.blocks !== undefined && plural(scan.blocks, 'block'), scan.bytes !== undefined && bytes(scan.bytes)].filter(Boolean).join(', ');
  return (
    <p class="counts" role="status" data-k="counts" title={scanned ? `Looked at ${scanned}` : undefined}>
      {rows >= 0 && <><b>{count(rows)}</b>{found.matchedSpans ? <> of <b>{count(found.matchedSpans)}</b></> : ''} spans in </>}
      {traces.split(/(\d[\d,]*)/).map((t, i) => (i % 2 && rows < 0 ? <b key={i}>{t}</b> : t))}
      {note && <span class="muted"> · {note}</span>}
      {found.complete ? <span class="muted"> · complete scan</span> : <>{' · '}<span class="tag warn">partial: {visible(found.why || 'the search stopped early', 200)}</span></>}
      {rows < 0 && found.matchedSpans ? <span class="muted"> · {plural(found.matchedSpans, 'matching span')}</span> : ''}
      <span class={`busy ${busy ? 'on' : ''}`} aria-hidden="true" />
    </p>
  );
}

// --- attribute cells ----------------------------------------------------------------------------------

// A value, and on a click the two conditions that can be made of it.
function Value({ a, query, onCondition }: { a: FoundAttribute; query: string; onCondition: Actions['onCondition'] }): JSX.Element {
  const menu = useRef<HTMLDivElement>(null);
  const open = useSignal(false);
  const field = fieldOf(a.key, query);
  const literal = literalOf(plain(a.value), typeOf(a));
  const text = visible(shown(a), 80) || '(empty)';
  const bad = a.key === 'status' && text === 'error';
  const cell = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => {
    const m = menu.current;
    if (!open.value || !m || !cell.current) return;
    showBelow(m, cell.current);
    m.querySelector('button')?.focus();
  }, [open.value]);
  if (!field || literal === null) return <bdi class={bad ? 'bad' : ''}>{text}</bdi>;
  return (
    <>
      <button type="button" ref={cell} class={`value-cell ${bad ? 'bad' : ''}`} aria-haspopup="dialog" title={`${a.key}: ${text}`} onClick={() => (open.value = true)}><bdi>{text}</bdi></button>
      {open.value && (
        <div class="menu" popover="auto" ref={menu} role="dialog" aria-label={`${visible(a.key, 60)}: ${text}`} onToggle={(e) => ((e as unknown as ToggleEvent).newState === 'closed' && (open.value = false))}>
          <p class="small wrap"><code><bdi>{visible(field, 80)} = {visible(literal, 120)}</bdi></code></p>
          <div class="row">
            <button type="button" onClick={() => onCondition(`${field} = ${literal}`)}>Filter</button>
            <button type="button" onClick={() => onCondition(`${field} != ${literal}`)}>Exclude</button>
          </div>
        </div>
      )}
    </>
  );
}

function Cell({ list, query, onCondition }: { list: readonly FoundAttribute[]; query: string; onCondition: Actions['onCondition'] }): JSX.Element {
  const each = list.filter((a, i) => list.findIndex((b) => shown(b) === shown(a)) === i);
  return (
    <td class="attr"><div>
      {each.slice(0, VALUES_SHOWN).map((a) => <Value key={shown(a)} a={a} query={query} onCondition={onCondition} />)}
      {each.length > VALUES_SHOWN && <span class="muted">+{each.length - VALUES_SHOWN}</span>}
      {!each.length && <span class="muted">–</span>}
    </div></td>
  );
}

// What the columns are: named by the answer, or those that its spans carry.
function columnsOf(found: Found): string[] {
  const own = found.traces.flatMap((t) => (t.sets ?? []).flatMap((s) => [...s.attributes, ...s.spans.flatMap((x) => x.attributes)])).map((a) => a.key);
  return [...new Set([...(found.columns ?? []), ...own])].slice(0, 24);
}

const rootOf = (t: FoundTrace): string => (t.rootName === null ? '(root not received)' : visible(t.rootName, 120) || '(no name)');
const SERVICE_KEY = 'service.name'; // always asked for when rows are spans, a column only when the query has it

// --- rows ---------------------------------------------------------------------------------------------

interface RowProps extends Actions {
  at: number;
  longest: number;
  query: string;
  columns: readonly string[];
  colours: Map<string, number>;
  ticked: boolean;
}

function Start({ ns }: { ns: bigint }): JSX.Element {
  return <td class="nowrap time"><span class="date">{dateOf(ns, zone.value)} </span>{timeOfDay(ns, zone.value)}</td>;
}

function Length({ ns, longest }: { ns: number; longest: number }): JSX.Element {
  return (
    <td class="n nowrap length"><div>
      <i aria-hidden="true"><b style={{ width: `${Math.max(1, (100 * ns) / longest)}%` }} /></i>
      <span>{duration(ns)}</span>
    </div></td>
  );
}

function Tick({ trace, name, ticked, onTick }: { trace: string; name: string; ticked: boolean; onTick: Actions['onTick'] }): JSX.Element {
  return <td class="pick"><label><input type="checkbox" checked={ticked} aria-label={`Compare ${visible(name, 60)}`} onChange={() => onTick(trace)} /></label></td>;
}

function TraceRow({ t, at, longest, query, columns, colours, ticked, onTick, onCondition }: RowProps & { t: FoundTrace }): JSX.Element {
  const attributes = (t.sets ?? []).flatMap((s) => [...s.attributes, ...s.spans.flatMap((x) => x.attributes)]);
  const most = columns.length ? SERVICES_BESIDE_COLUMNS : SERVICES_SHOWN;
  const matched = (t.sets ?? []).reduce((n, s) => n + s.matched, 0);
  return (
    <tr class={at === picked.value ? 'picked' : ''} data-k={t.traceId}>
      <Tick trace={t.traceId} name={rootOf(t)} ticked={ticked} onTick={onTick} />
      <Start ns={BigInt(t.startUnixNano)} />
      <td class="name"><div>
        {t.errors > 0 && <Icon name="error" label={plural(t.errors, 'error')} />}
        <a href={`t/${t.traceId}`} id={`row-${at}`}><bdi>{rootOf(t)}</bdi></a>
        {t.rootName !== null && <Service name={t.rootService ?? ''} colour={colours.get(t.rootService ?? '') ?? 0} />}
      </div></td>
      <Length ns={Number(t.durationNano)} longest={longest} />
      <td class="n spans nowrap">{t.sets ? <><b>{count(matched)}</b> <span class="muted">of {count(t.spans)}</span></> : count(t.spans)}</td>
      <td class={`n errors ${t.errors ? 'bad' : 'muted'}`}>{count(t.errors)}</td>
      {columns.map((c) => <Cell key={c} list={attributes.filter((a) => a.key === c)} query={query} onCondition={onCondition} />)}
      {columns.length <= COLUMNS_BESIDE_SERVICES && (
        <td class="services"><div>
          {t.services.slice(0, most).map((s) => <Service key={s.name} name={s.name} colour={colours.get(s.name) ?? 0} />)}
          {t.services.length > most && <span class="muted">+{t.services.length - most}</span>}
        </div></td>
      )}
    </tr>
  );
}

function SpanTableRow({ row: { trace: t, span, of }, at, longest, query, columns, colours, ticked, onTick, onCondition }: RowProps & { row: SpanRow }): JSX.Element {
  const service = plain(span.attributes.find((a) => a.key === SERVICE_KEY)?.value);
  return (
    <tr class={at === picked.value ? 'picked' : ''} data-k={`${t.traceId} ${span.spanId}`}>
      <Tick trace={t.traceId} name={rootOf(t)} ticked={ticked} onTick={onTick} />
      <Start ns={BigInt(span.startUnixNano)} />
      <td class="name"><div>
        {span.error && <Icon name="error" label="error" />}
        <a href={`t/${t.traceId}?span=${span.spanId}`} id={`row-${at}`}><bdi>{visible(span.name ?? '', 120) || '(no name)'}</bdi></a>
        <Service name={service} colour={colours.get(service) ?? 0} />
        <span class="muted">in <bdi>{rootOf(t)}</bdi></span>
      </div></td>
      <Length ns={Number(span.durationNano)} longest={longest} />
      {columns.map((c) => <Cell key={c} list={[...of, ...span.attributes].filter((a) => a.key === c)} query={query} onCondition={onCondition} />)}
    </tr>
  );
}

export function Table({ ask, found, onTick, onCondition }: { ask: Ask; found: Found } & Actions): JSX.Element {
  const spans = ask.rows === 'spans';
  const rows = spans ? spanRows(found, ask.sort) : [];
  const longest = Math.max(1, ...(spans ? rows.map((r) => Number(r.span.durationNano)) : found.traces.map((t) => Number(t.durationNano))));
  const colours = coloursOf(found.traces.flatMap((t) => [t.rootService ?? '', ...t.services.map((s) => s.name)]));
  const columns = columnsOf(found).filter((c) => !spans || c !== SERVICE_KEY || piecesOf(ask.q).some((p) => p.text.endsWith('.' + SERVICE_KEY)));
  const shared = { longest, query: ask.q, columns, colours, onTick, onCondition };
  return (
    <div class="scroll-x" role="region" aria-label="Results" tabIndex={0}>
      <table class={`grid traces ${columns.length ? 'with-attrs' : ''}`}>
        <thead>
          <tr>
            <th scope="col" class="pick"><span class="offscreen">Compare</span></th>
            <th scope="col">Start ({zoneName(zone.value)})</th><th scope="col">{spans ? 'Span' : 'Root operation'}</th><th scope="col" class="n">Duration</th>
            {!spans && <><th scope="col" class="n spans">Spans</th><th scope="col" class="n errors">Errors</th></>}
            {columns.map((c) => <th key={c} scope="col" class="attr"><bdi>{visible(c, 60)}</bdi></th>)}
            {!spans && columns.length <= COLUMNS_BESIDE_SERVICES && <th scope="col" class="services">Services</th>}
          </tr>
        </thead>
        <tbody>
          {spans
            ? rows.map((row, i) => <SpanTableRow key={`${row.trace.traceId}${row.span.spanId}${i}`} row={row} at={i} ticked={ask.tick.includes(row.trace.traceId)} {...shared} />)
            : found.traces.map((t, i) => <TraceRow key={t.traceId} t={t} at={i} ticked={ask.tick.includes(t.traceId)} {...shared} />)}
        </tbody>
      </table>
    </div>
  );
}
