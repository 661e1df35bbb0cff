// SPDX-License-Identifier: Apache-2.0
// How a rollout went out: attempts and canaries over its time, and the runs of its pipeline.
import type { JSX } from 'preact';
import { between, when, type Rollout } from '../base/delivery';
import { count, plural, visible } from '../base/format';
import { Out } from '../base/incidents';
import { Card, Scroll } from '../base/parts';

interface Attempt {
  key: string;
  target?: string;
  state?: string;
  queued?: string;
  started?: string;
  succeeded?: string;
  ended?: string;
  actor?: string;
  trigger?: string;
  url?: string;
}
interface Canary {
  key: string;
  state?: string;
  weight?: number;
  most_weight?: number;
  started?: string;
  ended?: string;
  reason?: string;
  steps: { time: string; state?: string; weight?: number; reason?: string }[];
}
interface Task {
  name?: string;
  type?: string;
  state?: string;
  result?: string;
  started?: string;
  ended?: string;
  url?: string;
}
interface Run extends Task {
  key: string;
  actor?: string;
  trace?: string;
  tasks: Task[];
}
export interface Went {
  rollout: Rollout;
  attempts: Attempt[];
  canaries: Canary[];
  runs: Run[];
}

interface Bar {
  from: bigint;
  to: bigint;
  name: string;
  state: string;
}

// Attempts and canaries as bars on one time; the table below says the same.
function Course({ d }: { d: Went }): JSX.Element | null {
  const bars: Bar[] = [
    ...d.canaries.map((c) => ({ from: c.started ?? c.steps[0]?.time, to: c.ended ?? c.steps.at(-1)?.time, name: `canary${c.most_weight !== undefined ? ` ${c.most_weight} %` : ''}`, state: c.state ?? '' })),
    ...d.attempts.map((a) => ({ from: a.started ?? a.succeeded ?? a.ended, to: a.succeeded ?? a.ended ?? a.started, name: a.target ?? 'deploy', state: a.state ?? '' })),
  ].flatMap((b) => (b.from && b.to ? [{ ...b, from: BigInt(b.from), to: BigInt(b.to) }] : []));
  if (!bars.length) return null;
  const least = bars.reduce((m, b) => (b.from < m ? b.from : m), bars[0]!.from);
  const most = bars.reduce((m, b) => (b.to > m ? b.to : m), bars[0]!.to);
  const share = (t: bigint): number => (most > least ? (Number(t - least) / Number(most - least)) * 100 : 0);
  return (
    <ul class="course" aria-hidden="true">
      {bars.slice(0, 24).map((b, i) => (
        <li key={i}><span class="course-name">{visible(b.name, 30)}</span><span class="course-room"><i class={b.state} style={{ left: `${share(b.from)}%`, width: `max(3px, ${Math.max(0, share(b.to) - share(b.from))}%)` }} /></span></li>
      ))}
    </ul>
  );
}

export function Attempts({ d }: { d: Went }): JSX.Element {
  const waited = d.attempts.some((a) => a.queued);
  return (
    <Card id="attempts" title="How it went out">
      <Course d={d} />
      <Scroll label="Table of the attempts">
        <table class="grid">
          <thead><tr><th>Target</th><th>State</th><th>Began</th>{waited && <th class="n">Waited</th>}<th class="n">Took</th><th>By</th></tr></thead>
          <tbody>
            {d.attempts.map((a) => (
              <tr key={a.key}>
                <th scope="row"><Out url={a.url}><bdi>{visible(a.target || 'the only one', 60)}</bdi></Out></th>
                <td class={a.state === 'failure' ? 'bad' : ''}>{a.state}</td>
                <td class="nowrap">{when(a.started ?? a.succeeded ?? a.ended)}</td>
                {waited && <td class="n">{between(a.queued, a.started)}</td>}
                <td class="n">{between(a.started, a.succeeded ?? a.ended)}</td>
                <td><bdi>{visible(a.actor ?? '', 60)}</bdi></td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {d.attempts.length < (d.rollout.attempts ?? 0) && <p class="muted small">{count(d.attempts.length)} of {plural(d.rollout.attempts!, 'attempt')} are shown.</p>}
      {d.canaries.map((c) => (
        <section key={c.key} data-k="canary">
          <h3>Canary: {c.state}{c.most_weight !== undefined ? `, at most ${c.most_weight} % of the traffic` : ''}</h3>
          {c.reason && <p><bdi>{visible(c.reason, 240)}</bdi></p>}
          <ol class="steps">
            {c.steps.map((s, i) => <li key={i}>{when(s.time)} {[s.state, s.weight !== undefined && `${s.weight} %`, s.reason && visible(s.reason, 120)].filter(Boolean).join(' · ')}</li>)}
          </ol>
        </section>
      ))}
    </Card>
  );
}

export function Runs({ d }: { d: Went }): JSX.Element | null {
  if (!d.runs.length) return null;
  return (
    <Card id="runs" title="Pipeline">
      {d.runs.map((r) => (
        <section key={r.key}>
          <h3><Out url={r.url}><bdi>{visible(r.name || r.key, 80)}</bdi></Out>: {r.result ?? r.state}{r.started && r.ended ? ` after ${between(r.started, r.ended)}` : ''} {r.trace && /^[0-9a-f]{32}$/.test(r.trace) && <a href={`t/${r.trace}`}>its trace</a>}</h3>
          {r.tasks.length > 0 && (
            <Scroll label={`Jobs of ${visible(r.name || r.key, 60)}`}>
              <table class="grid">
                <thead><tr><th>Job</th><th>Kind</th><th>Result</th><th>Began</th><th class="n">Took</th></tr></thead>
                <tbody>{r.tasks.map((t, i) => <tr key={i}><th scope="row"><Out url={t.url}><bdi>{visible(t.name ?? '', 80)}</bdi></Out></th><td>{t.type}</td><td class={t.result === 'failure' ? 'bad' : ''}>{t.result ?? t.state}</td><td class="nowrap">{when(t.started)}</td><td class="n">{between(t.started, t.ended)}</td></tr>)}</tbody>
              </table>
            </Scroll>
          )}
        </section>
      ))}
    </Card>
  );
}
