// SPDX-License-Identifier: Apache-2.0
// When rollouts end: each day of the window, or the hours of the week. A table, its shades beside its numbers.
import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { Csv } from '../base/csv';
import { count, plural, visible } from '../base/format';
import { Scroll } from '../base/parts';

interface Hour {
  day: string; // 2026-11-20, as hour on the clock of the zone
  hour: number;
  rollouts: number;
  failed: number;
}
export interface Calendar {
  from: string;
  to: string;
  hours: Hour[];
}
export interface Sum {
  rollouts: number;
  failed: number;
}

const DAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];
const DAY_MS = 86_400_000;
const WEEKS_MAX = 54; // that a year may touch

const at = (day: string): number => Date.parse(`${day}T00:00:00Z`);
const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
export const weekdayOf = (day: string): number => (new Date(at(day)).getUTCDay() + 6) % 7; // Monday is 0

// Making a clock takes longer than many readings of it, and one page has one zone. null: this browser does not
// know the zone.
let made: { zone: string; clock: Intl.DateTimeFormat | null } | undefined;
function clockOf(zone: string): Intl.DateTimeFormat | null {
  if (made?.zone !== zone) {
    made = { zone, clock: null };
    try {
      made.clock = new Intl.DateTimeFormat('en-US', { timeZone: zone || 'UTC', hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' });
    } catch {
      // UTC, then.
    }
  }
  return made.clock;
}

// What a zone is ahead of UTC at a moment, ms; 0 where the zone is not known.
function offsetAt(ms: number, zone: string): number {
  const parts = clockOf(zone)?.formatToParts(ms);
  if (!parts) return 0;
  const of = (type: string): number => Number(parts.find((p) => p.type === type)!.value);
  return Date.UTC(of('year'), of('month') - 1, of('day'), of('hour'), of('minute'), of('second')) - ms;
}

// The first second of a day in a zone (UTC where it is not known): midnight, or where the clocks skip it, the moment after.
export function dayStart(day: string, zone: string): number {
  const wall = at(day);
  const first = wall - offsetAt(wall - DAY_MS / 2, zone); // by the offset of the day before
  return (dayOf(first + offsetAt(first, zone)) === day ? first : wall - offsetAt(wall + DAY_MS / 2, zone)) / 1000;
}

// The day in a zone; UTC where this browser does not know it.
export const dayIn = (ms: number, zone: string): string => dayOf(ms + offsetAt(ms, zone));

// The hour of the week, as "0-19" for Monday 19:00.
interface Slot {
  weekday: number;
  hour: number;
}
export function slotOf(text: string): Slot | null {
  const m = /^([0-6])-(\d|1\d|2[0-3])$/.exec(text);
  return m && { weekday: Number(m[1]), hour: Number(m[2]) };
}
export const slotText = (s: Slot): string => `${DAYS[s.weekday]} ${String(s.hour).padStart(2, '0')}:00`;

export function isIn(slot: Slot, ms: number, zone: string): boolean {
  const wall = ms + offsetAt(ms, zone);
  return weekdayOf(dayOf(wall)) === slot.weekday && new Date(wall).getUTCHours() === slot.hour;
}

export function sumsOf(hours: readonly Hour[], key: (h: Hour) => string): Map<string, Sum> {
  const out = new Map<string, Sum>();
  for (const h of hours) {
    const s = out.get(key(h)) ?? { rollouts: 0, failed: 0 };
    out.set(key(h), { rollouts: s.rollouts + h.rollouts, failed: s.failed + h.failed });
  }
  return out;
}

// The Mondays of the weeks between two days, both among them; the newest where they are too many.
export function weeksOf(first: string, last: string): { mondays: string[]; all: number } {
  const [a, b] = [first, last].map((d) => at(d) - weekdayOf(d) * DAY_MS) as [number, number];
  const all = Math.max(1, Math.round((b - a) / (7 * DAY_MS)) + 1);
  const shown = Math.min(all, WEEKS_MAX);
  return { mondays: Array.from({ length: shown }, (_, i) => dayOf(b - (shown - 1 - i) * 7 * DAY_MS)), all };
}

const saysOf = (s: Sum): string => `${plural(s.rollouts, 'rollout')}${s.failed ? `, ${count(s.failed)} failed` : ''}`;

function Cell({ s, most, what, href }: { s: Sum | undefined; most: number; what: string; href: string }): JSX.Element {
  if (!s) return <td><span class="offscreen">{what}: none</span></td>;
  const shade = Math.ceil((s.rollouts / most) * 4);
  const text = `${what}: ${saysOf(s)}`;
  return (
    <td class={`shade-${shade} ${s.failed ? 'some-failed' : ''}`} title={text} data-k={`when ${what}`}>
      <a href={href} aria-label={text}>{count(s.rollouts)}</a>
    </td>
  );
}

const edgesOf = (data: Calendar, zone: string): [string, string] => [dayIn(Number(BigInt(data.from) / 1_000_000n), zone), dayIn(Number(BigInt(data.to) / 1_000_000n) - 1, zone)];

interface Props {
  data: Calendar;
  by: 'day' | 'hour';
  zone: string; // by name; empty: UTC
  hrefOfBy: (by: 'day' | 'hour') => string;
  hrefOfSlot: (slot: string) => string;
  hrefOfTime: (from: number, to: number) => string; // seconds
}

function ByHour({ data, hrefOfSlot }: Props): JSX.Element {
  const sums = sumsOf(data.hours, (h) => `${weekdayOf(h.day)} ${h.hour}`);
  const most = Math.max(...[...sums.values()].map((s) => s.rollouts));
  const hours = Array.from({ length: 24 }, (_, h) => h);
  const two = (h: number): string => String(h).padStart(2, '0');
  return (
    <table class="calendar">
      <thead><tr><th scope="col"><span class="offscreen">Day of the week</span></th>{hours.map((h) => <th key={h} scope="col">{two(h)}</th>)}</tr></thead>
      <tbody>{DAYS.map((name, d) => <tr key={name}><th scope="row">{name.slice(0, 3)}</th>{hours.map((h) => {
        const s = sums.get(`${d} ${h}`);
        return <Cell key={h} s={s} most={most} what={slotText({ weekday: d, hour: h })} href={hrefOfSlot(`${d}-${h}`)} />;
      })}</tr>)}</tbody>
    </table>
  );
}

function ByDay({ data, zone, hrefOfTime }: Props): JSX.Element {
  const [first, last] = edgesOf(data, zone);
  const { mondays } = weeksOf(first, last);
  const table = useRef<HTMLTableElement>(null);
  useLayoutEffect(() => {
    const room = table.current!.parentElement!;
    room.scrollLeft = room.scrollWidth; // the newest are seen first
  }, [first, last]);
  const sums = sumsOf(data.hours, (h) => h.day);
  const most = Math.max(...[...sums.values()].map((s) => s.rollouts));
  const link = (day: string): string => hrefOfTime(dayStart(day, zone), dayStart(dayOf(at(day) + DAY_MS), zone));
  // A week that begins a month is named by it; the others have their day only.
  const head = (m: string, i: number): string => (i === 0 || m.slice(0, 7) !== mondays[i - 1]!.slice(0, 7) ? m.slice(5) : m.slice(8));
  return (
      <table class="calendar" ref={table}>
        <thead><tr><th scope="col"><span class="offscreen">Day of the week</span></th>{mondays.map((m, i) => <th key={m} scope="col"><span class="offscreen">Week of {m}</span><span aria-hidden="true">{head(m, i)}</span></th>)}</tr></thead>
        <tbody>
          {DAYS.map((name, d) => (
            <tr key={name}>
              <th scope="row">{name.slice(0, 3)}</th>
              {mondays.map((m) => {
                const day = dayOf(at(m) + d * DAY_MS);
                if (day < first || day > last) return <td key={m} class="outside"><span class="offscreen">{day}: not in this time</span></td>;
                const s = sums.get(day);
                return <Cell key={m} s={s} most={most} what={day} href={s ? link(day) : ''} />;
              })}
            </tr>
          ))}
        </tbody>
      </table>
  );
}

export function CalendarPart(props: Props): JSX.Element {
  const { data, by, zone, hrefOfBy } = props;
  const { all } = weeksOf(...edgesOf(data, zone));
  const sum = data.hours.reduce((s, h) => ({ rollouts: s.rollouts + h.rollouts, failed: s.failed + h.failed }), { rollouts: 0, failed: 0 });
  return (
    <section class="card" aria-labelledby="calendar-title" data-k="calendar">
      <header class="card-head">
        <h2 id="calendar-title">When rollouts end</h2>
        <nav class="row lenses" aria-label="Calendar by">
          <a href={hrefOfBy('day')} aria-current={by === 'day' ? 'true' : undefined}>By day</a>
          <a href={hrefOfBy('hour')} aria-current={by === 'hour' ? 'true' : undefined}>By hour of the week</a>
          {data.hours.length > 0 && <Csv name="takt-rollouts-by-hour" of="Rollouts by day and hour" rows={() => [['day', 'hour', 'zone', 'rollouts', 'failed'], ...data.hours.map((h) => [h.day, h.hour, zone || 'UTC', h.rollouts, h.failed])]} />}
        </nav>
      </header>
      <p class="muted small">{data.hours.length ? <>{saysOf(sum)}; days and hours in <bdi>{visible(zone || 'UTC', 40)}</bdi>. <span class="some-failed corner" aria-hidden="true" /> some of them failed.{by === 'day' ? ' A day opens its figures.' : ' An hour opens its rollouts.'}</> : 'No rollout ended in this time.'}</p>
      {data.hours.length > 0 && <Scroll label={by === 'day' ? 'Rollouts by day' : 'Rollouts by hour of the week'}>{by === 'day' ? <ByDay {...props} /> : <ByHour {...props} />}</Scroll>}
      {by === 'day' && all > WEEKS_MAX && <p class="muted small">The newest {WEEKS_MAX} of {count(all)} weeks.</p>}
    </section>
  );
}
