// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import { quote } from '../src/base/format';
import { readQuery, writeQuery } from '../src/base/query';
import { plain, shown } from '../src/search/answers';
import { analyzePath, elsewherePath, explainPath, fromOldAddress, heatPath, listPath, pathOf, schema, stretchOf } from '../src/search/ask';
import { beforeOf, deployOf, explanationOf, spreadOf, tellingOf } from '../src/search/differences';
import { addCondition, durationLiteral, durationOf, fieldOf, fromWords, isMetrics, literalOf, piecesOf, readFilter, removeCondition, setCondition, spansOf, unquote, valueOf, withFields, writeFilter } from '../src/search/filter';
import { box, boxOf, cellsBetween, cellsOf, countIn, makeHeat } from '../src/search/heat';
import { makeLines, nameOf, unitOf } from '../src/search/lines';
import { moveTokens, placeOf, runsOf, spotOf } from '../src/search/mirror';
import { pathToSave, readSaved, withSaved } from '../src/search/saved';
import { durationMarks, figure, logShare, stepFor, timeMarks, valueMarks } from '../src/search/scale';
import { random } from './made';

const ask = (query = ''): ReturnType<typeof readQuery<typeof schema>> => readQuery(schema, new URLSearchParams(query));

// --- conditions and TraceQL ---------------------------------------------------------------------------

test('a simple filter is read as conditions and written back', () => {
  const q = '{ resource.service.name = "a \\"b\\"" && status=error && duration >= 1.5s && span."x y" !~ `z.*` } | select(span.http.route)';
  const f = readFilter(q)!;
  assert.deepEqual(f.conditions.map((c) => [c.field, c.op, c.literal]), [
    ['resource.service.name', '=', '"a \\"b\\""'], ['status', '=', 'error'], ['duration', '>=', '1.5s'], ['span."x y"', '!~', '`z.*`'],
  ]);
  assert.equal(f.rest, '| select(span.http.route)');
  assert.equal(valueOf(f, 'resource.service.name', '='), 'a "b"');
  assert.equal(valueOf(f, 'status', '!='), '');
  assert.deepEqual(readFilter(writeFilter(f)), { ...f, conditions: f.conditions.map((c) => ({ ...c, text: c.text })) });
});

test('what is no simple condition stays as text', () => {
  for (const [q, texts] of [
    ['{ .a = 1 && (.b = 2 || .c = 3) }', ['.a = 1', '(.b = 2 || .c = 3)']],
    ['{ .a = 1 || .b = 2 }', ['.a = 1 || .b = 2']],
    ['{ .a + 1 = 2 && !(.b = 3) }', ['.a + 1 = 2', '!(.b = 3)']],
    ['{ "x" = .a }', ['"x" = .a']],
    ['{ .a = "}" && .b = "&&" }', ['.a = "}"', '.b = "&&"']],
    ['{}', []],
    ['', []],
  ] as const)
    assert.deepEqual(readFilter(q)!.conditions.map((c) => c.text), [...texts], q);
  for (const q of ['{ .a = 1 } >> { .b = 2 }', '({ .a = 1 } | count() > 2)', '{ .a = 1', 'checkout', '{ .a = 1 } && { .b = 2 }', '{ .a = ' + '§' + ' }']) assert.equal(readFilter(q), null, q);
});

test('conditions are set, replaced, added once and taken away', () => {
  assert.equal(setCondition('', 'status', '=', 'error'), '{ status = error }');
  assert.equal(setCondition('{ status = error }', 'status', '=', 'ok'), '{ status = ok }');
  assert.equal(setCondition('{ status = error && .a = 1 } | select(.b)', 'status', '=', null), '{ .a = 1 } | select(.b)');
  assert.equal(setCondition('{ status = error }', 'status', '=', null), '');
  assert.equal(setCondition('{ status = error } | by(.a)', 'status', '=', null), '{ } | by(.a)');
  assert.equal(setCondition('{ .a = 1 || .b = 2 }', 'status', '=', 'error'), '{ (.a = 1 || .b = 2) && status = error }');
  assert.equal(addCondition('{ .a=1 }', '.a = 1'), '{ .a=1 }');
  assert.equal(addCondition('{ .a = 1 }', '.a != 2'), '{ .a = 1 && .a != 2 }');
  assert.equal(removeCondition('{ .a = 1 && .b = 2 }', 0), '{ .b = 2 }');
});

