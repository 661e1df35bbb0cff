// SPDX-License-Identifier: Apache-2.0
// Where two sides of traces spend their time: a row for each service and operation, what differs most on the
// critical path first.
import type { JSX } from 'preact';
import { coloursOf } from '../base/colour';
import { count, plural, visible } from '../base/format';
import { Icon, Scroll, Service } from '../base/parts';
import { duration } from '../base/time';
import { mostPath, type Balance, type Compared, type Spent, type SpentRow } from './cohorts';

const ROWS_SHOWN = 100;

// A mean of numbers: whole where it is, else with what tells it from others.
export const mean = (n: number): string => (Number.isInteger(n) ? count(n) : n >= 100 ? count(n) : n >= 0.01 ? n.toFixed(n < 1 ? 2 : 1) : '<0.01');

const signed = (ns: number): string => (ns > 0 ? '+' : '') + duration(ns);

export type Letter = 'A' | 'B';

interface CellsProps {
  c: Compared;
  row: SpentRow;
  data: Balance;
  which: Letter;
  most: number; // ns, the longest bar
}

// Opens the trace with the operation found in it, or the traces of the side that spend most there.
function Count({ c, row, data, which }: Omit<CellsProps, 'most'>): JSX.Element {
  const of = which === 'A' ? row.a : row.b;
  const trace = (which === 'A' ? data.a : data.b).trace;
  if (!of.traces) return <span class="muted">–</span>;
  const name = `${visible(row.service, 60)} ${visible(row.name, 100)}`;
  return trace
    ? <a href={`t/${trace.traceId}?${new URLSearchParams({ q: row.name })}`} aria-label={`${plural(of.spans, 'span')}, find in trace ${which}: ${name}`}>{count(of.spans)}</a>
    : <a href={mostPath(c, row, of)} aria-label={`${plural(of.traces, 'trace')} of ${which}, open those that spend most in ${name}`}>{count(of.traces)}</a>;
}

function Cells({ c, row, data, which, most }: CellsProps): JSX.Element {
  const [of, other]: [Spent, Spent] = which === 'A' ? [row.a, row.b] : [row.b, row.a];
  const time = (ns: number): string => (of.traces ? duration(Math.round(ns)) : '–');
  const muted = of.traces ? '' : ' muted';
  return (
    <>
      <td class="n"><Count c={c} row={row} data={data} which={which} /></td>
      <td class="n nowrap length"><div>
        <i aria-hidden="true"><b class={which} style={{ width: `${(100 * of.criticalNano) / most}%` }} /></i>
        <span class={muted}>{time(of.criticalNano)}</span>
      </div></td>
      <td class={`n nowrap${muted}`}>{time(of.selfNano)}</td>
      <td class={`n nowrap ${of.errors > other.errors ? 'bad' : of.errors ? '' : 'muted'}`}>{of.errors > 0 && <Icon name="error" label="errors" />} {mean(of.errors)}</td>
    </>
  );
}

export function SpentTable({ c, data, names, setAll }: { c: Compared; data: Balance; names: readonly [string, string]; setAll: (all: boolean) => void }): JSX.Element {
  const colours = coloursOf(data.rows.map((r) => r.service));
  const most = Math.max(1, ...data.rows.flatMap((r) => [r.a.criticalNano, r.b.criticalNano]));
  const rows = c.all ? data.rows : data.rows.slice(0, ROWS_SHOWN);
  const first = data.a.trace ? 'Spans' : 'Traces';
  return (
    <>
      <Scroll label="Operations">
        <table class="grid cmp">
          <thead>
            <tr><th scope="col" rowSpan={2}>Service and operation</th>{names.map((n, i) => <th key={i} scope="colgroup" colSpan={4} class="cmp-group">{n}</th>)}<th scope="col" rowSpan={2} class="n">Δ critical path</th><th scope="col" rowSpan={2} class="n">Share of all Δ</th></tr>
            <tr>{['A', 'B'].flatMap((w) => [first, 'Critical path', 'Self time', 'Errors'].map((h) => <th key={w + h} scope="col" class="n">{h}</th>))}</tr>
          </thead>
          <tbody>
            {rows.map((r) => (
              <tr key={`${r.service}\0${r.name}`} data-k={`compare ${r.service} ${r.name}`}>
                <th scope="row"><Service name={r.service} colour={colours.get(r.service) ?? 0} /> <bdi>{visible(r.name, 100) || '(no name)'}</bdi></th>
                <Cells c={c} row={r} data={data} which="A" most={most} />
                <Cells c={c} row={r} data={data} which="B" most={most} />
                <td class="n nowrap"><b>{Math.round(r.deltaNano) ? signed(Math.round(r.deltaNano)) : '0'}</b></td>
                <td class="n nowrap share"><div><i aria-hidden="true"><b style={{ width: `${r.share * 100}%` }} /></i><span>{Math.round(r.share * 100)} %</span></div></td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {(data.rows.length > ROWS_SHOWN || data.operations > data.rows.length) && (
        <p class="row centre"><span class="muted">{count(rows.length)} of {count(data.operations)} operations</span>
          {data.rows.length > ROWS_SHOWN && <button type="button" onClick={() => setAll(!c.all)}>{c.all ? 'Fewer' : data.operations > data.rows.length ? `The first ${count(data.rows.length)}` : 'All'}</button>}</p>
      )}
    </>
  );
}
