// SPDX-License-Identifier: Apache-2.0
// What a version changed for those who use it: the server's comparison of it with the one before.
import type { JSX } from 'preact';
import { number } from '../base/delivery';
import { count, plural, visible } from '../base/format';
import { Icon, Scroll } from '../base/parts';
import { duration } from '../base/time';
import { Told } from '../base/told';
import { ErrorKinds, type Compared, type Kinds } from './kinds';

// Times in ms. What is not known is absent.
interface Arm {
  requests: number;
  errors: number;
  errorRate?: number;
  p50?: number;
  p95?: number;
}
interface RouteTest {
  route: string; // "*": all
  test: 'errors' | 'latency';
  old: Arm;
  new: Arm;
  difference?: number;
  interval?: [number, number];
  q?: number;
  verdict: string;
  examples: string[];
}
interface Lost {
  route: string;
  requests: number; // of the version before
  minutes?: number; // in which it was served
  quarters?: number; // of an hour; of after against before
  examples: string[];
}
export interface Impact extends Compared {
  verdict: 'clean' | 'suspect' | 'confirmed' | 'insufficient';
  final: boolean;
  phase: 'concurrent' | 'before-after' | 'none';
  arms: { old: Arm; new: Arm };
  routes: RouteTest[];
  newErrors: { type: string; message: string; span: string; count: number; examples: string[] }[];
  errorKinds?: Kinds; // of reports that were made before there were any: absent
  calls?: Kinds;
  operations?: Kinds;
  failedRoots?: { excess?: number; interval?: [number, number] };
  users?: { hit: number };
  vanished?: { lost: Lost[]; gained?: string };
  confounders: string[];
  why: string[];
}

const words = { clean: 'no harm seen', suspect: 'suspect', confirmed: 'harm confirmed', insufficient: 'too little traffic to tell' };

const time = (ms: number | undefined): string => (ms === undefined ? '–' : duration(ms * 1e6));
const share = (v: number | undefined): string => (v === undefined ? '–' : number('share', v));
const phases = { concurrent: 'while both ran', 'before-after': 'before against after', none: '' };
const nameOfRoute = (r: string): string => (r === '*' ? 'all routes' : visible(r, 80));

function differenceOf(r: RouteTest): string {
  if (r.difference === undefined) return '';
  const of = r.test === 'errors' ? share : time;
  return of(r.difference) + (r.interval ? ` [${of(r.interval[0])}, ${of(r.interval[1])}]` : '');
}
const qOf = (q: number | undefined): string => (q === undefined ? '' : q < 0.001 ? '< 0.001' : q.toPrecision(2));

function Examples({ ids }: { ids: readonly string[] }): JSX.Element {
  return <>{ids.slice(0, 3).map((id, i) => <a key={id} class="example" href={`t/${id}`} title={id}>trace {i + 1}</a>)}</>;
}

function Vanished({ lost, gained }: { lost: readonly Lost[]; gained: string | undefined }): JSX.Element {
  return (
    <section data-k="vanished">
      <h3>{plural(lost.length, 'route is', 'routes are')} not served any more</h3>
      <Scroll label="Table of the routes that are not served any more">
        <table class="grid">
          <thead><tr><th>Route</th><th class="n">Requests before</th><th class="n">Served in</th><th>Traces</th></tr></thead>
          <tbody>{lost.map((l) => <tr key={l.route} data-k={`vanished ${l.route}`}><th scope="row"><bdi>{nameOfRoute(l.route)}</bdi></th><td class="n">{count(l.requests)}</td><td class="n">{l.quarters ? plural(l.quarters, 'quarter of an hour', 'quarters of an hour') : plural(l.minutes ?? 0, 'minute')}</td><td><Examples ids={l.examples} /></td></tr>)}</tbody>
        </table>
      </Scroll>
      {gained && <p class="muted small">New is <bdi>{visible(gained, 80)}</bdi>: it may be the same under another name.</p>}
    </section>
  );
}