test('behind structure a condition becomes a stage, in front of what only shows', () => {
  assert.equal(addCondition('{ .a = 1 } >> { .b = 2 }', 'status = error'), '{ .a = 1 } >> { .b = 2 } | { status = error }');
  assert.equal(addCondition('{ .a = 1 } >> { .b = 2 } | select(.c)', '.d = 3'), '{ .a = 1 } >> { .b = 2 } | { .d = 3 } | select(.c)');
  assert.equal(setCondition('{ .a = 1 } >> { .b = 2 }', 'status', '=', null), '{ .a = 1 } >> { .b = 2 }');
});

test('values become literals that say the same, or none', () => {
  for (const [value, type, want] of [
    ['a"b\\c\nd', 'string', '"a\\"b\\\\c\\nd"'], ['5', 'int', '5'], ['5', 'float', '5.0'], ['1.5e3', 'float', '1.5e3'], ['true', 'bool', 'true'],
    ['1500000', 'duration', '1.5ms'], ['250ms', 'duration', '250ms'], ['error', 'status', 'error'], ['server', 'kind', 'server'], ['', 'string', '""'],
    ['[1, 2]', 'array', null], ['xyz', 'int', null], ['maybe', 'bool', null], ['x y', 'status', null],
  ] as const)
    assert.equal(literalOf(value, type), want, `${value} ${type}`);
  const rand = random(5);
  for (let i = 0; i < 200; i++) {
    const text = Array.from({ length: rand(12) }, () => 'ab"\\\n\t`{}&| é🧨\x1b\0\u202e\u0085\ufeff'[rand(20)]).join('');
    assert.equal(unquote(quote(text)), text);
    assert.equal(readFilter(`{ .a = ${quote(text)} && .b = 1 }`)?.conditions.length, 2, text);
  }
});

test('a text is read back from every way to write it, and written so that it can be seen', () => {
  for (const [literal, text] of [
    ['"\\x41\\101\\u00e4\\U0001f600"', 'AAä😀'], ['"\\xc3\\xa4\\303\\244"', 'ää'], ['"\\a\\b\\f\\v\\\\x41"', '\x07\b\f\v\\x41'], ['`\\x41`', '\\x41'], ['"\\U00110000"', '\\U00110000'],
  ] as const)
    assert.equal(unquote(literal), text, literal);
  assert.equal(quote('\x1b[31m\0\u202e'), '"\\x1b[31m\\x00\\u202e"');
});

test('durations of answers are read', () => {
  for (const [text, ns] of [['1m30.5s', 90.5e9], ['250ms', 250e6], ['1h0m0s', 3.6e12], ['-2us', -2000], ['7', 7], ['5 s', null], ['x', null], ['', null]] as const) assert.equal(durationOf(text), ns, text);
});

test('an explanation shows the most telling value of each attribute', () => {
  const d = (field: string, value: string, selection: number, rest: number): never => ({ field, value, type: 'string', selection, selectionTotal: 10, rest, restTotal: 10, diff: 0 }) as never;
  const shown = tellingOf([d('v', 'old', 1, 9), d('v', 'new', 9, 1), d('pod', 'a', 5, 4), d('pod', 'b', 1, 4), { ...(d('db', 'x', 0, 3) as object), selectionTotal: 0, restTotal: 3 } as never], { selection: 10, rest: 10 });
  assert.deepEqual(shown.map((x) => `${x.field}=${plain(x.value)}`), ['v=new', 'pod=b', 'db=x']);
});

test('an attribute of which no value stands out is told as such', () => {
  const values = (selection: number[], rest: number[], more: object = {}): never[] => selection.map((n, i) => ({ field: 'pod', value: `p${i}`, type: 'string', selection: n, selectionTotal: 100, rest: rest[i], restTotal: 100, diff: 0, ...more }) as never);
  const of = { selection: 100, rest: 100 };
  const spread = (all: never[]): number | null => spreadOf(tellingOf(all, of)[0]!, all, of);
  const ten = Array.from({ length: 10 }, () => 10);
  assert.equal(spread(values([12, ...ten.slice(2), 8], ten)), 0.12);
  assert.equal(spread(values([13, ...ten.slice(2), 7], ten)), null, 'one stands out');
  assert.equal(spread(values(ten, [30, 0, 0, 0, 10, 10, 10, 10, 10, 20])), null, 'one is rarer than in the rest');
  assert.equal(spread(values([5, 4], [5, 5], { selectionTotal: 9 })), null, 'few spans have it');
  assert.equal(spread(values(ten, ten, { selectionMost: 11 })), 0.11, 'of a value that is not among them');
  assert.equal(spread(values(ten, ten, { selectionMost: 40 })), null);
});

