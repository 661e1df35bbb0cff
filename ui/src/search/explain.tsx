// SPDX-License-Identifier: Apache-2.0
// What the spans of the selection have that the others do not: attributes, ranked by how much more
// often they occur, as two bars.
import { useSignal } from '@preact/signals';
import type { ComponentChildren, JSX } from 'preact';
import { useRef } from 'preact/hooks';
import { deployPath, type Rollout } from '../base/delivery';
import { count, plural, visible } from '../base/format';
import { Icon, Scroll } from '../base/parts';
import { duration } from '../base/time';
import { useWidth } from '../base/width';
import { plain, type Difference, type Explanation } from './answers';
import { deployOf, diffOf, share, spreadOf, tellingOf, type Sides } from './differences';
import { durationOf, literalOf } from './filter';

const SHOWN = 12;
const LEAST_DIFF = 0.005; // what differs less is told as 0 %, and tells nothing
const NARROW_PX = 620; // below it, what can be done with a value stands under it

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

// A name that may be broken behind its dots.
const parted = (name: string): ComponentChildren => name.split(/(?<=[.:_])/).flatMap((part, i) => (i ? [<wbr key={i} />, part] : [part]));

interface RowProps {
  d: Difference;
  of: Sides;
  spread: number | null; // no value stands out: the largest share of one
  narrow: boolean;
  deploys: readonly Rollout[];
  onCondition: (text: string) => void;
}

function Actions({ d, deploys, onCondition }: Pick<RowProps, 'd' | 'deploys' | 'onCondition'>): JSX.Element {
  const deploy = deployOf(d, deploys);
  const literal = literalOf(plain(d.value), d.type);
  const name = `${visible(d.field, 80)} = ${valueText(d)}`;
  return (
    <>
      {literal !== null && <>
        <button type="button" class="small" aria-label={`Filter: ${name}`} onClick={() => onCondition(`${d.field} = ${literal}`)}>Filter</button>{' '}
        <button type="button" class="small" aria-label={`Exclude: ${name}`} onClick={() => onCondition(`${d.field} != ${literal}`)}>Exclude</button>
      </>}
      {deploy && <> <a class="button small" href={deployPath(deploy.id)} aria-label={`Deploy of ${visible(deploy.service, 60)} ${valueText(d)}`}>Deploy</a></>}
    </>
  );
}

function Row({ d, of, spread, narrow, deploys, onCondition }: RowProps): JSX.Element {
  const diff = diffOf(d, of);
  const acts = spread === null && <Actions d={d} deploys={deploys} onCondition={onCondition} />;
  return (
    <tr data-k={`explain ${d.field} ${spread === null ? plain(d.value) : ''}`}>
      <th scope="row" class="ex-name">
        <bdi>{parted(visible(d.field, 80))}</bdi>{' '}
        {spread === null ? <><span class="muted">=</span> <bdi class="ex-value">{valueText(d)}</bdi></> : <span class="muted">(no single value &gt; {Math.ceil(spread * 100)} %)</span>}
        {narrow && acts && <div class="ex-acts">{acts}</div>}
      </th>
      <td class="n nowrap ex-diff">{diff > 0 ? '+' : diff < 0 ? '−' : ''}{percent(Math.abs(diff))}</td>
      <td>{spread === null && <Bar part={d.selection} of={of.selection} kind="sel" />}</td>
      <td>{spread === null && <Bar part={d.rest} of={of.rest} kind="rest" />}</td>
      {!narrow && <td class="ex-acts nowrap">{acts}</td>}
    </tr>
  );
}

interface ExplainProps {
  data: Explanation;
  title?: JSX.Element; // of what against what, when not of a selection against the rest
  sides?: readonly [string, string]; // heads of their columns
  deploys?: readonly Rollout[];
  onCondition: (text: string) => void;
}

export function Explain({ data, title, sides = ['Selection', 'Rest'], deploys = [], onCondition }: ExplainProps): JSX.Element {
  const all = useSignal(false);
  const outer = useRef<HTMLDivElement>(null);
  const narrow = useWidth(outer) < NARROW_PX;
  const byDiff = (a: Difference, b: Difference): number => Math.abs(diffOf(b, data)) - Math.abs(diffOf(a, data));
  const ranked = all.value ? [...data.attributes].sort(byDiff) : tellingOf(data.attributes, data).filter((d) => Math.abs(diffOf(d, data)) >= LEAST_DIFF);
  const rows = all.value ? ranked : ranked.slice(0, SHOWN);
  const spread = (d: Difference): number | null => (all.value ? null : spreadOf(d, data.attributes, data));
  return (
    <div class="explain" data-k="explain" ref={outer}>
      <h3>{title ?? `Selection of ${plural(data.selection, 'span')} against the other ${count(data.rest)}`}</h3>
      {data.complete === false && <p class="note warn" role="status"><Icon name="warn" /><span>Not all spans were looked at: {visible(data.why || 'the search stopped early')}.</span></p>}
      {!rows.length && <p class="muted">{data.selection ? 'No attribute tells the two apart.' : 'There are no spans in the selection.'}</p>}
      {rows.length > 0 && !data.rest && <p class="muted">There is nothing to compare with: these are the values of the selection.</p>}
      {rows.length > 0 && (
        <Scroll label="Attributes that differ">
          <table class="grid ex">
            <thead><tr><th scope="col">Attribute</th><th scope="col" class="n">{narrow ? 'Diff.' : 'Difference'}</th>{sides.map((s) => <th key={s} scope="col">{s}</th>)}{!narrow && <th scope="col"><span class="offscreen">Actions</span></th>}</tr></thead>
            <tbody>{rows.map((d) => <Row key={`${d.field} ${plain(d.value)}`} d={d} of={data} spread={spread(d)} narrow={narrow} deploys={deploys} onCondition={onCondition} />)}</tbody>
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
