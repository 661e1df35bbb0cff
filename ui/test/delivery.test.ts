// SPDX-License-Identifier: Apache-2.0
// What the pages of delivery compute by themselves: marks on a time axis, shares, trends.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Measure, Rollout } from '../src/base/delivery';
import type { SeriesAnswer } from '../src/search/answers';
import type { TrendPoint } from '../src/base/trend';
import { matchPath } from '../src/base/route';
import { shareOf } from '../src/search/errorshare';
import { operationsOf } from '../src/search/operations';

// What the modules of looks ask the browser for when they are loaded.
Object.assign(globalThis, { matchMedia: () => ({ matches: false, addEventListener: () => {} }) });
const { clustered, hrefOf, kindOf, labelOf, markersPath } = await import('../src/base/markers');
const { changeOf, FIRST, groupsOf, levelOf, verdictOf } = await import('../src/base/delivery');
const { sparkPath, trendText } = await import('../src/base/trend');
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
  assert.deepEqual([level(undefined), level({ insufficient: true }), level({ best: 'elite', worst: 'elite' }), level({ best: 'elite', worst: 'high' })], ['', 'insufficient data', 'elite', 'elite to high']);
});