test('before is before the nearest deploy, else before the selection', () => {
  const rollouts = [['a', 'pay', 55], ['b', 'web', 98], ['c', 'pay', 130], ['d', 'pay', 149]].map(([id, service, at]) => ({ id, service, finished: `${at}000000` })) as never;
  const of = (from: number, to: number, service = ''): string => ((b) => `${b.at} ${b.deploy?.id}`)(beforeOf({ from, to }, rollouts, service));
  assert.deepEqual([of(100, 200), of(100, 200, 'pay'), of(145, 200, 'pay'), of(100, 110, 'pay'), of(90, 95), of(100, 200, 'x')], ['98 b', '130 c', '149 d', '100 undefined', '90 undefined', '100 undefined']);
});

test('what was kept in the browser is read with care', () => {
  const good = [{ name: 'a', path: 'traces?q=%7B%7D' }, { name: 'b', path: 'traces' }];
  assert.deepEqual(readSaved(JSON.stringify(good)), good);
  for (const bad of [null, '', 'x', '{}', '7', 'null', '[1, null, "x", {}, {"name": "a"}]', '[{"name": "", "path": "traces"}, {"name": "x", "path": "javascript:alert(1)"}, {"name": "x", "path": "tracesx"}, {"name": 7, "path": "traces"}]']) assert.deepEqual(readSaved(bad), [], bad ?? 'nothing');
  assert.deepEqual(withSaved(good, { name: 'a', path: 'traces?q=1' }).map((s) => s.path), ['traces?q=1', 'traces']);
  const of = (query: string): string => pathToSave(ask(query), '{ .x }');
  const asked = 'sort=slowest&rows=spans&box=1-2,3-4&explain=1&before=1&tick=ab';
  assert.equal(of(`range=6h&at=1795204641000000000&${asked}`), 'traces?q=%7B+.x+%7D&range=6h&sort=slowest&rows=spans');
  assert.equal(of(`range=between&start=5&end=9&${asked}`), 'traces?q=%7B+.x+%7D&range=between&start=5&end=9&sort=slowest&rows=spans&box=1-2,3-4&explain=1&before=1');
});

test('a version leads to its newest rollout, where one service has it', () => {
  const rollouts = [['9', 'pay', 'v2'], ['8', 'pay', 'v2'], ['7', 'web', 'v1'], ['6', 'pay', 'v1']].map(([id, service, version]) => ({ id, service, version })) as never;
  const of = (field: string, value: string): string | undefined => deployOf({ field, value } as never, rollouts)?.id;
  assert.deepEqual([of('resource.service.version', 'v2'), of('resource.service.version', 'v1'), of('resource.service.version', 'v3'), of('span.version', 'v2')], ['9', undefined, undefined, undefined]);
});

