// SPDX-License-Identifier: Apache-2.0
// Two traces side by side, or the traces of a selection beside the rest: which service and operation the
// difference in time lies in.
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { getJson } from '../base/api';
import { count, plural, visible } from '../base/format';
import { addShortcuts } from '../base/keys';
import { Empty, Failed, Icon, Loading, useTitle } from '../base/parts';
import { zone } from '../base/prefs';
import { readQuery } from '../base/query';
import { resource } from '../base/resource';
import { traceIdOf } from '../base/route';
import { go, place } from '../base/router';
import { dateTime, duration, zoneName } from '../base/time';
import { isBefore } from '../search/ask';
import { balancePath, compareTraces, idsOf, pathOf, schema, selectionPath, type Balance, type Compared, type Side } from '../search/cohorts';
import { mean, SpentTable, type Letter } from '../search/spent';

const balance = resource<Balance & { of: string }>(); // of: what was asked

const load = (of: string): void => void balance.load(async (stop) => ({ of, ...(await getJson<Balance>(of, stop)) }), false);

// --- what is compared -----------------------------------------------------------------------------------

const time = (ms: number): string => dateTime(BigInt(Math.round(ms)) * 1_000_000n, zone.value, 0);

const wordsOf = (c: Compared): { title: string; a: string; b: string; sum: [string, string] } =>
  !c.box ? { title: 'Compare two traces', a: 'A', b: 'B', sum: ['B takes', 'A'] }
    : isBefore(c, c.box) ? { title: 'Compare with before', a: 'Before', b: 'Since', sum: ['A trace since then takes', 'one before, on average'] }
    : { title: 'Compare a selection with the rest', a: 'Rest', b: 'Selection', sum: ['A trace of the selection takes', 'one of the rest, on average'] };

// Which is which: a letter and a shape, never only a colour.
const LetterMark = ({ which }: { which: Letter }): JSX.Element => <span class={`cmp-letter ${which}`}>{which}</span>;

function TraceHead({ which, side, trace }: { which: Letter; side: Side; trace: NonNullable<Side['trace']> }): JSX.Element {
  return (
    <section class="card cmp-head" aria-label={`Trace ${which}`}>
      <h2><LetterMark which={which} /> <a href={`t/${trace.traceId}`}><bdi>{visible(trace.rootName, 80) || '(no name)'}</bdi></a></h2>
      <dl class="strip">
        <div><dt>Duration</dt><dd><b>{duration(side.durationNano)}</b></dd></div>
        <div><dt>Spans</dt><dd>{count(side.spans)}</dd></div>
        <div class={side.errors ? 'bad' : ''}><dt>Errors</dt><dd>{side.errors > 0 && <Icon name="error" />}{count(side.errors)}</dd></div>
        <div><dt>Start, {zoneName(zone.value)}</dt><dd class="mono">{dateTime(BigInt(trace.startUnixNano), zone.value)}</dd></div>
      </dl>
      <p class="mono small muted wrap">{trace.traceId}</p>
    </section>
  );
}

function CohortHead({ which, name, side, what }: { which: Letter; name: string; side: Side; what: string }): JSX.Element {
  return (
    <section class="card cmp-head" aria-label={`${which}: ${name}`} data-k={`cohort ${which}`}>
      <h2><LetterMark which={which} /> {name}</h2>
      <dl class="strip">
        <div><dt>Traces</dt><dd><b>{side.sampled ? `${count(side.shown)} of ${count(side.total)}` : count(side.total)}</b>{side.sampled && <> <span class="tag">sampled</span></>}</dd></div>
        {side.shown > 0 && <>
          <div><dt>Duration, mean</dt><dd><b>{duration(Math.round(side.durationNano))}</b></dd></div>
          <div><dt>Spans, mean</dt><dd>{mean(side.spans)}</dd></div>
          <div><dt>Errors, mean</dt><dd>{mean(side.errors)}</dd></div>
        </>}
      </dl>
      <p class="small muted wrap">{what}</p>
    </section>
  );
}

// What the two cohorts are, in words.
function whatOf(c: Compared): [string, string] {
  const b = c.box!;
  const spans = `a matching span of ${duration(b.min)} – ${duration(b.max)}`;
  if (isBefore(c, b))
    return [`With ${spans} that began from ${time(2 * c.before - b.to)} to ${time(c.before)}, and none later.`, `With ${spans} that began from ${time(c.before)} to ${time(b.to)}.`];
  const ms = (ns: string): number => Number(BigInt(ns) / 1_000_000n);
  return [
    `With a matching span that began from ${time(ms(c.start))} to ${time(ms(c.end))}, and none in the selection.`,
    `With ${spans} that began from ${time(b.from)} to ${time(b.to)}.`,
  ];
}

function Heads({ c, data }: { c: Compared; data: Balance }): JSX.Element {
  const names = wordsOf(c);
  if (data.a.trace && data.b.trace)
    return <div class="cmp-heads"><TraceHead which="A" side={data.a} trace={data.a.trace} /><TraceHead which="B" side={data.b} trace={data.b.trace} /></div>;
  const [a, b] = whatOf(c);
  return (
    <>
      <p>Traces of <code class="mono wrap">{visible(c.q.trim() || '{ }', 500)}</code>, times in {zoneName(zone.value)}</p>
      <div class="cmp-heads"><CohortHead which="A" name={names.a} side={data.a} what={a} /><CohortHead which="B" name={names.b} side={data.b} what={b} /></div>
    </>
  );
}

// --- what came out --------------------------------------------------------------------------------------

