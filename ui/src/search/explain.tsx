// SPDX-License-Identifier: Apache-2.0
// What the spans of the selection have that the others do not: attributes, ranked by how much more
// often they occur, as two bars.
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { deployPath, type Rollout } from '../base/delivery';
import { count, plural, visible } from '../base/format';
import { Icon, Scroll } from '../base/parts';
import { duration } from '../base/time';
import { plain, type Difference, type Explanation } from './answers';
import { deployOf, diffOf, share, tellingOf, type Sides } from './differences';
import { durationOf, literalOf } from './filter';

const SHOWN = 12;

const percent = (v: number): string => `${v > 0 && v < 0.005 ? '<1' : Math.round(v * 100)} %`;

function Bar({ part, of, kind }: { part: number; of: number; kind: 'sel' | 'rest' }): JSX.Element {
  const v = share(part, of);
  return (
    <div class={`ex-bar ${kind}`} title={`${count(part)} of ${count(of)}`}>
      <i aria-hidden="true"><b style={{ width: `${Math.min(100, v * 100)}%` }} /></i><span>{percent(v)}</span>
    </div>
  );
}

const valueText = (d: Difference): string => {
  const text = plain(d.value);
  const ns = d.type === 'duration' ? durationOf(text) : null;
  return ns === null ? visible(text, 120) || '(empty)' : duration(ns);
};

interface RowProps {
  d: Difference;
  of: Sides;
  deploys: readonly Rollout[];
  onCondition: (text: string) => void;
}

function Row({ d, of, deploys, onCondition }: RowProps): JSX.Element {
  const deploy = deployOf(d, deploys);
  const literal = literalOf(plain(d.value), d.type);
  const diff = diffOf(d, of);
  const name = `${visible(d.field, 80)} = ${valueText(d)}`;
  return (
    <tr data-k={`explain ${d.field} ${plain(d.value)}`}>
      <th scope="row" class="ex-name"><bdi>{visible(d.field, 80)}</bdi> <span class="muted">=</span> <bdi class="ex-value">{valueText(d)}</bdi></th>
      <td class="n nowrap ex-diff">{diff > 0 ? '+' : diff < 0 ? '−' : ''}{percent(Math.abs(diff))}</td>
      <td><Bar part={d.selection} of={of.selection} kind="sel" /></td>
      <td><Bar part={d.rest} of={of.rest} kind="rest" /></td>
      <td class="ex-acts nowrap">
        {literal !== null && <>
          <button type="button" class="small" aria-label={`Filter: ${name}`} onClick={() => onCondition(`${d.field} = ${literal}`)}>Filter</button>{' '}
          <button type="button" class="small" aria-label={`Exclude: ${name}`} onClick={() => onCondition(`${d.field} != ${literal}`)}>Exclude</button>
        </>}
        {deploy && <> <a class="button small" href={deployPath(deploy.id)} aria-label={`Deploy of ${visible(deploy.service, 60)} ${valueText(d)}`}>Deploy</a></>}
      </td>
    </tr>
  );
}

export function Explain({ data, deploys = [], onCondition }: { data: Explanation; deploys?: readonly Rollout[]; onCondition: (text: string) => void }): JSX.Element {
  const all = useSignal(false);
  const byDiff = (a: Difference, b: Difference): number => Math.abs(diffOf(b, data)) - Math.abs(diffOf(a, data));
  const ranked = all.value ? [...data.attributes].sort(byDiff) : tellingOf(data.attributes, data);
  const rows = all.value ? ranked : ranked.slice(0, SHOWN);
  return (
    <div class="explain" data-k="explain">
      <h3>Selection of {plural(data.selection, 'span')} against the other {count(data.rest)}</h3>
      {data.complete === false && <p class="note warn" role="status"><Icon name="warn" /><span>Not all spans were looked at: {visible(data.why || 'the search stopped early')}.</span></p>}
      {!data.attributes.length && <p class="muted">{data.selection ? 'No attribute tells the selection from the rest.' : 'There are no spans in the selection.'}</p>}
      {rows.length > 0 && (
        <Scroll label="Attributes that differ">
          <table class="grid ex">
            <thead><tr><th scope="col">Attribute</th><th scope="col" class="n">Difference</th><th scope="col">Selection</th><th scope="col">Rest</th><th scope="col"><span class="offscreen">Actions</span></th></tr></thead>
            <tbody>{rows.map((d) => <Row key={`${d.field} ${plain(d.value)}`} d={d} of={data} deploys={deploys} onCondition={onCondition} />)}</tbody>
          </table>
        </Scroll>
      )}
      {data.attributes.length > rows.length || all.value ? (
        <p class="row centre"><span class="muted">{count(rows.length)} of {count(data.attributes.length)}</span>
          <button type="button" class="quiet" onClick={() => (all.value = !all.value)}>{all.value ? 'Fewer' : 'All values'}</button></p>
      ) : null}
    </div>
  );
}