test('the series of a comparison are an explanation', () => {
  const series = (side: string, key: string, value: object, ...n: number[]): object => ({
    labels: [{ key: '__meta_type', value: { stringValue: side } }, { key, value }], samples: n.map((v, i) => ({ timestampMs: String(i), ...(v && { value: v }) })),
  });
  const many = series('selection', 'span.id', {}, 0) as { labels: object[] };
  many.labels.push({ key: '__meta_error', value: { stringValue: '__too_many_values__' } });
  const got = explanationOf({ series: [
    series('selection', 'status', { stringValue: 'error' }, 2, 0, 2), series('selection_total', 'status', {}, 2, 1, 2), series('baseline', 'status', { stringValue: 'ok' }, 9), series('baseline_total', 'status', {}, 9),
    ...['a', 'b', 'c'].map((v) => series('baseline', 'span.m', { stringValue: v }, 3)), series('selection', 'span.m', { stringValue: 'd' }, 1), series('selection', 'span.m', { stringValue: 'a' }, 1), series('selection_total', 'span.m', {}, 2), series('baseline_total', 'span.m', {}, 9),
    series('selection', 'span.n', { intValue: '7' }, 1), series('selection_total', 'span.n', {}, 1), series('baseline', 'span.l', { arrayValue: { values: [{ intValue: '1' }] } }, 2), series('baseline_total', 'span.l', {}, 2), series('selection', 'span.id', { stringValue: 'x' }, 1), series('selection_total', 'span.id', {}, 50), many,
  ] } as never, '{ } | compare({ status = error }, 3)'); // d may be in the rest, which gives its three
  assert.deepEqual([got.selection, got.rest, got.complete], [5, 9, true]);
  assert.deepEqual(got.attributes.map((d) => [d.field, plain(d.value), d.type, d.selection, d.selectionTotal, d.rest, d.restTotal]), [
    ['status', 'error', 'keyword', 4, 5, 0, 9], ['status', 'ok', 'keyword', 0, 5, 9, 9], ...['a', 'b', 'c'].map((v) => ['span.m', v, 'string', v === 'a' ? 1 : 0, 2, 3, 9]), ['span.n', '7', 'int', 1, 1, 0, 0], ['span.l', '[1]', 'any', 0, 0, 2, 2],
  ]);
});

test('durations are written exactly', () => {
  for (const [ns, want] of [[0, '0ns'], [7, '7ns'], [1000, '1us'], [134_217_728, '134.217728ms'], [250e6, '250ms'], [2_147_483_648, '2.147483648s'], [90e9, '90s']] as const)
    assert.equal(durationLiteral(ns), want);
});

test('columns name the fields that they show', () => {
  for (const [column, field] of [
    ['http.route', '.http.route'], ['status', 'status'], ['by(resource.service.name)', 'resource.service.name'], ['span:childCount', 'span:childCount'],
    ['a b', '."a b"'], ['count()', ''], ['avg(duration)', ''], ['a"\n\\', '."a\\"\n\\\\"'],
  ] as const)
    assert.equal(fieldOf(column), field, column);
  for (const [column, query, field] of [
    ['service.name', '{ resource.service.name = "a" && .x = 1 }', 'resource.service.name'], ['a"b c', '{} | select(span."a\\"b c")', 'span."a\\"b c"'],
    ['status', '{ span.status = 1 }', 'span.status'], ['x', '{ span.x = resource.x }', '.x'], ['x', '{ parent.span.x = 1 }', 'parent.span.x'], ['status', '{ status = error }', 'status'],
  ] as const)
    assert.equal(fieldOf(column, query), field, query);
});

test('values are shown as people read them', () => {
  for (const [type, value, want] of [
    ['any', '{"arrayValue":{"values":[{"stringValue":"a"},{"intValue":"2"}]}}', '[a, 2]'], ['any', '{"kvlistValue":{"values":[{"key":"k","value":{"boolValue":true}}]}}', '{k: true}'], ['any', '{"arr', '{"arr'],
    ['duration', '1500000', '1.50 ms'], ['string', '{"a":1}', '{"a":1}'],
  ] as const)
    assert.equal(shown({ key: 'k', type, value }), want, value);
});

test('a metrics query is told from a search', () => {
  for (const q of ['{} | rate()', '{ .a = 1 } | quantile_over_time(duration, .9) by (.b)', '({} | rate()) / ({} | rate())', '{}|count_over_time()|topk(3)']) assert(isMetrics(q), q);
  for (const q of ['{ name = "| rate()" }', '{} | count() > 3', '{ .rate = 1 } | select(.x)', '', '{ rate']) assert(!isMetrics(q), q);
});

test('the spans of a search are what is left without what only shows', () => {
  for (const [q, want] of [
    ['', '{}'], ['{ .a = 1 }', '{ .a = 1 }'], ['{ .a = 1 } | select(.b, .c)', '{ .a = 1 }'], ['{ .a = 1 } | by(.b) | count() > 2 | select(.x)', '{ .a = 1 } | by(.b) | count() > 2'], ['{ .a = 1 } | by(.b) | coalesce() | select(.x)', '{ .a = 1 }'],
    ['{ .a = "| by(" } | select(.b) with (most_recent=true)', '{ .a = "| by(" }'], ['{ .a = 1 } >> { .b = 2 }', '{ .a = 1 } >> { .b = 2 }'], ['{} | rate()', null],
  ] as const)
    assert.equal(spansOf(q), want, q);
});

