// SPDX-License-Identifier: Apache-2.0
// What the pages of delivery compute by themselves: marks on a time axis, shares, trends.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Measure, Rollout } from '../src/base/delivery';
import type { Incident, Incidents } from '../src/base/incidents';
import type { AlertTeam } from '../src/pages/alerts';
import type { Health, Side } from '../src/search/health';
import type { SeriesAnswer } from '../src/search/answers';
import type { TrendPoint } from '../src/base/trend';
import { matchPath } from '../src/base/route';
import { tracesOf as tracesOfKind } from '../src/pages/kinds';
import { shareOf } from '../src/search/errorshare';
import { operationsOf } from '../src/search/operations';

// What the modules of looks ask the browser for when they are loaded.
Object.assign(globalThis, { matchMedia: () => ({ matches: false, addEventListener: () => {} }) });
const { clustered, hrefOf, kindOf, labelOf, markersPath } = await import('../src/base/markers');
const { changeOf, FIRST, groupsOf, levelOf, rowsOf, verdictOf } = await import('../src/base/delivery');
const { bySeverity, lengthOf, shownOf, titleOf, tracesOf } = await import('../src/base/incidents');
const { isStorm, usualOf } = await import('../src/pages/alerts');
const { linesOf } = await import('../src/pages/health');
const { byNeed, healthOf, rose, sidesOf } = await import('../src/search/health');
const { sparkPath, trendText } = await import('../src/base/trend');
const { levelText, stagesOf, waitShare } = await import('../src/pages/tempo');
const { csvOf } = await import('../src/base/csv');
const { ownOf, ownText } = await import('../src/base/own');
const { dayIn, dayStart, isIn, slotOf, sumsOf, weekdayOf, weeksOf } = await import('../src/pages/calendar');
const { dotsOf, within } = await import('../src/pages/scatter');
const { leadTime, waits } = await import('../src/pages/lead');
const { weakOf } = await import('../src/pages/weak');
const { wordOf } = await import('../src/pages/words');
const { edgesOf } = await import('../src/pages/latency');
const { latencyOf } = await import('../src/search/latency');
const { rolloutOf } = await import('../src/trace/deploys');

const deploy = (id: string, seconds: number, more: Partial<Rollout> = {}): Rollout =>
  ({ id, service: 'shop', environment: 'production', version: `v${id}`, kind: 'normal', state: 'success', finished: `${seconds}000000000`, commits_state: 'none', commits: 0, ...more });

test('a deploy has an address', () => {
  assert.deepEqual(matchPath('deploys/00f16c74927f2f82'), { page: 'deploy', id: '00f16c74927f2f82' });
  assert.equal(matchPath('deploys').page, 'unknown');
  assert.equal(matchPath('deploys/').page, 'unknown');
});

test('marks on a time axis: what would overlap is one, what lies outside is none', () => {
  const list = [deploy('4', 5000), deploy('3', 205), deploy('2', 201, { failure: 'near' }), deploy('1', 100), deploy('0', 1)];
  const marks = clustered(list, 50_000, 300_000, (ms) => (ms - 50_000) / 1000);
  assert.deepEqual(marks.map((m) => m.deploys.map((r) => r.id)), [['1'], ['3', '2']]);
  assert.equal(hrefOf(marks[0]!), 'deploys/1');
  assert.equal(hrefOf(marks[1]!), 'delivery?from=201&to=206');
  assert.deepEqual(marks.map(kindOf), ['good', 'failed']);
  assert.equal(kindOf({ at: 0, deploys: [deploy('5', 1, { kind: 'rollback' })] }), 'back');
  assert.equal(labelOf(marks[0]!), 'Deploy of shop v1, 1970-01-01 00:01:40');
  assert.equal(labelOf(marks[1]!), '2 deploys: shop v3; shop v2, failed');
});

test('the range that is asked for holds the one that is shown, and stands still while that moves a little', () => {
  const ask = (from: number, to: number): URLSearchParams => new URLSearchParams(markersPath(from, to)!.split('?')[1]);
  const hour = 3_600_000;
  const q = ask(1000 * hour + 1234, 1001 * hour + 1234);
  assert(Number(q.get('from')) * 1000 <= 1000 * hour + 1234 && Number(q.get('to')) * 1000 >= 1001 * hour + 1234);
  assert.equal(ask(1000 * hour + 1234, 1001 * hour + 1234).toString(), ask(1000 * hour + 3234, 1001 * hour + 3234).toString());
  assert.equal(markersPath(5, 5), null);
  assert.equal(markersPath(0, 0), null);
});

