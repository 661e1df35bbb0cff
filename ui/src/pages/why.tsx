// SPDX-License-Identifier: Apache-2.0
// What a figure is made of: its definition, and every row that was counted or left out.
import type { JSX } from 'preact';
import { useLayoutEffect } from 'preact/hooks';
import { getJson } from '../base/api';
import { Csv, type CsvCell } from '../base/csv';
import { deployPath, LISTED_MAX, number, shortName, value, when, type Measure } from '../base/delivery';
import { count, plural, visible } from '../base/format';
import { Copy, Failed, Icon, Loading, Scroll } from '../base/parts';
import { resource } from '../base/resource';

interface WhyRow {
  counted: boolean;
  hit?: boolean;
  value?: number;
  why?: string;
  service?: string;
  environment?: string;
  rollout?: string;
  kind?: string;
  version?: string;
  sha?: string;
  finished?: string;
  incident?: string;
  commit?: { sha?: string; subject?: string; author?: string };
  began_says?: string; // of an incident: how it is known when its impact began
  evidence?: { says: string; decides?: boolean }[];
}
interface Why extends Measure {
  definition: string;
  rows: WhyRow[];
  rows_in_all: number;
  events_since: number;
}

const ROWS = 200;
const why = resource<Why>();
export const whyIsRead = (): boolean => why.state.value.data !== null;

const whyPath = (m: Measure, limit: number): string => `api/takt/delivery/why?${new URLSearchParams({ figure: m.figure, limit: String(limit) })}`;
const loadWhy = (m: Measure): void => void why.load((stop) => getJson(whyPath(m, ROWS), stop), false);

function whatOf(r: WhyRow): string {
  if (r.why) return r.why;
  if (r.commit) return `${r.commit.sha?.slice(0, 9) ?? ''} ${r.commit.subject ?? ''}`;
  return r.began_says ?? r.evidence?.find((e) => e.decides)?.says ?? '';
}

async function csvOfWhy(m: Measure): Promise<CsvCell[][]> {
  const all = await getJson<Why>(whyPath(m, LISTED_MAX));
  const rows = all.rows.map((r) => [r.counted ? 'yes' : 'no', r.hit ? 'yes' : 'no', r.value, r.incident, r.service, r.environment, r.rollout, shortName(r), r.kind, when(r.finished), whatOf(r)]);
  const cut = all.rows.length < all.rows_in_all ? [[`the first ${count(all.rows.length)} of ${plural(all.rows_in_all, 'row')}`]] : [];
  return [['counted', 'hit', 'value', 'incident', 'service', 'environment', 'rollout', 'version', 'kind', 'finished', 'what'], ...rows, ...cut];
}

// Of times, when all rows are here: of some the slowest may be among the others.
const isSorted = (m: Measure, why: Why): boolean => m.unit === 'seconds' && why.rows.length === why.rows_in_all;
const slowestFirst = (m: Measure, why: Why): readonly WhyRow[] => (isSorted(m, why) ? [...why.rows].sort((a, b) => Number(b.counted) - Number(a.counted) || (b.value ?? 0) - (a.value ?? 0)) : why.rows);

export function WhyPart({ m, close }: { m: Measure; close: () => void }): JSX.Element {
  useLayoutEffect(() => loadWhy(m), [m.figure]);
  const { data, error } = why.state.value;
  return (
    <section class="card why-part" aria-labelledby="why-title" data-k="why">
      <div class="row"><h2 id="why-title">{m.title}: {value(m)}</h2><Csv name={`takt-${m.name}`} of="All rows behind it" rows={() => csvOfWhy(m)} /><Copy text={m.figure} label="Copy the id of this figure" /><button type="button" class="quiet icon" aria-label="Close" onClick={close}><Icon name="close" /></button></div>
      {error ? <Failed what="The rows could not be read" error={error} retry={() => loadWhy(m)} />
        : !data ? <Loading what="Reading the rows" /> : (
          <>
            <p>{data.definition}</p>
            {data.immature ? <p class="muted">{count(data.immature)} younger than a day: they may yet be found to have failed.</p> : null}
            {data.left_out.length > 0 && <p class="muted">Left out: {data.left_out.map((x) => `${count(x.n)} ${x.why}`).join(', ')}.{data.clamped ? ` ${plural(data.clamped, 'slightly negative time')} counted as 0.` : ''}</p>}
            {data.rows.length > 0 && (
              <Scroll label="Rows behind the figure">
                <table class="grid">
                  <thead><tr><th>Counted</th><th class="n">Value</th><th>Of</th><th>Rollout</th><th>Finished</th><th>What</th></tr></thead>
                  <tbody>
                    {slowestFirst(m, data).map((r, i) => (
                      <tr key={i} class={r.counted ? '' : 'muted'}>
                        <td>{r.counted ? (r.hit ? 'yes, hit' : 'yes') : 'no'}</td>
                        <td class="n">{r.value === undefined ? '' : number(m.unit === 'share' ? 'seconds' : m.unit, r.value)}</td>
                        <td><bdi>{visible(r.incident ?? r.service ?? '', 60)}</bdi></td>
                        <td>{r.rollout ? <a href={deployPath(r.rollout)}><bdi>{shortName(r) || r.rollout.slice(0, 8)}</bdi></a> : null} <span class="muted">{r.kind}</span></td>
                        <td class="nowrap">{when(r.finished)}</td>
                        <td class="wrap"><bdi>{visible(whatOf(r), 160)}</bdi></td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </Scroll>
            )}
            <p class="muted small">{data.rows.length < data.rows_in_all ? `${count(data.rows.length)} of ${plural(data.rows_in_all, 'row')}; the csv and takt why have more` : plural(data.rows_in_all, 'row')}{isSorted(m, data) && data.rows.length > 1 ? ', the slowest first' : ''}</p>
          </>
        )}
    </section>
  );
}