test('words and pairs become TraceQL', () => {
  for (const [typed, want] of [
    ['checkout', '{ name =~ "(?i).*checkout.*" }'], ['a.b c', '{ name =~ "(?i).*a\\\\.b.*" && name =~ "(?i).*c.*" }'],
    ['service=web status=error', '{ resource.service.name = "web" && status = error }'], ['http.status=500 user="a b"', '{ .http.status = 500 && .user = "a b" }'],
    ['{ .a = 1 }', null], ['  ', null], ['span.x=true', '{ span.x = true }'],
  ] as const)
    assert.equal(fromWords(typed), want, typed);
});

test('pieces cover a text without overlap, whatever it is', () => {
  const rand = random(11);
  const alphabet = '{}()|&=!<>~"`.abz019 \n\\/*-,é';
  for (let i = 0; i < 500; i++) {
    const text = Array.from({ length: rand(40) }, () => alphabet[rand(alphabet.length)]).join('');
    let end = 0;
    for (const p of piecesOf(text)) {
      assert(p.from >= end && p.to > p.from && p.text === text.slice(p.from, p.to), text);
      end = p.to;
    }
    assert(end <= text.length);
    const f = readFilter(text);
    if (f) assert(readFilter(writeFilter(f)) !== null, text); // what is written can be read again
  }
});

// --- the mirror ---------------------------------------------------------------------------------------

const token = (from: number, to: number, c: string): { from: number; to: number; class: string } => ({ from, to, class: c });

test('tokens move along with what is typed', () => {
  const before = '{ status = error }';
  const tokens = [token(0, 1, 'p'), token(2, 8, 'f'), token(9, 10, 'o'), token(11, 16, 'c'), token(17, 18, 'p')];
  assert.deepEqual(moveTokens(tokens, before, before), tokens);
  const moved = moveTokens(tokens, before, '{ name="x" && status = error }');
  assert.deepEqual(moved.filter((t) => t.from >= 14), [token(14, 20, 'f'), token(21, 22, 'o'), token(23, 28, 'c'), token(29, 30, 'p')]);
  assert.deepEqual(moveTokens(tokens, before, ''), []);
  assert.deepEqual(moveTokens(tokens, before, '{ status = err }').find((t) => t.class === 'c'), token(11, 14, 'c'));
});

test('the runs of the mirror are the text, once and in order', () => {
  const rand = random(3);
  for (let i = 0; i < 300; i++) {
    const text = 'x'.repeat(rand(30));
    const some = (): { from: number; to: number } => {
      const from = rand(35);
      return { from, to: from + rand(6) };
    };
    const tokens = Array.from({ length: rand(5) }, () => ({ ...some(), class: 'a' }));
    const errors = Array.from({ length: rand(3) }, () => ({ ...some(), line: 1, column: 1, severity: 'error', message: '' }));
    const runs = runsOf(text, tokens, errors);
    assert.equal(runs.map((r) => r.text).join(''), text);
    assert(runs.every((r, k) => r.from === runs.slice(0, k).reduce((n, x) => n + x.text.length, 0)));
    if (text && errors.length) assert(runs.some((r) => r.bad), 'an error is seen');
  }
  assert.deepEqual(placeOf('.a = "pa', { from: 6, to: 8 }, '"pay"'), [5, 8]);
  assert.deepEqual(placeOf('.a = "pa" }', { from: 6, to: 8 }, '"pay"'), [5, 9]);
  assert.deepEqual(placeOf('.a = "pa"', { from: 5, to: 9 }, '"pay"'), [5, 9]);
  assert.deepEqual(placeOf('.a = "', { from: 6, to: 6 }, '"pay"'), [5, 6]);
  assert.deepEqual(placeOf('.a = p', { from: 5, to: 6 }, '"pay"'), [5, 6]);
  assert.deepEqual(placeOf('.a = "x" ', { from: 9, to: 9 }, '='), [9, 9]);
  assert.deepEqual(spotOf({ from: 5, to: 5 }, 'abcde'), [4, 5]);
  assert.deepEqual(spotOf({ from: 2, to: 2 }, 'abcde'), [2, 3]);
  assert.deepEqual(spotOf({ from: 0, to: 0 }, ''), [0, 0]);
});

