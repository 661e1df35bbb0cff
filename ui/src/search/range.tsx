// SPDX-License-Identifier: Apache-2.0
// Which time is searched, and whether the list follows it.
import type { JSX } from 'preact';
import { Icon } from '../base/parts';
import { zone } from '../base/prefs';
import { go } from '../base/router';
import { dateTime, fromInput, toInput, zoneName } from '../base/time';
import { noSelection, pathOf, rangeNames, stretchOf, type Ask, type Range } from './ask';

const now = (): bigint => BigInt(Date.now()) * 1_000_000n;
const HOUR = 3_600_000_000_000n;

export function RangePicker({ ask }: { ask: Ask }): JSX.Element {
  const set = (change: Partial<Ask>): void => go(pathOf({ ...ask, ...noSelection, at: '', ...change }));
  const pick = (range: Range): void => {
    if (range !== 'between') return set({ range, start: '', end: '' });
    const at = stretchOf(ask, now()) ?? { start: now() - HOUR, end: now() };
    set({ range, start: String(at.start), end: String(at.end), live: false });
  };
  const field = (which: 'start' | 'end', label: string): JSX.Element => (
    <div class="field">
      <label for={`f-${which}`}>{label} ({zoneName(zone.value)})</label>
      <input id={`f-${which}`} type="datetime-local" step="1" value={/^\d+$/.test(ask[which]) ? toInput(BigInt(ask[which]), zone.value) : ''}
        onChange={(e) => set({ [which]: String(fromInput(e.currentTarget.value, zone.value) ?? '') })} />
    </div>
  );
  const wrong = ask.range === 'between' && !stretchOf(ask, 0n);
  return (
    <div class="range" role="group" aria-label="Time range">
      {ask.range === 'between' && <>{field('start', 'From')}{field('end', 'To')}</>}
      <div class="field">
        <label for="f-range">Time</label>
        <select id="f-range" value={ask.range} onChange={(e) => pick(e.currentTarget.value as Range)}>
          {(['15m', '1h', '6h', '24h', '7d', 'all', 'between'] as const).map((r) => <option key={r} value={r}>{rangeNames[r]}</option>)}
        </select>
      </div>
      <div class="field short">
        <label for="f-zone">Shown in</label>
        <select id="f-zone" value={zone.value} onChange={(e) => (zone.value = e.currentTarget.value as 'utc' | 'local')}>
          <option value="utc">UTC</option>
          <option value="local">{zone.value === 'local' ? zoneName('local') : 'local time'}</option>
        </select>
      </div>
      <label class="tick"><input type="checkbox" checked={ask.live} disabled={ask.range === 'between'} onChange={(e) => go(pathOf({ ...ask, at: '', live: e.currentTarget.checked }), 'replace')} />
        <Icon name="live" /> Live</label>
      {ask.at && <p class="range-at small">as of {dateTime(BigInt(ask.at), zone.value, 0)} <button type="button" class="link" onClick={() => set({})}>Now</button></p>}
      {wrong && <p class="wrong-text">From must be before To.</p>}
    </div>
  );
}
