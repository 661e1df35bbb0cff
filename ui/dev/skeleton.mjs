// SPDX-License-Identifier: Apache-2.0
// A second, plain encoder of docs/formats/skeleton.md, for the stand-in server and as a check of
// the real one: both must give the golden bytes.

const NONE = 0xffffffff;
const pad4 = (n) => (n + 3) & ~3;

export function encodeSkeleton(traceId, spans, serviceOf, known = spans.length) {
  const start = spans.map((s) => BigInt(s.span.startTimeUnixNano ?? 0));
  const end = spans.map((s) => BigInt(s.span.endTimeUnixNano ?? 0));
  const places = spans.map((_, i) => i).sort((a, b) => {
    if (start[a] !== start[b]) return start[a] < start[b] ? -1 : 1;
    return spans[a].span.spanId < spans[b].span.spanId ? -1 : spans[a].span.spanId > spans[b].span.spanId ? 1 : a - b;
  });
  const flags = spans.map((s, i) =>
    (s.span.events?.length ? 4 : 0) | (s.span.links?.length ? 8 : 0) | (!start[i] || !end[i] ? 32 : end[i] < start[i] ? 16 : 0));

  const byId = new Map();
  for (const i of places) {
    const same = byId.get(spans[i].span.spanId);
    if (same === undefined) byId.set(spans[i].span.spanId, i);
    else { flags[i] |= 64; flags[same] |= 64; }
  }
  const up = spans.map((s, i) => {
    if (!s.span.parentSpanId) return -1;
    const p = byId.get(s.span.parentSpanId);
    if (p === undefined) flags[i] |= 1;
    return p ?? -1;
  });
  const place = [];
  places.forEach((i, at) => (place[i] = at));
  const mark = spans.map(() => -1);
  for (const i of places) {
    let p = i;
    for (; p >= 0 && mark[p] < 0; p = up[p]) mark[p] = i;
    if (p < 0 || mark[p] !== i) continue;
    let first = p;
    for (let q = up[p]; q !== p; q = up[q]) if (place[q] < place[first]) first = q;
    up[first] = -1;
    flags[first] |= 2;
  }
  const children = new Map();
  for (const i of places) {
    if (!children.has(up[i])) children.set(up[i], []);
    children.get(up[i]).push(i);
  }
  const order = [];
  const rowOf = [];
  const stack = [...(children.get(-1) ?? [])].reverse();
  while (stack.length) {
    const i = stack.pop();
    rowOf[i] = order.length;
    order.push(i);
    for (const c of [...(children.get(i) ?? [])].reverse()) stack.push(c);
  }

  const list = [''];
  const ids = new Map([['', 0]]);
  const string = (text) => {
    if (!ids.has(text)) ids.set(text, list.push(text) - 1);
    return ids.get(text);
  };
  const resources = new Map();
  const resourceOf = (s) => {
    const key = JSON.stringify(s.resource);
    if (!resources.has(key)) resources.set(key, { id: resources.size, service: serviceOf(s) });
    return resources.get(key).id;
  };
  const resource = spans.map(resourceOf); // numbered in the order of the input
  const names = order.map((i) => string(spans[i].span.name ?? ''));
  const messages = order.map((i) => string(spans[i].span.status?.message ?? ''));
  const services = [...resources.values()].map((r) => string(r.service));
  const texts = list.map((t) => Buffer.from(t));
  const textBytes = pad4(texts.reduce((n, t) => n + t.length, 0));
  const n = order.length;

  const out = Buffer.alloc(80 + n * 40 + 3 * pad4(n) + 4 * services.length + 4 * list.length + textBytes);
  const base = start.filter((t) => t).reduce((a, b) => (b < a ? b : a), 2n ** 64n - 1n);
  let last = 0n;
  start.forEach((t, i) => {
    if (t && end[i] > last) last = end[i];
    if (t > last) last = t;
  });
  const root = order.findIndex((i) => up[i] < 0 && !(flags[i] & 3));
  out.write('TKSK', 0);
  [1, n, known].forEach((v, i) => out.writeUInt32LE(v, 4 + 4 * i));
  out.write(traceId, 16, 'hex');
  out.writeBigUInt64LE(base, 32);
  out.writeBigUInt64LE(last - base, 40);
  [root < 0 ? (n ? 0 : NONE) : root, services.length, list.length, textBytes].forEach((v, i) => out.writeUInt32LE(v, 48 + 4 * i));
  let at = 80;
  const u32s = (values) => values.forEach((v) => (at = out.writeUInt32LE(v, at)));
  const u8s = (values) => {
    values.forEach((v, i) => (out[at + i] = v));
    at += pad4(values.length);
  };
  const from = order.map((i) => (start[i] ? start[i] - base : 0n));
  const length = order.map((i) => (!start[i] || !end[i] ? 0n : end[i] < start[i] ? start[i] - end[i] : end[i] - start[i]));
  const low = (v) => Number(v & 0xffffffffn);
  const high = (v) => Number(v >> 32n);
  u32s(order.map((i) => (up[i] < 0 ? NONE : rowOf[up[i]])));
  for (const column of [from, length]) {
    u32s(column.map(low));
    u32s(column.map(high));
  }
  u32s(names);
  u32s(order.map((i) => resource[i]));
  u32s(messages);
  u8s(order.map((i) => spans[i].span.kind ?? 0));
  u8s(order.map((i) => spans[i].span.status?.code ?? 0));
  u8s(order.map((i) => flags[i]));
  order.forEach((i) => (at += out.write(spans[i].span.spanId, at, 'hex')));
  u32s(services);
  let ends = 0;
  u32s(texts.map((t) => (ends += t.length)));
  texts.forEach((t) => (at += t.copy(out, at)));
  return { bytes: out, order };
}