// --- scales, the heatmap --------------------------------------------------------------------------------

test('steps are round and few', () => {
  for (const [length, n, want] of [[3600e3, 120, 30e3], [900e3, 120, 10e3], [86400e3, 120, 900e3], [604800e3, 120, 7200e3], [50, 100, 1]] as const) assert.equal(stepFor(length, n), want);
  for (const length of [1, 999, 3.2e9, 1e12, 9e13]) assert(length / stepFor(length, 100) <= 100);
  assert.deepEqual(timeMarks(0, 3600e3, 4, 'utc').map((m) => m.label), ['01-01', '00:15', '00:30', '00:45', '01:00']);
  assert.deepEqual(valueMarks(0, 13, 5), { marks: [0, 5, 10, 15], lo: 0, hi: 15 });
  assert.deepEqual(valueMarks(0, 0, 5).lo, 0);
  assert.deepEqual(valueMarks(-3, 7, 5).marks, [-4, -2, 0, 2, 4, 6, 8]);
  assert.deepEqual(durationMarks(2e6, 3e9, 6), [1e7, 1e8, 1e9]);
  assert.equal(logShare(1e8, 1e7, 1e9), 0.5);
  for (const [v, want] of [[0, '0'], [0.25, '0.25'], [1234, '1234'], [12345, '12.35 k'], [2.5e6, '2.5 M'], [1e-7, '1.00e-7'], [NaN, 'NaN']] as const) assert.equal(figure(v), want);
});

const series = (bucket: number, samples: [number, number?][]): object => ({
  labels: [{ key: '__bucket', value: { doubleValue: bucket } }],
  samples: samples.map(([t, value]) => ({ timestampMs: String(t), ...(value === undefined ? {} : { value }) })),
});

test('a heatmap has each span once, where it belongs', () => {
  const [a, b] = [2 ** 28 / 1e9, 2 ** 31 / 1e9];
  const h = makeHeat({ series: [series(a, [[60_000, 3], [120_000], [180_000, 1]]), series(b, [[180_000, 2]])] } as never, 0, 180_000, 60_000);
  assert.equal(h.columns, 3);
  assert.equal(h.total, 6);
  assert(h.highs.every((x, i) => i === 0 || x === 2 * h.highs[i - 1]!), 'rows double');
  assert(h.lows.every((x, i) => i === 0 || x === h.highs[i - 1]));
  const row = h.highs.indexOf(2 ** 28);
  assert.deepEqual([0, 1, 2].map((c) => h.cells[row * 3 + c]), [3, 0, 1]);
  assert.equal(countIn(h, cellsBetween(h, 0, 0, 99, 99)), 6);
  assert.equal(countIn(h, cellsBetween(h, 2, h.highs.indexOf(2 ** 31), 2, h.highs.indexOf(2 ** 31))), 2);
  assert.equal(makeHeat({ series: [] }, 0, 180_000, 60_000).total, 0);
  assert.equal(makeHeat({ status: 'PARTIAL', message: 'over the limit' }, 0, 1000, 100).partial, 'over the limit');
});

test('a box selects the cells that it was made of, from either corner, and survives the address', () => {
  const h = makeHeat({ series: [series(2 ** 20 / 1e9, [[500, 1]]), series(2 ** 33 / 1e9, [[9500, 4]])] } as never, 0, 10_000, 100);
  const rand = random(9);
  for (let i = 0; i < 200; i++) {
    const [c, r, c2, r2] = [rand(120) - 10, rand(30) - 5, rand(120) - 10, rand(30) - 5] as [number, number, number, number];
    const cells = cellsBetween(h, c, r, c2, r2);
    assert.deepEqual(cells, cellsBetween(h, c2, r2, c, r));
    const b = boxOf(h, cells);
    assert.deepEqual(cellsOf(h, b), cells);
    assert.deepEqual(box().read(box().write(b)), b);
  }
  assert.equal(cellsOf(h, { from: 90_000, to: 99_000, min: 1, max: 2 ** 40 }), null);
  for (const bad of ['', 'x', '5-3,1-2', '1-2,5-5', '1-2', '1-2,3-4,5']) assert.equal(box().read(bad), null, bad);
});