function Arms({ d }: { d: Impact }): JSX.Element {
  const row = (name: string, a: Arm): JSX.Element => (
    <tr><th scope="row"><bdi>{visible(name, 60)}</bdi></th><td class="n">{count(a.requests)}</td><td class="n">{count(a.errors)}</td><td class="n">{share(a.errorRate)}</td><td class="n">{time(a.p50)}</td><td class="n">{time(a.p95)}</td></tr>
  );
  return (
    <Scroll label="Both versions">
      <table class="grid">
        <thead><tr><th>Version</th><th class="n">Requests</th><th class="n">Errors</th><th class="n">Error rate</th><th class="n">p50</th><th class="n">p95</th></tr></thead>
        <tbody>{row(d.baseline || 'before', d.arms.old)}{row(d.version || 'after', d.arms.new)}</tbody>
      </table>
    </Scroll>
  );
}

function Routes({ d }: { d: Impact }): JSX.Element | null {
  if (!d.routes.length) return null;
  const [tested, shown] = [d.routes.some((r) => r.q !== undefined), d.routes.some((r) => r.examples.length > 0)];
  return (
    <Scroll label="Routes">
      <table class="grid">
        <thead><tr><th>Route</th><th>Test</th><th class="n">Before</th><th class="n">After</th><th class="n">Difference, 95 %</th>{tested && <th class="n">q</th>}<th>Result</th>{shown && <th>Examples</th>}</tr></thead>
        <tbody>
          {d.routes.map((r) => {
            const show = (a: Arm): string => (r.test === 'errors' ? `${count(a.errors)} of ${count(a.requests)}` : `p95 ${time(a.p95)}`);
            return (
              <tr key={r.route + r.test} data-k={`route ${r.route} ${r.test}`}>
                <th scope="row"><bdi>{nameOfRoute(r.route)}</bdi></th><td>{r.test}</td><td class="n">{show(r.old)}</td><td class="n">{show(r.new)}</td>
                <td class="n nowrap">{differenceOf(r)}</td>{tested && <td class="n">{qOf(r.q)}</td>}
                <td class={r.verdict === 'clean' || r.verdict === 'insufficient' ? '' : 'bad'}>{r.verdict}</td>{shown && <td><Examples ids={r.examples} /></td>}
              </tr>
            );
          })}
        </tbody>
      </table>
    </Scroll>
  );
}

export function ImpactCard({ data: d }: { data: Impact }): JSX.Element {
  const { excess, interval: between } = d.failedRoots ?? {};
  const bad = d.verdict === 'suspect' || d.verdict === 'confirmed';
  return (
    <section class="card" aria-labelledby="impact-title" data-k="impact">
      <h2 id="impact-title">Impact: <span class={bad ? 'bad' : ''}>{bad && <Icon name="error" />} {words[d.verdict] ?? d.verdict}</span></h2>
      <p class="muted">{d.phase === 'none' ? 'Compared with nothing' : <>Compared with {d.baseline ? <bdi>{visible(d.baseline, 60)}</bdi> : 'the time before'}, {phases[d.phase]}</>}{d.final ? '' : '; more traffic may still change this'}.</p>
      {d.why.length > 0 && <ul class="plain">{d.why.map((w, i) => <li key={i}><Told text={w} max={300} /></li>)}</ul>}
      {d.arms.old.requests + d.arms.new.requests > 0 && <Arms d={d} />}
      <Routes d={d} />
      {!!d.vanished?.lost.length && <Vanished lost={d.vanished.lost} gained={d.vanished.gained} />}
      {d.errorKinds && d.errorKinds.kinds.length > 0 && <ErrorKinds d={d} kinds={d.errorKinds} />}
      {!d.errorKinds && d.newErrors.length > 0 && (
        <section><h3>{plural(d.newErrors.length, 'kind of error is new', 'kinds of errors are new')}</h3>
          <ul class="plain">{d.newErrors.map((e, i) => <li key={i}><Icon name="error" /> <b><bdi>{visible(e.type, 80)}</bdi></b> <bdi>{visible(e.message, 160)}</bdi> <span class="muted">{count(e.count)} in <bdi>{visible(e.span, 60)}</bdi></span> <Examples ids={e.examples} /></li>)}</ul>
        </section>
      )}
      {!!excess && excess > 0 && <p>About {count(Math.round(excess))} more requests failed at the root than would have{between && ` (${count(Math.round(between[0]))} to ${count(Math.round(between[1]))})`}.</p>}
      {!!d.users?.hit && <p>{plural(d.users.hit, 'user was', 'users were')} hit.</p>}
      {d.confounders.length > 0 && <p class="note warn"><Icon name="warn" /><span>What may mislead: {d.confounders.map((c) => visible(c, 160)).join('; ')}.</span></p>}
    </section>
  );
}
