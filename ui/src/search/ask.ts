// SPDX-License-Identifier: Apache-2.0
// What the page of traces is asked, as its address says it, and the questions to the server that
// follow. The address is the only state; old addresses with separate filters are rewritten.
import { quote } from '../base/format';
import { choice, flag, integer, readQuery, text, words, writeQuery, type Values } from '../base/query';
import { parseDuration } from '../base/time';
import { spansOf, withFields } from './filter';
import { box, type Box } from './heat';

export const ranges = ['1h', '15m', '6h', '24h', '7d', 'all', 'between'] as const;
export type Range = (typeof ranges)[number];
export const rangeNames: Record<Range, string> = {
  '15m': 'Last 15 min', '1h': 'Last hour', '6h': 'Last 6 h', '24h': 'Last 24 h', '7d': 'Last 7 days', all: 'All time', between: 'From … to …',
};
const LENGTH_NS: Partial<Record<Range, bigint>> = {
  '15m': 900_000_000_000n, '1h': 3_600_000_000_000n, '6h': 21_600_000_000_000n, '24h': 86_400_000_000_000n, '7d': 604_800_000_000_000n,
};
const SECOND = 1_000_000_000n;
const TICKS_MAX = 2; // rows that can be ticked: two traces are compared
const SPANS_OF_TRACE = 3; // spans looked at for the columns of a trace's row
const SPAN_FIELDS = 'name, resource.service.name'; // shown of each span, asked for or not
const SPANS_OF_LIST = 20; // and shown of each set when rows are spans
const SPANS_SORTED = 100; // of each set, to find the slowest among them: as many as the server gives

export const schema = {
  q: text(),
  range: choice(...ranges),
  start: text(), // ns since 1970, when range is between
  end: text(),
  at: text(), // ns since 1970: where a range of the kind "last hour" ends, when not now
  sort: choice('newest', 'slowest', 'spans'),
  rows: choice('traces', 'spans'),
  box: box(),
  explain: flag(),
  before: integer(0, 0, 1e15), // ms since 1970: what was selected from here on is compared with the same before; 0 = with the rest
  table: flag(), // the picture as a table
  tick: words(TICKS_MAX),
  limit: integer(50, 1, 500),
  live: flag(),
};
export type Ask = Values<typeof schema>;

export const noSelection = { box: null, explain: false, before: 0 } as const;

export const pathOf = (a: Ask): string => 'traces' + writeQuery(schema, a);

// The page as it is when its address says nothing.
export const readDefaults = (): Ask => readQuery(schema, new URLSearchParams());

// A stretch of time in ns: spans that begin in (start, end].
export interface Stretch {
  start: bigint;
  end: bigint;
}

export const isTime = (t: string): boolean => /^\d{1,19}$/.test(t);

// The time that is asked for; null: all of it, or a from–to that is not whole yet.
export function stretchOf(a: Pick<Ask, 'range' | 'start' | 'end' | 'at'>, now: bigint): Stretch | null {
  const length = LENGTH_NS[a.range];
  if (length) {
    const end = isTime(a.at) ? BigInt(a.at) : ((now + SECOND - 1n) / SECOND) * SECOND;
    return { start: end > length ? end - length : 0n, end };
  }
  if (a.range !== 'between' || !isTime(a.start) || !isTime(a.end) || BigInt(a.start) >= BigInt(a.end)) return null;
  return { start: BigInt(a.start), end: BigInt(a.end) };
}

const isPlain = (a: Ask): boolean => !a.q.trim() && a.sort === 'newest' && a.rows === 'traces';

// The list: without a query the newest traces, else the search.
export function listPath(a: Ask, at: Stretch | null, cursor: string | null): string {
  const p = new URLSearchParams();
  const plain = isPlain(a);
  if (!plain) {
    const q = a.q.trim() || '{}';
    p.set('q', a.rows === 'spans' ? withFields(q, SPAN_FIELDS) : q);
    p.set('sort', a.sort);
    p.set('spss', String(a.rows === 'traces' ? SPANS_OF_TRACE : a.sort === 'slowest' ? SPANS_SORTED : SPANS_OF_LIST));
    p.set('count', '1');
  }
  if (plain && !a.at && LENGTH_NS[a.range]) p.set('since', a.range === '7d' ? '168h' : a.range); // by the server's clock
  else setStretch(p, at);
  p.set('limit', String(a.limit));
  if (cursor) p.set('cursor', cursor);
  return `api/takt/${plain ? 'traces' : 'search'}?${p}`;
}

