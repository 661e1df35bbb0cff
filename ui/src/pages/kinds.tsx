// SPDX-License-Identifier: Apache-2.0
// Kinds of errors, and what a service calls: what the new version has and the old one has not, and the reverse.
import type { JSX } from 'preact';
import { count, plural, visible } from '../base/format';
import { Scroll } from '../base/parts';

type State = 'new' | 'gone' | 'same' | 'unsure';
export interface Kind {
  state: State;
  old: number; // traces
  new: number;
  type?: string; // of errors
  message?: string;
  span?: string;
  to?: string; // of calls
  attribute?: string;
  operation?: string;
  query?: string; // that finds its traces; absent: none can
  examples: string[];
}
export interface Kinds {
  new: number;
  gone: number;
  same: number;
  unsure: number;
  why?: string;
  kinds: Kind[];
}
interface Window {
  from: string;
  to: string;
}
// Of a report, what leads to its traces.
export interface Compared {
  version: string;
  baseline: string;
  windows?: { old: Window; new: Window };
}

const words: Record<State, string> = { new: 'new', gone: 'gone', same: 'in both', unsure: 'too few to tell' };

// The traces behind a kind, in the time of the version that has it: the new one where both do.
export function tracesOf(d: Compared, k: Kind): string | null {
  const w = d.windows?.[k.new ? 'new' : 'old'];
  return k.query && w ? `traces?${new URLSearchParams({ q: k.query, range: 'between', start: w.from, end: w.to })}` : null;
}

function Traces({ d, k }: { d: Compared; k: Kind }): JSX.Element {
  const [href, text] = [tracesOf(d, k), plural(k.new || k.old, 'trace')];
  return href ? <a class="example" href={href}>{text}</a> : <>{text}</>;
}

function More({ k }: { k: Kind }): JSX.Element {
  if (k.type === undefined) return <bdi>{visible(k.operation || k.attribute?.replace('span.', '') || '', 80)}</bdi>;
  return <><bdi>{visible(k.message ?? '', 120)}</bdi> <span class="muted">in <bdi>{visible(k.span ?? '', 60)}</bdi></span></>;
}

const summaryOf = (k: Kinds): string =>
  [`new ${count(k.new)}`, `gone ${count(k.gone)}`, `in both ${count(k.same)}`, k.unsure ? `too few to tell ${count(k.unsure)}` : ''].filter(Boolean).join(' · ');

export function KindTable({ d, kinds, label, only }: { d: Compared; kinds: Kinds; label: string; only?: (k: Kind) => boolean }): JSX.Element | null {
  const shown = only ? kinds.kinds.filter(only) : kinds.kinds;
  if (!shown.length) return null;
  return (
    <Scroll label={label}>
      <table class="grid">
        <thead><tr><th>What</th><th>{shown[0]?.type === undefined ? 'Told by' : 'Message'}</th><th class="n">{visible(d.baseline, 40) || 'Before'}</th><th class="n">{visible(d.version, 40) || 'After'}</th><th>It is</th><th>Traces</th></tr></thead>
        <tbody>
          {shown.map((k, i) => (
            <tr key={i} data-k={`kind ${k.type ?? k.to} ${k.state}`}>
              <th scope="row"><bdi>{visible(k.type ?? k.to ?? '', 60)}</bdi></th>
              <td class="wrap"><More k={k} /></td>
              <td class="n">{count(k.old)}</td>
              <td class="n">{count(k.new)}</td>
              <td class={k.state === 'new' && k.type !== undefined ? 'bad' : ''}>{words[k.state]}</td>
              <td><Traces d={d} k={k} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

export function ErrorKinds({ d, kinds }: { d: Compared; kinds: Kinds }): JSX.Element {
  return (
    <section data-k="error-kinds">
      <h3>Kinds of errors: {summaryOf(kinds)}</h3>
      {kinds.why && <p class="muted small">{visible(kinds.why, 120)}.</p>}
      <KindTable d={d} kinds={kinds} label="Table of the kinds of errors" only={(k) => k.state !== 'unsure'} />
      {kinds.unsure > 0 && (
        <details class="how">
          <summary>{plural(kinds.unsure, 'kind')} of which there are too few to tell</summary>
          <KindTable d={d} kinds={kinds} label="Table of the kinds of errors of which there are too few to tell" only={(k) => k.state === 'unsure'} />
        </details>
      )}
      {kinds.new + kinds.gone + kinds.unsure > 0 && <p class="muted small">New or gone: one version had none, and chance would hardly have left it out at the rate of the other. Counted are traces.</p>}
    </section>
  );
}