function Notes({ data }: { data: Balance }): JSX.Element {
  return (
    <>
      {!data.complete && <p class="note warn" role="status"><Icon name="warn" /><span>Not everything was looked at: {visible(data.why || 'the comparison stopped early')}.</span></p>}
      {(data.a.sampled || data.b.sampled) && data.complete && <p class="note" role="status"><span>Of a cohort with more, {count(Math.max(data.a.shown, data.b.shown))} traces are looked at, chosen by a hash of their ids: always the same.</span></p>}
      {data.a.trace && data.a.trace.traceId === data.b.trace?.traceId && <p class="note" role="status"><span>A and B are the same trace.</span></p>}
    </>
  );
}

function Counted({ cohorts }: { cohorts: boolean }): JSX.Element {
  return (
    <details class="small">
      <summary>How this is counted</summary>
      <p>The critical path of a trace is, for each moment of its root, the one span that the answer waited for. Self time is what none of a span&rsquo;s children covers.
        {cohorts ? ' Times and errors are means over all traces of a cohort, 0 in those without the operation, so that a cohort’s critical paths add up to the mean duration of its roots. A number of traces opens those that spend most there, up to ten.' : ''} Δ is B less A; shares are of the sum of all |Δ|.</p>
    </details>
  );
}

function Sum({ c, data, swap }: { c: Compared; data: Balance; swap: () => void }): JSX.Element {
  const words = wordsOf(c);
  const by = Math.round(data.b.durationNano) - Math.round(data.a.durationNano);
  return (
    <p class="row" data-k="compare-sum">
      <span>{words.sum[0]} <b>{by === 0 ? 'as long as' : `${duration(Math.abs(by))} ${by > 0 ? 'longer' : 'less'} than`}</b> {words.sum[1]}; {plural(data.operations, 'operation')}, sorted by the difference on the critical path.</span>
      {data.a.trace && <button type="button" onClick={swap}>Swap A and B</button>}
    </p>
  );
}

function Result({ c, data, swap }: { c: Compared; data: Balance; swap: () => void }): JSX.Element {
  const names = wordsOf(c);
  const back = <p><a class="button" href={c.box ? selectionPath(c) : 'traces'}>{c.box ? 'Back to the selection' : 'Traces'}</a></p>;
  const both = data.a.shown > 0 && data.b.shown > 0;
  return (
    <>
      <Heads c={c} data={data} />
      <Notes data={data} />
      {data.b.total === 0 && data.complete ? <Empty title={data.a.total ? `${names.b}: no traces` : 'No traces match'}><p>There is nothing to compare.</p>{back}</Empty>
        : !both && !data.rows.length ? <Empty title="No trace was looked at">{back}</Empty>
        : (
          <>
            {both ? <Sum c={c} data={data} swap={swap} /> : <p class="note" role="status"><span>{data.a.shown ? names.b : names.a}: no traces. There is nothing to compare with.</span></p>}
            <SpentTable c={c} data={data} names={c.box ? [`A: ${names.a}`, `B: ${names.b}`] : ['A', 'B']} setAll={(all) => go(pathOf({ ...c, all }), 'replace')} />
            <Counted cohorts={!data.a.trace} />
          </>
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
    const [x, y] = ['a', 'b'].map((w) => traceIdOf(String(form.get(w)))?.trace);
    wrong.value = x && y ? '' : 'A trace id has 32 hex digits.';
    if (x && y) go(compareTraces(x, y));
  };
  return (
    <form class="card cmp-choose" onSubmit={submit}>
      <p>Tick two rows in the <a href="traces">list of traces</a>, or draw a box on its picture of durations and compare it with the rest, or give two trace ids.</p>
      {(['a', 'b'] as const).map((w) => (
        <div class="field" key={w}><label for={`cmp-${w}`}>Trace {w.toUpperCase()}</label><input id={`cmp-${w}`} name={w} defaultValue={w === 'a' ? a : b} class="mono" autocomplete="off" spellcheck={false} /></div>
      ))}
      <p class="wrong-text" role="status">{wrong.value}</p>
      <p><button type="submit" class="primary">Compare</button></p>
    </form>
  );
}

const asSentence = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1) + '.';

export default function Compare(): JSX.Element {
  useTitle('Compare');
  const c = readQuery(schema, place.value.query);
  const [a, b] = idsOf(c);
  const of = balancePath(c);
  useEffect(() => {
    if (of) load(of);
    return balance.stop;
  }, [of]);
  const swap = (): void => void (a && b && go(pathOf({ ...c, a: b, b: a })));
  useEffect(() => addShortcuts('Compare', [{ keys: 's', what: 'Swap A and B', run: swap }]), [a, b]);
  const { data, error } = balance.state.value;
  const ready = !of || error || data?.of === of;
  const crumb = c.box && of ? selectionPath(c) : (document.querySelector('[data-nav=traces]')?.getAttribute('href') ?? 'traces');
  return (
    <div class="page" data-ready={ready ? '' : undefined}>
      <p class="crumb"><a href={crumb}><Icon name="left" /> {c.box && of ? 'The selection' : 'Traces'}</a></p>
      <h1>{wordsOf(a && b ? { ...c, box: null } : c).title}</h1>
      {!of ? <Choose a={c.a} b={c.b} />
        : error ? (error.status === 404 ? <Empty title="No such trace"><p class="wrap">{visible(asSentence(error.message))}</p><p><a class="button" href="traces">Traces</a></p></Empty>
          : <Failed what={c.box ? 'The traces could not be compared' : 'The two traces could not be compared'} error={error} retry={() => load(of)} />)
        : !data || !ready ? <Loading what={c.box ? 'Comparing where traces spend their time' : 'Comparing both traces'} />
        : <Result c={a && b ? { ...c, box: null } : c} data={data} swap={swap} />}
    </div>
  );
}