// Nanoseconds are told from seconds by their digits.
const inNs = (t: bigint | string): string => String(t).padStart(19, '0');

function setStretch(p: URLSearchParams, at: Stretch | null): void {
  if (!at) return;
  p.set('start', inNs(at.start));
  p.set('end', inNs(at.end));
}

// How many there are at any time, when there are none in the range.
export const elsewherePath = (a: Ask): string => listPath({ ...a, range: 'all', at: '', sort: 'newest', limit: 1 }, null, null);

// exemplars: 0 = as many as the server gives, as for every client; none at all is said in the query.
export function seriesPath(query: string, at: Stretch, stepMs: number, exemplars: number): string {
  const p = new URLSearchParams({ q: query });
  setStretch(p, at);
  p.set('step', String(stepMs / 1000));
  if (exemplars) p.set('exemplars', String(exemplars));
  return `api/metrics/query_range?${p}`;
}

export function heatPath(a: Ask, at: Stretch, stepMs: number): string | null {
  const spans = spansOf(a.q);
  return spans && seriesPath(`${spans} | histogram_over_time(duration) with(exemplars=false)`, at, stepMs, 0);
}

const msTime = (ms: number): string => inNs(`${Math.round(ms)}000000`);
const leastNs = (b: Box): number => (b.min >= 1 ? Math.round(b.min) + 1 : 0); // a box is open below, the question is not

// What is selected of what the query finds, against the rest; or, from a moment on, against the same length of
// time before it: there what takes as long as the selection is looked at, and all of it.
export function choiceOf(a: Pick<Ask, 'q' | 'before'>, at: Stretch, b: Box): URLSearchParams {
  const spans = spansOf(a.q) ?? '{}';
  if (isBefore(a, b)) {
    const least = leastNs(b) ? `duration >= ${leastNs(b)}ns && ` : '';
    const p = new URLSearchParams({ q: `${spans} | { ${least}duration <= ${Math.round(b.max)}ns }` });
    p.set('start', msTime(Math.max(1, 2 * a.before - b.to)));
    p.set('end', msTime(b.to));
    p.set('from', msTime(a.before));
    p.set('to', msTime(b.to));
    return p;
  }
  const p = new URLSearchParams({ q: spans });
  setStretch(p, at);
  p.set('from', msTime(b.from));
  p.set('to', msTime(b.to));
  if (leastNs(b)) p.set('min', `${leastNs(b)}ns`);
  p.set('max', `${Math.round(b.max)}ns`);
  return p;
}

export const explainPath = (a: Ask, at: Stretch, b: Box): string => `api/takt/explain?${choiceOf(a, at, b)}`;

export const isBefore = (a: Pick<Ask, 'before'>, b: Box): boolean => a.before > 0 && a.before < b.to;

export const QUERY_MAX = 128 << 10; // bytes of UTF-8; a longer query is not read
export const bytesOf = (query: string): number => new TextEncoder().encode(query).length;

export function analyzePath(query: string, cursor: number, at: Stretch | null): string {
  const p = new URLSearchParams({ q: query, cursor: String(cursor) });
  setStretch(p, at);
  return `api/takt/traceql/analyze?${p}`;
}

// Addresses of before there were queries had a parameter for each filter. Null: it has none.
export function fromOldAddress(query: URLSearchParams): string | null {
  const get = (key: string): string => query.get(key) ?? '';
  if (!['service', 'operation', 'min', 'max', 'errors'].some((k) => query.has(k))) return null;
  const ns = (key: string): string | null => (parseDuration(get(key)) === null ? null : get(key).replace(/\s/g, '').replace(',', '.').replace('min', 'm'));
  const trace = [
    get('operation') && `rootName = ${quote(get('operation'))}`,
    ns('min') && `traceDuration >= ${ns('min')}`,
    ns('max') && `traceDuration <= ${ns('max')}`,
  ];
  const sets = [
    [get('service') && `resource.service.name = ${quote(get('service'))}`, ...trace].filter(Boolean).join(' && '),
    get('errors') === '1' ? 'status = error' : '',
  ].filter(Boolean);
  return sets.map((s) => `{ ${s} }`).join(' && ');
}
