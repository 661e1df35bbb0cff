// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import test from 'node:test';
import { coloursOf, palette } from '../src/base/colour';
import { bytes, count, plural, visible } from '../src/base/format';
import { choice, flag, integer, readQuery, span, text, words, writeQuery } from '../src/base/query';
import { matchPath, traceIdOf } from '../src/base/route';
import { ago, dateTime, duration, fromInput, parseDuration, toInput } from '../src/base/time';
import { snippets } from '../src/pages/snippets';

const ID = '4bf92f3577b34da6a3ce929d0e0e4736';

test('paths name pages', () => {
  for (const [path, page] of [
    ['', 'home'], ['start', 'start'], ['traces', 'traces'], ['traces/', 'traces'], ['settings/about', 'about'],
    [`t/${ID}`, 'trace'], ['t/', 'unknown'], ['t/xyz', 'unknown'], ['t', 'unknown'], ['nothing', 'unknown'], ['traces/x', 'unknown'],
  ] as const)
    assert.equal(matchPath(path).page, page, path);
  assert.deepEqual(matchPath(`t/${ID.toUpperCase()}`), { page: 'trace', id: ID });
});

test('a trace id is taken in every form that people paste', () => {
  for (const pasted of [ID, `  ${ID}\n`, ID.toUpperCase(), `"${ID}"`, `0x${ID}`, '4bf92f35-77b3-4da6-a3ce-929d0e0e4736'])
    assert.equal(traceIdOf(pasted)?.trace, ID, pasted);
  assert.deepEqual(traceIdOf(`00-${ID}-00f067aa0ba902b7-01`), { trace: ID, span: '00f067aa0ba902b7' });
  assert.equal(traceIdOf('a3ce929d0e0e4736')?.trace, '0000000000000000a3ce929d0e0e4736');
  for (const wrong of ['', 'cafe', 'checkout', ID + '0', '0'.repeat(32), 'g'.repeat(32)]) assert.equal(traceIdOf(wrong), null, wrong);
});

test('a query survives its address, and defaults stay out of it', () => {
  const schema = { service: text(), errors: flag(), group: flag(true), limit: integer(50, 1, 500), range: choice('1h', 'all'), z: span(), flip: words(3) };
  const empty = readQuery(schema, new URLSearchParams());
  assert.equal(writeQuery(schema, empty), '');
  const values = { service: 'a&b=c ü', errors: true, group: false, limit: 7, range: 'all' as const, z: [10, 25] as const, flip: ['x', 'y'] };
  const query = writeQuery(schema, values);
  assert.equal(query, '?service=a%26b%3Dc+%C3%BC&errors=1&group=0&limit=7&range=all&z=10-25&flip=x,y');
  assert.deepEqual(readQuery(schema, new URLSearchParams(query)), values);
});

test('a query from anywhere gives values that are allowed', () => {
  const schema = { limit: integer(50, 1, 500), range: choice('1h', 'all'), z: span(), flip: words(2) };
  for (const hostile of ['limit=-5&range=evil&z=9-1', 'limit=1e9&z=abc', 'limit=999999&z=1', 'z=1-2-3&flip=a,b,c,d', 'limit=NaN']) {
    const v = readQuery(schema, new URLSearchParams(hostile));
    assert(v.limit >= 1 && v.limit <= 500, hostile);
    assert(v.range === '1h' && v.z === null && v.flip.length <= 2, hostile);
  }
});

test('durations read with three digits that count', () => {
  for (const [ns, want] of [
    [0, '0 ns'], [999, '999 ns'], [1000, '1.00 µs'], [12_345, '12.3 µs'], [184e6, '184 ms'], [999.6e6, '1.00 s'], [2.11e9, '2.11 s'],
    [59.9e9, '59.9 s'], [59.96e9, '1 min'], [200e9, '3 min 20 s'], [3600e9, '1 h'], [29_700e9, '8 h 15 min'], [200_000e9, '2 d 7 h'], [-8e6, '−8.00 ms'],
  ] as const)
    assert.equal(duration(ns), want);
});