const series = (samples: [number, number | string][], labels: Record<string, string> = {}): SeriesAnswer['series'] =>
  [{ labels: Object.entries(labels).map(([key, stringValue]) => ({ key, value: { stringValue } })), samples: samples.map(([t, value]) => ({ timestampMs: String(t), value })) }];

test('the share of errors: none where there is no span', () => {
  const share = shareOf({ series: series([[1, 10], [2, 0], [3, 4]])! }, { series: series([[1, 1], [3, 4]])!, status: 'PARTIAL', message: 'late' }, 'x');
  assert.deepEqual([...share.lines.lines[0]!.values], [10, NaN, 100]);
  assert.deepEqual([share.spans, share.errors, share.lines.hi, share.lines.partial], [14, 5, 100, 'late']);
  const none = shareOf({}, {}, 'x');
  assert.deepEqual([none.spans, none.lines.times.length], [0, 0]);
});

test('where requests come in, the busiest first', () => {
  const of = (name: string, ...v: [number, number][]): NonNullable<SeriesAnswer['series']> => series(v, { 'resource.service.name': 'web', name })!;
  const all = operationsOf({ series: [...of('a', [1, 2]), ...of('b', [1, 3], [2, 4]), ...of('c', [1, 0])] }, { series: of('b', [1, 1]) }, { series: of('b', [1, 0.5], [2, 0.25]) });
  assert.deepEqual(all, [{ service: 'web', name: 'b', spans: 7, errors: 1, p95: 0.5 }, { service: 'web', name: 'a', spans: 2, errors: 0, p95: null }]);
});

test('a trend: holes where a week has no value', () => {
  const point = (value?: number): TrendPoint => ({ from: '0', to: '1', ...(value === undefined ? {} : { value }), n: 1 });
  const { line, last } = sparkPath([point(1), point(2), point(), point(1)]);
  assert.deepEqual(line.match(/[ML]/g), ['M', 'L', 'M']);
  assert.equal(last![0], 129);
  assert.equal(sparkPath([point()]).last, null);
  assert.equal(trendText({ title: 'Rate', unit: 'share' }, { name: 'r', points: [point(0.5), point(0.25)] }), 'Rate by week, from 50.0 % to 25.0 % over 2 weeks');
});

test('a week that is not over is not drawn as a fall', () => {
  const point = (value: number, partial?: boolean): TrendPoint => ({ from: '0', to: '1', value, n: 1, ...(partial ? { partial } : {}) });
  assert.deepEqual(sparkPath([point(2), point(2), point(1, true)]), sparkPath([point(2), point(2)]));
  assert.equal(trendText({ title: 'Rate', unit: 'share' }, { name: 'r', points: [point(0.5), point(0.25), point(0.1, true)] }), 'Rate by week, from 50.0 % to 25.0 % over 2 weeks, without the one that is not over');
  assert.deepEqual(sparkPath([point(1, true)]).last, [3, 3], 'there is nothing else');
});

test('where the time of a change goes, and a maturity that cannot be known', () => {
  const measure = (name: string, value?: number): Measure => ({ name, title: name, figure: '', unit: 'seconds', n: 1, left_out: [], ...(value === undefined ? {} : { value }) });
  assert.deepEqual(stagesOf([measure('deploy_time', 60), measure('coding_time', 180), measure('review_time'), measure('lead_time', 9)]).map(({ m, share }) => [m.name, share]), [['coding_time', 0.75], ['deploy_time', 0.25]]);
  assert.deepEqual(stagesOf([measure('coding_time', 0)]), []);
  assert.equal(levelText({ name: 'deploy', level: 2, steps: [] }), '2: progressive, daily');
  assert.equal(levelText({ name: 'deploy', at_least: 0, at_most: 1, steps: [] }), 'cannot know which of 0 to 1');
});

