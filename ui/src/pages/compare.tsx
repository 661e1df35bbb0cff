// SPDX-License-Identifier: Apache-2.0
// Two traces side by side: which service and operation the difference in time lies in.
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { ApiError, request } from '../base/api';
import { coloursOf } from '../base/colour';
import { count, plural, visible } from '../base/format';
import { addShortcuts } from '../base/keys';
import { Empty, Failed, Icon, Loading, Service, useTitle } from '../base/parts';
import { zone } from '../base/prefs';
import { flag, readQuery, text, writeQuery } from '../base/query';
import { resource } from '../base/resource';
import { traceIdOf } from '../base/route';
import { go, place } from '../base/router';
import { dateTime, duration, zoneName } from '../base/time';
import { compareTraces, type CompareRow, type Side } from '../trace/compare';
import { NONE, readSkeleton, STATUS_ERROR, Strings, type Skeleton } from '../trace/skeleton';

const ROWS_SHOWN = 100;

const schema = { a: text(), b: text(), all: flag() };
const idIn = (t: string): string => traceIdOf(t)?.trace ?? '';

interface Loaded {
  a: Skeleton;
  b: Skeleton;
  rows: CompareRow[];
  partial: string;
}
const both = resource<Loaded>();

async function fetchOne(which: string, id: string, stop: AbortSignal): Promise<{ s: Skeleton; partial: string }> {
  try {
    const answer = await request(`api/takt/traces/${id}/skeleton`, { signal: stop });
    return { s: readSkeleton(await answer.arrayBuffer()), partial: answer.headers.get('X-Takt-Partial') ?? '' };
  } catch (e) {
    if (e instanceof ApiError) throw new ApiError(e.status, e.status === 404 ? `Trace ${which}, ${id}, is not there: it was never received, or is older than what is kept.` : `Trace ${which}: ${e.message}`);
    if (stop.aborted) throw e;
    throw new ApiError(0, `Trace ${which} could not be read: ${e instanceof Error ? e.message : String(e)}`);
  }
}

async function fetchBoth(a: string, b: string, stop: AbortSignal): Promise<Loaded> {
  const [x, y] = await Promise.all([fetchOne('A', a, stop), fetchOne('B', b, stop)]);
  const partial = [x.partial && `A: ${x.partial}`, y.partial && `B: ${y.partial}`].filter(Boolean).join('; ');
  return { a: x.s, b: y.s, rows: compareTraces(x.s, y.s), partial };
}

const load = (a: string, b: string): void => void both.load((stop) => fetchBoth(a, b, stop), false);

// Which is which: a letter and a shape, never only a colour.
function Head({ which, s }: { which: 'A' | 'B'; s: Skeleton }): JSX.Element {
  const strings = new Strings(s);
  const root = s.root === NONE ? -1 : s.root;
  const errors = s.status.reduce((n, x) => n + (x === STATUS_ERROR ? 1 : 0), 0);
  return (
    <section class="card cmp-head" aria-label={`Trace ${which}`}>
      <h2><span class={`cmp-letter ${which}`}>{which}</span> <a href={`t/${s.traceId}`}><bdi>{root < 0 ? 'Trace' : visible(strings.get(s.name[root]!), 80) || '(no name)'}</bdi></a></h2>
      <dl class="strip">
        <div><dt>Duration</dt><dd><b>{duration(s.length)}</b></dd></div>
        <div><dt>Spans</dt><dd>{count(s.n)}{s.known > s.n ? ` of ${count(s.known)}` : ''}</dd></div>
        <div class={errors ? 'bad' : ''}><dt>Errors</dt><dd>{errors > 0 && <Icon name="error" />}{count(errors)}</dd></div>
        <div><dt>Start, {zoneName(zone.value)}</dt><dd class="mono">{dateTime(s.base, zone.value)}</dd></div>
      </dl>
      <p class="mono small muted wrap">{s.traceId}</p>
    </section>
  );
}

const signed = (ns: number): string => (ns > 0 ? '+' : '') + duration(ns);

function Cells({ side, other, most, which, id, find }: { side: Side; other: Side; most: number; which: 'A' | 'B'; id: string; find: string }): JSX.Element {
  const name = `trace ${which}, ${plural(side.spans, 'span')}`;
  return (
    <>
      <td class="n">{side.spans ? <a href={`t/${id}?${new URLSearchParams({ q: find })}`} aria-label={`Find in ${name}`}>{count(side.spans)}</a> : <span class="muted">–</span>}</td>
      <td class="n nowrap length"><div>
        <i aria-hidden="true"><b class={which} style={{ width: `${(100 * side.self) / most}%` }} /></i>
        <span class={side.spans ? '' : 'muted'}>{side.spans ? duration(side.self) : '–'}</span>
      </div></td>
      <td class={`n ${side.errors > other.errors ? 'bad' : side.errors ? '' : 'muted'}`}>{side.errors > 0 && <Icon name="error" label="errors" />} {count(side.errors)}</td>
    </>
  );
}

