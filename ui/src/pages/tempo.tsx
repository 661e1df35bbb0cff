// SPDX-License-Identifier: Apache-2.0
// What holds the tempo back most, where the time of a change goes, and how mature each dimension is: the profile
// of a scope and window, each statement with what it rests on.
import type { JSX } from 'preact';
import { getJson } from '../base/api';
import { number, type Measure } from '../base/delivery';
import { count, plural } from '../base/format';
import { Failed, Icon, Loading, Scroll } from '../base/parts';
import { resource } from '../base/resource';
import { Told } from '../base/told';

interface Finding {
  name: string;
  text: string;
  answer: 'yes' | 'no' | 'cannot know';
  evidence: string;
  step?: string;
}
export interface Dimension {
  name: string;
  level?: number; // not there: it cannot be known
  at_least?: number;
  at_most?: number;
  why?: string;
  steps: Finding[];
}
interface Profile {
  headline: Finding;
  dimensions: Dimension[];
  rules: Finding[];
  modes: Finding[];
}

const profile = resource<Profile>();
export const tempoIsBusy = (): boolean => profile.state.value.busy;
export const loadTempo = (query: string, keep: boolean): void => void profile.load((stop) => getJson(`api/takt/delivery/profile?${query}`, stop), keep);

const LEVELS = ['manual, monthly', 'automated, weekly', 'progressive, daily'];

// "1: automated, weekly"; of what cannot be known between which it lies.
export function levelText(d: Dimension): string {
  if (d.level !== undefined) return `${d.level}: ${LEVELS[d.level]}`;
  return `cannot know which of ${d.at_least} to ${d.at_most}`;
}

// The stages of a change one after the other, as shares of them all; those that nothing is known of have none.
const STAGES = ['coding_time', 'pickup_time', 'review_time', 'deploy_time'];
export function stagesOf(measures: readonly Measure[]): { m: Measure; share: number }[] {
  const known = STAGES.flatMap((name) => measures.filter((m) => m.name === name && m.value !== undefined));
  const all = known.reduce((sum, m) => sum + m.value!, 0);
  return all > 0 ? known.map((m) => ({ m, share: m.value! / all })) : [];
}

// How much of that is waiting, for the first look of a reviewer and for the deploy; null: not both of waiting and
// working are known.
const WAITS = ['pickup_time', 'deploy_time'];
export function waitShare(measures: readonly Measure[]): number | null {
  const stages = stagesOf(measures);
  const waits = stages.filter(({ m }) => WAITS.includes(m.name));
  return waits.length && waits.length < stages.length ? waits.reduce((sum, w) => sum + w.share, 0) : null;
}

// How big a change is and how much of its time it waits.
export function TempoFigure({ measures, hrefOf }: { measures: readonly Measure[]; hrefOf: (name: string) => string }): JSX.Element {
  const batch = measures.find((m) => m.name === 'batch_size');
  const wait = waitShare(measures);
  return (
    <li class="card figure" data-k="figure tempo">
      <h2><a href={hrefOf('batch_size')}>Tempo</a></h2>
      <p class={`big ${batch?.value === undefined ? 'muted' : ''}`}>{batch?.value === undefined ? 'no data' : plural(batch.value, 'commit')}</p>
      <p class="muted small">{batch?.value === undefined ? 'of a rollout' : `in the middle rollout of ${count(batch.n)}`}</p>
      <p class="small">{wait === null ? <span class="muted">Waiting share: cannot know, too few stages of changes are known</span> : <><b>{number('share', wait)}</b> of a change's time is waiting: <a href={hrefOf('pickup_time')}>pickup</a>, <a href={hrefOf('deploy_time')}>merge to deploy</a></>}</p>
    </li>
  );
}

function Stages({ measures, hrefOf }: { measures: readonly Measure[]; hrefOf: (name: string) => string }): JSX.Element | null {
  const stages = stagesOf(measures);
  if (!stages.length) return null;
  return (
    <>
      <h3 id="stages-title">Where the time of a change goes</h3>
      <ul class="stages" aria-labelledby="stages-title" data-k="stages">
        {stages.map(({ m, share }) => (
          <li key={m.name}>
            <a href={hrefOf(m.name)}>{m.title}</a> <span class="n">{number(m.unit, m.value!)}</span>
            <span class="stage" aria-hidden="true"><span style={{ width: `${(share * 100).toFixed(1)}%` }} /></span>
          </li>
        ))}
      </ul>
      <p class="muted small">Medians of each stage, which need not add up.</p>
    </>
  );
}

function FindingRow({ f }: { f: Finding }): JSX.Element {
  return <tr data-k={`finding ${f.name}`}><th scope="row">{f.text}</th><td class="nowrap">{f.answer}</td><td class="wrap"><Told text={f.evidence} max={400} /></td></tr>;
}

function Findings({ title, list }: { title: string; list: readonly Finding[] }): JSX.Element {
  const yes = list.filter((f) => f.answer === 'yes').length;
  const unknown = list.filter((f) => f.answer === 'cannot know').length;
  return (
    <details>
      <summary>{title}: {yes} of {list.length}, {unknown} cannot be known</summary>
      <Scroll label={title}>
        <table class="grid"><thead><tr><th>What</th><th>So it is</th><th>Because</th></tr></thead><tbody>{list.map((f) => <FindingRow key={f.name} f={f} />)}</tbody></table>
      </Scroll>
    </details>
  );
}

function Maturity({ dimensions }: { dimensions: readonly Dimension[] }): JSX.Element {
  return (
    <details>
      <summary>Maturity: {dimensions.map((d) => `${d.name} ${d.level ?? '?'}`).join(', ')}</summary>
      <Scroll label="Maturity">
        <table class="grid">
          <thead><tr><th>Of</th><th>Stands at</th><th>Step</th><th>Reached</th><th>Because</th></tr></thead>
          {dimensions.map((d) => (
            <tbody key={d.name} data-k={`dimension ${d.name}`}>
              {d.steps.map((s) => (
                <tr key={s.name}>
                  <th scope="row">{d.name}</th>
                  <td>{levelText(d)}</td>
                  <td>{s.text}</td><td class="nowrap">{s.answer}</td><td class="wrap"><Told text={s.evidence} max={400} /></td>
                </tr>
              ))}
            </tbody>
          ))}
        </table>
      </Scroll>
    </details>
  );
}

export function TempoPart({ measures, hrefOf, retry }: { measures: readonly Measure[]; hrefOf: (name: string) => string; retry: () => void }): JSX.Element | null {
  const { data, error } = profile.state.value;
  if (error) return <Failed what="What holds the tempo back could not be judged" error={error} retry={retry} />;
  if (!data) return <Loading what="Judging what holds the tempo back" />;
  const { headline: h } = data;
  return (
    <section class="card tempo" aria-labelledby="tempo-title" data-k="tempo">
      <h2 id="tempo-title">What holds the tempo back most: {h.text}</h2>
      <p><Told text={h.evidence} max={400} /></p>
      {h.step && <p class="row"><Icon name="right" /> {h.step}</p>}
      <Stages measures={measures} hrefOf={hrefOf} />
      <Maturity dimensions={data.dimensions} />
      <Findings title="Rules that hold, in their order" list={data.rules} />
      <Findings title="Failure modes that show" list={data.modes} />
    </section>
  );
}