test('csv: quotes, line ends and formulas of hostile names; numbers stay numbers', () => {
  assert.equal(csvOf([['a', 'b'], [-1.5, undefined]]), 'a,b\r\n-1.5,\r\n');
  assert.equal(csvOf([['x "y", z', 'two\nlines', ' blank ']]), '"x ""y"", z","two\nlines"," blank "\r\n');
  for (const evil of ['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', ' =1', '\uff1d1', '=HYPERLINK("http://x","y")', '\u200b=1', '|calc', '\n=cmd'])
    assert(/^"'/.test(csvOf([[evil]])), JSON.stringify(evil));
  assert.equal(csvOf([['shop', 'v1.2-rc', 'a@b', "it's"]]), `shop,v1.2-rc,a@b,"it's"\r\n`);
  assert.equal(csvOf([[NaN, Infinity, 0]]), ',,0\r\n');
});

test('against its own history: quartiles of whole windows, both sides of an edge, and what cannot be known', () => {
  const point = (n: number, value?: number): TrendPoint => ({ from: '0', to: '1', n, ...(value === undefined ? {} : { value }) });
  assert.deepEqual(ownOf([point(0, 0), point(1, 9), point(2, 1), point(2, 2), point(0, 3), point(2, 4), point(3, 5)]), { known: 5, low: 2, high: 4 }, 'the window in which it begins is left out');
  assert.deepEqual(ownOf([point(3, 1), point(3, 1), point(3), point(3, 1), point(3, 1)]), { known: 4, low: 1, high: 1 });
  assert.deepEqual(ownOf([point(0, 0), point(0, 0)]), { known: 0 });
  assert.deepEqual(ownOf([point(1, 1), point(1, 1), point(1, 1)]), { known: 3 });
  const of = (name: string, value?: number, more: Partial<Measure> = {}): Measure => ({ name, title: '', figure: '', unit: 'share', n: 9, left_out: [], ...(value === undefined ? {} : { value }), ...more });
  const own = { known: 5, low: 2, high: 4 };
  assert.deepEqual([1, 3, 5].map((v) => ownText(of('lead_time', v), own)), ['better than usual', 'as usual', 'worse than usual']);
  assert.deepEqual([1, 5].map((v) => ownText(of('deployment_frequency', v), own)), ['worse than usual', 'better than usual']);
  assert.equal(ownText(of('lead_time', 3, { interval: [2.5, 9] }), own), 'as usual to worse');
  assert.equal(ownText(of('lead_time', 3), { known: 2 }), 'cannot know: 2 of 4 earlier windows');
  assert.deepEqual([ownText(of('x'), own), ownText(of('x', 3, { small: true }), own), ownText(of('x', 3), undefined)], ['insufficient data', 'insufficient data', '']);
});

test('a calendar: weeks from Monday, the first second of a day in a zone, sums', () => {
  assert.deepEqual(['2026-11-30', '2026-11-29'].map(weekdayOf), [0, 6]);
  assert.deepEqual(weeksOf('2026-11-18', '2026-11-30'), { mondays: ['2026-11-16', '2026-11-23', '2026-11-30'], all: 3 });
  const long = weeksOf('2020-01-01', '2026-11-30');
  assert.deepEqual([long.mondays.length, long.mondays.at(-1), long.all > 300], [54, '2026-11-30', true]);
  const iso = (day: string, zone: string): string => new Date(dayStart(day, zone) * 1000).toISOString();
  assert.equal(iso('2026-11-30', 'UTC'), '2026-11-30T00:00:00.000Z');
  assert.deepEqual(['2026-03-29', '2026-03-30', '2026-10-25', '2026-10-26'].map((d) => iso(d, 'Europe/Berlin').slice(5, 16)), ['03-28T23:00', '03-29T22:00', '10-24T22:00', '10-25T23:00'], 'clocks change');
  assert.equal(iso('2026-11-30', 'Asia/Kolkata'), '2026-11-29T18:30:00.000Z');
  assert.equal(dayIn(Date.UTC(2026, 10, 29, 20), 'Asia/Kolkata'), '2026-11-30');
  assert.equal(dayIn(Date.UTC(2026, 10, 29, 20), 'No/Where'), '2026-11-29');
  assert.equal(iso('2026-11-29', 'No/Where'), '2026-11-29T00:00:00.000Z');
  assert.deepEqual(['0-19', '6-0', '7-1', '1-24', '', '1-07'].map(slotOf), [{ weekday: 0, hour: 19 }, { weekday: 6, hour: 0 }, null, null, null, null]);
  const monday = Date.UTC(2026, 10, 29, 20);
  assert.deepEqual([isIn({ weekday: 0, hour: 1 }, monday, 'Asia/Kolkata'), isIn({ weekday: 6, hour: 20 }, monday, ''), isIn({ weekday: 6, hour: 20 }, monday, 'No/Where'), isIn({ weekday: 0, hour: 2 }, monday, 'Asia/Kolkata')], [true, true, true, false]);
  const hour = (day: string, h: number, rollouts: number, failed: number) => ({ day, hour: h, rollouts, failed });
  assert.deepEqual([...sumsOf([hour('a', 1, 2, 1), hour('b', 1, 1, 0), hour('a', 5, 3, 0)], (h) => h.day)], [['a', { rollouts: 5, failed: 1 }], ['b', { rollouts: 1, failed: 0 }]]);
});

test('lead times over time: a logarithm, those that are not known apart, a time that is chosen', () => {
  const ns = (s: number): string => `${s}000000000`;
  const list = [deploy('3', 300, { failure: 'near', lead_ns: ns(10_000) }), deploy('2', 200, { kind: 'rollback' }), deploy('1', 100, { lead_ns: ns(100) })];
  const { dots, ticks } = dotsOf(list, 100, 300);
  assert.deepEqual(dots.map((d) => [d.x, d.kind]), [[0, 'good'], [0.5, 'back'], [1, 'failed']]);
  assert.equal(dots[1]!.y, null);
  assert(dots[0]!.y! > 0 && dots[0]!.y! < 0.1 && dots[2]!.y! > 0.9 && dots[2]!.y! < 1);
  assert.deepEqual(ticks.map((t) => t.text), ['10 min', '1 h']);
  assert.deepEqual(dotsOf([deploy('1', 5)], 0, 10).ticks, []);
  assert.deepEqual(within(list, [150, 300]).map((r) => r.id), ['3', '2']);
  assert.equal(within(list, null), list);
});

test('where the time of a rollout went: its commits, its changes', () => {
  const at = (s: number): string => `${s}000000000`;
  const r = deploy('1', 1000, { commits_state: 'known' });
  const commits = [{ authored: at(400) }, { authored: at(900) }, { authored: at(100) }, { authored: at(1), bot: true }, { authored: at(2), twin: true }, { authored: at(2000) }, {}];
  assert.equal(leadTime({ rollout: r, commits }), 600e9);
  for (const more of [{ kind: 'rollback' }, { state: 'failed' }, { commits_state: 'unknown' }]) assert.equal(leadTime({ rollout: { ...r, ...more }, commits }), null);
  assert.equal(leadTime({ rollout: r, commits: [] }), null);
  assert.deepEqual(waits({ rollout: r, change_requests: [{ opened: at(100), merged: at(300) }, { opened: at(1) }] }), { open: 200e9, merged: 700e9 });
  assert.equal(waits({ rollout: r, change_requests: [{ opened: at(100) }] }), null);
});

test('latency of two versions, and of one against several', () => {
  const series = (version: string, label: string, key: number, value: number) => ({ labels: [{ key: 'resource.service.version', value: { stringValue: version } }, { key: label, value: { doubleValue: key } }], value });
  const buckets = { series: [series('v1', '__bucket', 0.25, 3), series('v2', '__bucket', 1, 1), series('v2', '__bucket', 2, 1)] };
  const quantiles = { series: [series('v1', 'p', 0.5, 0.2), series('v2', 'p', 0.5, 1.1), series('v2', 'p', 0.99, 1.9)] };
  const d = latencyOf('v2', 'v0', buckets, quantiles);
  assert.deepEqual([d.old.name, d.old.requests, d.old.p50, d.old.p99], ['v1', 3, 0.2, null]);
  assert.deepEqual([d.new.requests, d.new.p50, d.new.p99], [2, 1.1, 1.9]);
  assert.deepEqual(edgesOf(d), [0.25, 0.5, 1, 2]);
  const many = latencyOf('v3', 'v0', buckets, { ...quantiles, status: 'PARTIAL' });
  assert.deepEqual([many.old.name, many.old.requests, many.old.p50, many.new.requests, many.partial], ['', 5, null, 0, 'the count stopped early']);
  assert.equal(latencyOf('v3', 'v1', buckets, quantiles).old.name, 'v1');
  assert.deepEqual(edgesOf(latencyOf('v1', '', {}, {})), []);
});

test('in words: what lies within the doubt of both is no change; what waits; why a figure is weak', () => {
  const of = (name: string, value?: number, more: Partial<Measure> = {}): Measure => ({ name, title: name, figure: '', unit: 'seconds', n: 9, left_out: [], ...(value === undefined ? {} : { value }), ...more });
  const words = [[of('a', 2), of('a', 1)], [of('a', 1), of('a', 2)], [of('a', 2, { interval: [1, 3] }), of('a', 1, { interval: [0, 2] })], [of('a'), of('a', 1)], [of('a', 1), of('a')], [of('a', 1), of('a', 0)]] as const;
  assert.deepEqual(words.map(([m, b]) => wordOf(m, b)), ['up 100 %', 'down 50 %', 'no sure change', 'not known', 'with nothing to compare', 'up']);
  assert.equal(waitShare([of('coding_time', 60), of('pickup_time', 30), of('deploy_time', 30)]), 0.5);
  assert.equal(waitShare([of('deploy_time', 30)]), null);
  assert.equal(waitShare([of('coding_time', 30)]), null);
  assert.deepEqual(weakOf(of('x', 1)), []);
  assert.deepEqual(weakOf(of('rework_rate', undefined, { n: 0, left_out: [{ n: 3, why: 'rollback' }] })), ['Nothing in this time counts.', '3 left out: rollback.']);
  assert(/^2 rows only.*1 rollout is younger.*takt import git/.test(weakOf(of('lead_time', 1, { small: true, n: 2, immature: 1 })).join(' ')));
});

test('a change against the time before', () => {
  assert.deepEqual([changeOf(3, 2), changeOf(1, 2), changeOf(2, 2), changeOf(2, 0), changeOf(undefined, 2)], ['+50 %', '−50 %', '±0 %', '', '']);
});

test('what became of a rollout', () => {
  assert.deepEqual([verdictOf(deploy('1', 1)).good, verdictOf(deploy('1', 1, { failure: 'near' })).good, verdictOf(deploy('1', 1, { state: 'open' })).good, verdictOf(deploy('1', 1, { state: 'failed' })).good], [true, false, null, false]);
});

test('the rollout of a version: the newest that had begun', () => {
  const list = [deploy('9', 900, { version: 'v1' }), deploy('5', 500, { version: 'v1' }), deploy('3', 300, { version: 'v2' })];
  assert.equal(rolloutOf(list, 'v1', 600_000_000_000n)?.id, '5');
  assert.equal(rolloutOf(list, 'v1', 400_000_000_000n), null);
  assert.equal(rolloutOf(list, 'v3', 600_000_000_000n), null);
});

test('measures in groups, each once, those that no group names last', () => {
  const measure = (name: string, more: Partial<Measure> = {}): Measure => ({ name, title: name, figure: '', unit: 'share', n: 0, left_out: [], ...more });
  const groups = groupsOf(['flaky_test_rate', ...FIRST, 'new_one'].map((n) => measure(n)));
  assert.deepEqual(groups.map((g) => [g.title, g.measures.length]), [['DORA', 5], ['Pipelines', 1], ['Others', 1]]);
  const level = (l: Measure['level']): string => levelOf(measure('x', l ? { level: l } : {}));
  assert.deepEqual([level(undefined), level({ insufficient: true }), level({ best: 'elite', worst: 'elite' }), level({ best: 'elite', worst: 'high' }), level({ best: 'high', worst: 'high', between: true })], ['', 'insufficient data', 'elite', 'elite to high', "high, between the report's levels"]);
});

test('rows are counted once: a share says them already', () => {
  const of = (more: Partial<Measure>): string => rowsOf({ name: 'x', title: 'x', figure: '', unit: 'share', n: 4, value: 1, left_out: [], ...more });
  assert.deepEqual([of({}), of({ small: true }), of({ numerator: 1, denominator: 4 }), of({ numerator: 1, denominator: 4, small: true }), of({ n: 0, denominator: 0 }), of({ denominator: 4, immature: 2 })], ['4 rows', '4 rows, few', '', 'few', '0 rows', '2 younger than a day']);
});

const MIN = 60_000_000_000n;
const T = 1_700_000_000_000_000_000n;
const incident = (key: string, more: Partial<Incident> = {}): Incident => ({ key, service: 'shop', began: String(T), ...more });

test('incidents: how long, of which time its traces are, how many of each severity', () => {
  assert.equal(lengthOf(incident('a', { recovered: String(T + 90n * MIN), paused: String(30n * MIN) }), ''), '1 h');
  assert.equal(lengthOf(incident('a'), String(T + 5n * MIN + 59_000_000_000n)), '5 min');
  assert.equal(lengthOf(incident('a'), String(T + 1n)), '< 1 min');
  assert.equal(lengthOf({ key: 'a' }, String(T)), '');
  const q = (path: string | null): URLSearchParams => new URLSearchParams(path!.split('?')[1]);
  const open = q(tracesOf(incident('a', { service: 'a "b"' }), String(T + MIN), true));
  assert.deepEqual([open.get('q'), open.get('range'), open.get('start'), open.get('end')], ['{ resource.service.name = "a \\"b\\"" && status = error }', 'between', String(T - 5n * MIN), String(T + MIN)]);
  assert.equal(q(tracesOf(incident('a', { recovered: String(T + 2n) }), 'x', false)).get('end'), String(T + 2n));
  assert.equal(tracesOf({ key: 'a', began: '1' }, '2', false), null);
  assert.deepEqual(bySeverity([incident('a', { severity: 3 }), incident('b'), incident('c', { severity: 1 }), incident('d', { severity: 3 })]), [{ severity: 1, n: 1 }, { severity: 3, n: 2 }, { severity: null, n: 1 }]);
  const list = (all: number, open: number, duplicates = 0): Incidents => ({ incidents: [], all, open, duplicates, to: '1' });
  assert.deepEqual([titleOf(list(0, 0)), titleOf(list(1, 1)), titleOf(list(3, 1)), titleOf(list(2, 0))], ['No incident', '1 incident, open', '3 incidents, 1 of them open', '2 incidents']);
  assert.equal(shownOf(list(300, 1, 2), 200), '200 of 300 are shown · 2 duplicates of others left out');
});

const answer = (...of: [string, string, number][]): SeriesAnswer => ({ series: of.map(([service, status, value]) => ({ labels: [{ key: 'resource.service.name', value: { stringValue: service } }, { key: 'status', value: { stringValue: status } }], value })) });

test('the health of services: what needs a look first', () => {
  const now = sidesOf(answer(['a', 'unset', 90], ['a', 'error', 10], ['b', 'ok', 50]), answer(['a', '', 0.25]));
  assert.deepEqual(now.get('a'), { spans: 100, errors: 10, p95: 0.25 });
  assert.deepEqual(now.get('b'), { spans: 50, errors: 0, p95: null });
  const all = healthOf(now, sidesOf(answer(['a', 'unset', 100], ['gone', 'unset', 7]), {}));
  assert.deepEqual(all.map((h) => [h.service, rose(h)]), [['a', true], ['b', false], ['gone', false]]);
  const side = (spans: number, errors: number): Side => ({ spans, errors, p95: null });
  assert(!rose({ service: 'x', now: side(100, 4), before: side(100, 0) }), 'four errors are an accident');
  assert(!rose({ service: 'x', now: side(10_000, 110), before: side(10_000, 100) }), 'within what chance does');
  assert(!rose({ service: 'x', now: side(100, 50), before: side(0, 0) }), 'there is nothing to compare with');
  const half: Health = { service: 'c', now: side(10, 5), before: side(10, 5) };
  assert.deepEqual([half, ...all].sort(byNeed).map((h) => h.service), ['a', 'c', 'b', 'gone']);
  const lines = linesOf({ end: T, services: all, partial: '', rollouts: [deploy('2', 200, { service: 'b' }), deploy('1', 100, { service: 'b' }), deploy('9', 100, { service: 'quiet' })], open: [incident('i', { service: 'hurt' }), { key: 'nobody' }] });
  assert.deepEqual(lines.map((l) => [l.service, l.deploy?.id, l.incidents.length]), [['hurt', undefined, 1], ['a', undefined, 0], ['b', '2', 0], ['gone', undefined, 0], ['quiet', '9', 0]]);
});

test('an alert storm is far over the past of the team', () => {
  const team = (...weeks: number[]): AlertTeam => ({ weeks, firing: 0, incidents: 0 });
  assert.equal(usualOf(team(9, 2, 2, 0, 0)), 1);
  assert.deepEqual([team(30, 10, 10, 10, 10), team(29, 10, 10, 10, 10), team(9, 1, 0, 0, 0), team(100, 0, 0, 0, 0)].map(isStorm), [true, false, false, false]);
});

test('traces of a kind: by its query, in the time of the version that has it', () => {
  const windows = { old: { from: '1', to: '2' }, new: { from: '3', to: '4' } };
  const kind = { state: 'same' as const, old: 2, new: 5, type: 'Timeout', examples: [] };
  const d = { version: 'v2', baseline: 'v1', windows };
  const of = (more: object): URLSearchParams => new URLSearchParams(tracesOfKind(d, { ...kind, query: '{ name = "a b" }', ...more })!.slice('traces?'.length));
  assert.deepEqual([...of({}).values()], ['{ name = "a b" }', 'between', '3', '4']);
  assert.deepEqual([of({ new: 0 }).get('start'), of({ new: 0 }).get('end')], ['1', '2']);
  assert.equal(tracesOfKind(d, kind), null, 'no query can find them');
});