// --- lines ----------------------------------------------------------------------------------------------

test('series become lines on one grid, with holes where they have no value', () => {
  const label = (key: string, value: string): object => ({ key, value: { stringValue: value } });
  const answer = {
    series: [
      { labels: [label('resource.service.name', 'web')], samples: [{ timestampMs: '1000', value: 2 }, { timestampMs: '3000' }], exemplars: [{ labels: [label('trace:id', 'abc')], value: 0.5, timestampMs: '900' }, { labels: [], timestampMs: '1' }] },
      { labels: [label('resource.service.name', 'db')], samples: [{ timestampMs: '2000', value: 5 }] },
    ],
  };
  const l = makeLines(answer as never, '{} | rate()');
  assert.deepEqual(l.times, [1000, 2000, 3000]);
  assert.deepEqual(l.lines.map((x) => x.name), ['web', 'db']);
  assert.deepEqual([...l.lines[0]!.values].map(String), ['2', 'NaN', '0']);
  assert.equal(l.hi, 5);
  assert.deepEqual([...makeLines(answer as never, '{} | max_over_time(.n)').lines[0]!.values].map(String), ['2', 'NaN', '0']);
  assert.deepEqual([...makeLines(answer as never, '{} | quantile_over_time(.n, .5)').lines[0]!.values].map(String), ['2', 'NaN', 'NaN']);
  assert.deepEqual(l.points.map((p) => [p.trace, p.at]), [['abc'.padStart(32, '0'), 900]]);
  assert.equal(nameOf({ labels: [label('p', '0.95'), label('span.x', ''), { key: 'span.y', value: {} }] } as never, ''), 'p=0.95, (empty), nil');
  assert.equal(nameOf({ labels: [label('resource.service.name', 'web'), label('name', 'GET /')] } as never, ''), 'web, GET /');
  assert.equal(nameOf({ labels: [label('__name__', 'rate')] } as never, 'x'), 'rate');
  const many = { series: Array.from({ length: 40 }, (_, i) => ({ labels: [label('a', `s${i}`)], samples: [{ timestampMs: '1000', value: i }] })) };
  const shown = makeLines(many as never, '{} | rate()');
  assert.equal(shown.hidden, 16);
  assert(shown.lines.some((x) => x.name === 's39') && !shown.lines.some((x) => x.name === 's0'));
  assert.equal(unitOf('{} | rate()'), '/s');
  assert.equal(unitOf('{} | quantile_over_time(duration, .9)'), ' s');
  assert.equal(unitOf('{} | sum_over_time(span.bytes)'), '');
  assert.equal(unitOf('{ .a - 1 = 2 } | rate ()'), '/s');
  for (const q of ['({ status = error } | rate()) / ({} | rate())', '({} | rate()) * 100', '(({} | avg_over_time(duration)) / 2) | topk(3)']) assert.equal(unitOf(q), '', q);
});

// --- the address and the questions ----------------------------------------------------------------------

const SECOND = 1_000_000_000n;
const now = 1_795_204_640n * SECOND + 5n;

test('every state of the page survives its address', () => {
  const a = { ...ask(), q: '{ .a = "&=+ü" }', range: '7d' as const, at: '1795204641000000000', sort: 'slowest' as const, rows: 'spans' as const, box: { from: 1, to: 2, min: 0, max: 9 }, explain: true, table: true, tick: ['a', 'b'], limit: 20, live: true };
  assert.deepEqual(ask(pathOf(a).slice(pathOf(a).indexOf('?'))), a);
  assert.equal(pathOf(ask()), 'traces');
  for (const hostile of ['range=x&sort=drop&rows=9&limit=-1&box=9-1,2-1', 'tick=a,b,c,d&explain=2']) {
    const v = ask(hostile);
    assert(v.range === '1h' && v.sort === 'newest' && v.rows === 'traces' && v.box === null && v.tick.length <= 2 && !v.explain, hostile);
  }
  assert.equal(writeQuery(schema, ask()), '');
});

