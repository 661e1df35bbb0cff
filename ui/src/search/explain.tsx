// SPDX-License-Identifier: Apache-2.0
// What the spans of the selection have that the others do not: attributes, ranked by how much more
// often they occur, as two bars.
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { count, plural, visible } from '../base/format';
import { Icon, Scroll } from '../base/parts';
import { duration } from '../base/time';
import { plain, type Difference, type Explanation, type SeriesAnswer } from './answers';
import { durationOf, literalOf } from './filter';

const SHOWN = 12;

const share = (n: number, of: number): number => (of > 0 ? n / of : 0);
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

// Shares are of all spans of a side, also of those without the attribute: only so they can be
// compared between attributes.
type Sides = Pick<Explanation, 'selection' | 'rest'>;
const diffOf = (d: Difference, of: Sides): number => share(d.selection, of.selection) - share(d.rest, of.rest);

function Row({ d, of, onCondition }: { d: Difference; of: Sides; onCondition: (text: string) => void }): JSX.Element {
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
      </td>
    </tr>
  );
}

// The most telling value of each attribute: where two tell as much, the one that the selection has more of.
export function tellingOf(all: readonly Difference[], of: Sides): Difference[] {
  const best = new Map<string, Difference>();
  for (const d of all) {
    const have = best.get(d.field);
    const by = have ? Math.abs(diffOf(d, of)) - Math.abs(diffOf(have, of)) : 1;
    if (by > 1e-9 || (by > -1e-9 && have && diffOf(d, of) > diffOf(have, of))) best.set(d.field, d);
  }
  return [...best.values()].sort((a, b) => Math.abs(diffOf(b, of)) - Math.abs(diffOf(a, of)));
}

const WORDS = /^(span:)?(status|kind)$/; // fields whose values are words
const TYPES: Record<string, string> = { '': 'nil', stringValue: 'string', intValue: 'int', doubleValue: 'float', boolValue: 'bool' };

const TOP = 10; // values of an attribute that compare() gives of each side, unless it says how many

// How many values compare() gives of each side.
const topOf = (query: string): number => Number(/\}\s*,\s*(\d+)/.exec(query)?.[1] ?? TOP);

// The series of compare(), each summed over its time. What cannot be told is left out: attributes with too
// many values to count, and a value that only one side gives while the other gave as many as it may.
export function explanationOf(answer: SeriesAnswer, query: string): Explanation {
  const found = new Map<string, Difference>();
  const totals = new Map<string, { selection: number; rest: number }>();
  const uncounted = new Set<string>();
  for (const s of answer.series ?? []) {
    const side = plain(s.labels?.find((l) => l.key === '__meta_type')?.value);
    const label = s.labels?.find((l) => !l.key.startsWith('__meta_'));
    if (!label) continue;
    if (s.labels!.some((l) => l.key === '__meta_error')) uncounted.add(label.key);
    const n = (s.samples ?? []).reduce((sum, p) => sum + Number(p.value ?? 0), 0);
    const of = side.startsWith('selection') ? 'selection' : 'rest';
    if (side.endsWith('_total')) {
      const total = totals.get(label.key) ?? { selection: 0, rest: 0 };
      totals.set(label.key, { ...total, [of]: total[of] + n });
      continue;
    }
    const kind = Object.keys(label.value ?? {})[0] ?? '';
    const type = WORDS.test(label.key) ? 'keyword' : (TYPES[kind] ?? 'any');
    const key = `${label.key} ${kind} ${plain(label.value)}`;
    const d = found.get(key) ?? { field: label.key, value: label.value, type, selection: 0, selectionTotal: 0, rest: 0, restTotal: 0, diff: 0 };
    found.set(key, { ...d, [of]: d[of] + n });
  }
  for (const field of uncounted) totals.delete(field);
  const given = new Map<string, number>(); // values, by attribute and side
  const sidesOf = (d: Difference): string[] => [d.selection > 0 ? 'selection' : '', d.rest > 0 ? 'rest' : ''].filter(Boolean);
  for (const d of found.values()) for (const side of sidesOf(d)) given.set(`${d.field} ${side}`, (given.get(`${d.field} ${side}`) ?? 0) + 1);
  const isKnown = (d: Difference): boolean => (['selection', 'rest'] as const).every((side) => d[side] > 0 || (given.get(`${d.field} ${side}`) ?? 0) < topOf(query));
  const sides = { selection: Math.max(0, ...[...totals.values()].map((t) => t.selection)), rest: Math.max(0, ...[...totals.values()].map((t) => t.rest)) };
  const attributes = [...found.values()].flatMap((d) => {
    const total = totals.get(d.field);
    return total && isKnown(d) ? [{ ...d, selectionTotal: total.selection, restTotal: total.rest, diff: diffOf(d, sides) }] : [];
  });
  return { ...sides, attributes, complete: answer.status !== 'PARTIAL', why: answer.message || null };
}

export function Explain({ data, onCondition }: { data: Explanation; onCondition: (text: string) => void }): JSX.Element {
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
            <tbody>{rows.map((d) => <Row key={`${d.field} ${plain(d.value)}`} d={d} of={data} onCondition={onCondition} />)}</tbody>
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