function Rows({ data, all }: { data: Loaded; all: boolean }): JSX.Element {
  const colours = coloursOf(data.rows.map((r) => r.service));
  const most = Math.max(1, ...data.rows.flatMap((r) => [r.a.self, r.b.self]));
  const rows = all ? data.rows : data.rows.slice(0, ROWS_SHOWN);
  return (
    <>
      <div class="scroll-x" role="region" aria-label="Operations" tabIndex={0}>
        <table class="grid cmp">
          <thead>
            <tr><th scope="col" rowSpan={2}>Service and operation</th><th scope="colgroup" colSpan={3} class="cmp-group">A</th><th scope="colgroup" colSpan={3} class="cmp-group">B</th><th scope="col" rowSpan={2} class="n">Δ self time</th><th scope="col" rowSpan={2} class="n">Share of all Δ</th></tr>
            <tr>{['A', 'B'].map((w) => <><th scope="col" class="n">Spans</th><th scope="col" class="n" key={w}>Self time</th><th scope="col" class="n">Errors</th></>)}</tr>
          </thead>
          <tbody>
            {rows.map((r) => (
              <tr key={`${r.service}\0${r.name}`} data-k={`compare ${r.service} ${r.name}`}>
                <th scope="row"><Service name={r.service} colour={colours.get(r.service) ?? 0} /> <bdi>{visible(r.name, 100) || '(no name)'}</bdi></th>
                <Cells side={r.a} other={r.b} most={most} which="A" id={data.a.traceId} find={r.name} />
                <Cells side={r.b} other={r.a} most={most} which="B" id={data.b.traceId} find={r.name} />
                <td class="n nowrap"><b>{r.delta ? signed(r.delta) : '0'}</b></td>
                <td class="n nowrap share"><div><i aria-hidden="true"><b style={{ width: `${r.share * 100}%` }} /></i><span>{Math.round(r.share * 100)} %</span></div></td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {data.rows.length > ROWS_SHOWN && (
        <p class="row centre"><span class="muted">{count(rows.length)} of {count(data.rows.length)} operations</span>
          <button type="button" onClick={() => go('compare' + writeQuery(schema, { ...readQuery(schema, place.value.query), all: !all }), 'replace')}>{all ? 'Fewer' : 'All'}</button></p>
      )}
    </>
  );
}

// Without two traces: fields for their ids.
function Choose({ a, b }: { a: string; b: string }): JSX.Element {
  const wrong = useSignal('');
  const submit = (e: JSX.TargetedSubmitEvent<HTMLFormElement>): void => {
    e.preventDefault();
    const form = new FormData(e.currentTarget);
    const [x, y] = [idIn(String(form.get('a'))), idIn(String(form.get('b')))];
    wrong.value = x && y ? '' : 'A trace id has 32 hex digits.';
    if (x && y) go('compare' + writeQuery(schema, { a: x, b: y, all: false }));
  };
  return (
    <form class="card cmp-choose" onSubmit={submit}>
      <p>Tick two rows in the <a href="traces">list of traces</a>, or give two trace ids.</p>
      {(['a', 'b'] as const).map((w) => (
        <div class="field" key={w}><label for={`cmp-${w}`}>Trace {w.toUpperCase()}</label><input id={`cmp-${w}`} name={w} defaultValue={w === 'a' ? a : b} class="mono" autocomplete="off" spellcheck={false} /></div>
      ))}
      <p class="wrong-text" role="status">{wrong.value}</p>
      <p><button type="submit" class="primary">Compare</button></p>
    </form>
  );
}

export default function Compare(): JSX.Element {
  useTitle('Compare');
  const at = readQuery(schema, place.value.query);
  const [a, b] = [idIn(at.a), idIn(at.b)];
  useEffect(() => {
    if (a && b) load(a, b);
    return both.stop;
  }, [a, b]);
  const swap = (): void => go('compare' + writeQuery(schema, { ...at, a: b, b: a }));
  useEffect(() => addShortcuts('Compare', [{ keys: 's', what: 'Swap A and B', run: swap }]), [a, b]);
  const { data, error } = both.state.value;
  const ready = !a || !b || error || (data?.a.traceId === a && data.b.traceId === b);
  return (
    <div class="page" data-ready={ready ? '' : undefined}>
      <p class="crumb"><a href={document.querySelector('[data-nav=traces]')?.getAttribute('href') ?? 'traces'}><Icon name="left" /> Traces</a></p>
      <h1>Compare two traces</h1>
      {!a || !b ? <Choose a={at.a} b={at.b} />
        : error ? (error.status === 404 ? <Empty title="No such trace"><p class="wrap">{visible(error.message)}</p><p><a class="button" href="traces">Traces</a></p></Empty>
          : <Failed what="The traces could not be compared" error={error} retry={() => load(a, b)} />)
        : !data || !ready ? <Loading what="Loading both traces" />
        : (
          <>
            <div class="cmp-heads"><Head which="A" s={data.a} /><Head which="B" s={data.b} /></div>
            {data.partial && <p class="note warn" role="status"><Icon name="warn" /><span>Not all spans are there: {visible(data.partial)}.</span></p>}
            {a === b && <p class="note" role="status"><span>A and B are the same trace.</span></p>}
            <p class="row" data-k="compare-sum">
              <span>B takes <b>{data.b.length === data.a.length ? 'as long as A' : `${duration(Math.abs(data.b.length - data.a.length))} ${data.b.length > data.a.length ? 'longer' : 'less'} than A`}</b>, in {plural(data.rows.length, 'operation')}; sorted by the difference in self time.</span>
              <button type="button" onClick={swap}>Swap A and B</button>
            </p>
            <Rows data={data} all={at.all} />
          </>
        )}
    </div>
  );
}