test('durations that people type are understood, others are not', () => {
  for (const [typed, ns] of [['250ms', 250e6], ['1.5 s', 1.5e9], ['1,5s', 1.5e9], ['2m', 120e9], ['10us', 10e3], ['10 µs', 10e3], ['1h', 3.6e12]] as const)
    assert.equal(parseDuration(typed), ns, typed);
  for (const wrong of ['', '5', 'abc', '1.2.3s', '-1s', '1 day', 'ms']) assert.equal(parseDuration(wrong), null, wrong);
});

test('times keep their nanoseconds', () => {
  const ns = 1_795_204_640_465_123_456n;
  assert.equal(dateTime(ns, 'utc', 9), '2026-11-20 19:57:20.465123456');
  assert.equal(dateTime(ns, 'utc', 0), '2026-11-20 19:57:20');
  assert.equal(dateTime(-5n, 'utc'), '-5 ns');
  assert.equal(dateTime(2n ** 64n - 1n, 'utc', 0).slice(0, 4), '2554');
  assert.equal(fromInput(toInput(ns, 'utc'), 'utc'), 1_795_204_640_000_000_000n);
  assert.equal(fromInput(toInput(ns, 'local'), 'local'), 1_795_204_640_000_000_000n);
  assert.equal(fromInput('', 'utc'), null);
  assert.equal(ago(0n, 1_000_000_000n), 'just now');
  assert.equal(ago(0n, 190_000_000_000n), '3 min 10 s ago');
  assert.equal(ago(60_000_000_000n, 0n), 'in 1 min');
});

test('numbers read well', () => {
  assert.equal(count(5213), '5,213');
  assert.equal(count(1234567), '1,234,567');
  assert.equal(bytes(999), '999 B');
  assert.equal(bytes(8_500_000), '8.5 MB');
  assert.equal(plural(1, 'span'), '1 span');
  assert.equal(plural(2, 'match', 'matches'), '2 matches');
});

test('a hostile name shows what it is', () => {
  assert.equal(visible('a\u202egnp.exe'), 'a·gnp.exe');
  assert.equal(visible('nul\u0000 tab\t'), 'nul␀ tab→');
  assert.equal(visible('x'.repeat(400), 10), 'xxxxxxxxxx…');
  assert.equal(visible('  '), '␣␣');
});

// WCAG: luminance of sRGB, contrast of two colours.
function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}
const contrast = (a: string, b: string): number => {
  const [hi, lo] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (hi! + 0.05) / (lo! + 0.05);
};

test('the colours of services stand out from both backgrounds, and are no red', () => {
  palette.forEach(([light, dark], i) => {
    assert(contrast(light, '#ffffff') >= 3 && contrast(light, '#f0f2f5') >= 3, `light ${i}`);
    assert(contrast(dark, '#151a21') >= 3 && contrast(dark, '#10141a') >= 3, `dark ${i}`);
    for (const hex of [light, dark]) {
      const [r, g, b] = [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
      assert(!(r! > 150 && g! < r! * 0.5 && b! < r! * 0.5), `${hex} is red`);
    }
  });
});

test('services of a view have different colours while there are enough', () => {
  const names = Array.from({ length: palette.length }, (_, i) => `service ${i}`);
  const colours = coloursOf(names, new Map());
  assert.equal(new Set(colours.values()).size, palette.length);
  assert.deepEqual(colours, coloursOf([...names].reverse(), new Map()));
  assert.equal(coloursOf([...names, 'one more'], new Map()).size, palette.length + 1);
});

test('every snippet speaks to the receiver it was given', () => {
  for (const s of snippets) {
    const code = s.code({ http: 'http://takt.example:14318', grpc: 'takt.example:14317' });
    assert(/takt\.example:1431[78]/.test(code), s.name);
    assert(!/localhost|127\.0\.0\.1/.test(code), s.name);
  }
});