test('ranges are stretches of time', () => {
  const hour = 3600n * SECOND;
  assert.deepEqual(stretchOf(ask(), now), { start: 1_795_204_641n * SECOND - hour, end: 1_795_204_641n * SECOND });
  assert.deepEqual(stretchOf(ask(`at=${hour * 5n}`), now), { start: hour * 4n, end: hour * 5n });
  assert.equal(stretchOf(ask('range=all'), now), null);
  assert.deepEqual(stretchOf(ask('range=between&start=5&end=9'), now), { start: 5n, end: 9n });
  for (const bad of ['range=between', 'range=between&start=9&end=5', 'range=between&start=x&end=5']) assert.equal(stretchOf(ask(bad), now), null, bad);
});

test('the questions to the server follow from the address', () => {
  const params = (path: string): Record<string, string> => Object.fromEntries(new URLSearchParams(path.slice(path.indexOf('?'))));
  const at = { start: 5n, end: 9n };
  assert.equal(listPath(ask(), at, null), 'api/takt/traces?since=1h&limit=50');
  const times = { start: '0000000000000000005', end: '0000000000000000009' }; // nanoseconds, whatever they are of
  assert.equal(listPath(ask('range=between&start=5&end=9'), at, 'c'), `api/takt/traces?start=${times.start}&end=${times.end}&limit=50&cursor=c`);
  assert.deepEqual(params(listPath(ask('q={.a=1}&sort=slowest'), at, null)), { q: '{.a=1}', sort: 'slowest', spss: '3', count: '1', ...times, limit: '50' });
  assert.equal(params(listPath(ask('rows=spans'), at, null))['q'], '{} | select(name, resource.service.name)');
  assert.equal(withFields('{ .a = "with(" } | by(.b) with (most_recent=true)', '.c'), '{ .a = "with(" } | by(.b) | select(.c) with (most_recent=true)');
  assert.deepEqual(params(elsewherePath(ask('q={.a=1}&sort=slowest&range=15m&at=7'))), { q: '{.a=1}', sort: 'newest', spss: '3', count: '1', limit: '1' });
  assert.equal(params(heatPath(ask('q={.a=1}|select(.b)'), at, 30_000)!)['q'], '{.a=1} | histogram_over_time(duration) with(exemplars=false)');
  assert.equal('exemplars' in params(heatPath(ask('q={.a=1}'), at, 50)!), false); // 0 means all there may be
  assert.equal(params(heatPath(ask('q={.a=1}'), at, 50)!)['step'], '0.05');
  assert.equal(heatPath(ask('q={}|rate()'), at, 50), null);
  assert.deepEqual(params(explainPath(ask('q={.a=1}|select(.b)'), at, { from: 1, to: 2, min: 3, max: 4 })), { q: '{.a=1}', ...times, from: '0000000000001000000', to: '0000000000002000000', min: '4ns', max: '4ns' });
  assert.deepEqual(params(explainPath(ask('q={.a=1}&before=5'), at, { from: 4, to: 7, min: 3, max: 4 })), { q: '{.a=1} | { duration >= 4ns && duration <= 4ns }', start: '0000000000003000000', end: '0000000000007000000', from: '0000000000005000000', to: '0000000000007000000' });
  assert.equal(params(listPath(ask('rows=spans&sort=slowest'), at, null))['spss'], '100');
  assert.equal(params(analyzePath('x'.repeat(5000), 7, null))['q']!.length, 5000);
  assert.deepEqual(params(analyzePath('{ ü', 3, at)), { q: '{ ü', cursor: '3', ...times });
});

test('old addresses become queries', () => {
  const of = (query: string): string | null => fromOldAddress(new URLSearchParams(query));
  assert.equal(of('q={}&range=all'), null);
  assert.equal(of('service=web&operation=POST+/x&min=1,5+s&max=2min'), '{ resource.service.name = "web" && rootName = "POST /x" && traceDuration >= 1.5s && traceDuration <= 2m }');
  assert.equal(of('service=a"b&errors=1'), '{ resource.service.name = "a\\"b" } && { status = error }');
  assert.equal(of('errors=1'), '{ status = error }');
  assert.equal(of('min=abc'), '');
});

test('values of answers are text, however they are wrapped', () => {
  for (const [v, want] of [['x', 'x'], [5, '5'], [true, 'true'], [null, ''], [{ intValue: '7' }, '7'], [{ boolValue: false }, 'false'], [{ arrayValue: { values: [{ stringValue: 'a' }, { intValue: 1 }] } }, '[a, 1]'], [[1, 2], '[1, 2]']] as const)
    assert.equal(plain(v), want);
});
