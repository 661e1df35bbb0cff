// SPDX-License-Identifier: Apache-2.0
// The stand-in's comparison of where traces spend their time, for pages alone: plain, and right enough to look at.
const startOf = (s) => BigInt(s.span.startTimeUnixNano ?? 0);
const endOf = (s) => BigInt(s.span.endTimeUnixNano ?? 0);
const serviceOf = (s) => s.resource.attributes?.find((a) => a.key === 'service.name')?.value.stringValue ?? '';
const least = (a, b) => (a < b ? a : b);
const most = (a, b) => (a > b ? a : b);

// Of a trace, by span: time on the critical path and by itself, in ns.
function timesOf(list) {
  const times = new Map(list.map((s) => [s, { critical: 0, self: 0 }]));
  const kids = (s) => list.filter((c) => c.span.parentSpanId === s.span.spanId && c !== s).sort((a, b) => (endOf(a) < endOf(b) ? -1 : 1));
  const walk = (s, floor, at) => {
    for (const c of kids(s).reverse()) {
      const [from, to] = [most(floor, startOf(c)), least(at, endOf(c))];
      if (to <= from) continue;
      times.get(s).critical += Number(at - to);
      walk(c, from, to);
      at = from;
    }
    times.get(s).critical += Number(at - floor);
  };
  const root = list.find((s) => !s.span.parentSpanId) ?? list[0];
  walk(root, startOf(root), endOf(root));
  for (const s of list) {
    let [covered, upTo] = [0n, startOf(s)];
    for (const c of kids(s).sort((a, b) => (startOf(a) < startOf(b) ? -1 : 1))) {
      const [from, to] = [most(upTo, startOf(c)), least(endOf(s), endOf(c))];
      if (to > from) [covered, upTo] = [covered + to - from, to];
    }
    times.get(s).self = Number(endOf(s) - startOf(s) - covered);
  }
  return { times, length: Number(list.map(endOf).reduce(most) - list.map(startOf).reduce(least)), root };
}

// sides: two lists of ids of traces. names: what each is of.
function balance(spans, sides, names) {
  const rows = new Map();
  const heads = sides.map((ids, side) => {
    const head = { of: names[side], total: ids.length, shown: ids.length, sampled: false, durationNano: 0, criticalNano: 0, spans: 0, errors: 0, trace: null };
    for (const id of ids) {
      const { times, length, root } = timesOf(spans.get(id));
      head.durationNano += length / ids.length;
      if (names[side] === 'trace') head.trace = { traceId: id, rootService: serviceOf(root), rootName: root.span.name ?? '', startUnixNano: String(startOf(root)) };
      for (const [s, { critical, self }] of times) {
        const [service, name, bad] = [serviceOf(s), s.span.name ?? '', s.span.status?.code === 2 ? 1 : 0];
        const key = JSON.stringify([service, name]);
        const none = () => ({ traces: 0, spans: 0, errors: 0, selfNano: 0, criticalNano: 0, most: [] });
        if (!rows.has(key)) rows.set(key, { service, name, a: none(), b: none() });
        const of = rows.get(key)[side ? 'b' : 'a'];
        if (!of.most.includes(id)) of.traces++, of.most.push(id);
        for (const [k, v] of Object.entries({ spans: 1, errors: bad, selfNano: self, criticalNano: critical })) of[k] += v / ids.length;
        head.spans += 1 / ids.length;
        head.errors += bad / ids.length;
        head.criticalNano += critical / ids.length;
      }
    }
    return head;
  });
  const sum = [...rows.values()].reduce((n, r) => n + Math.abs(r.b.criticalNano - r.a.criticalNano), 0);
  const told = [...rows.values()].map((r) => ({
    ...r, a: { ...r.a, most: r.a.most.slice(0, 10) }, b: { ...r.b, most: r.b.most.slice(0, 10) },
    deltaNano: r.b.criticalNano - r.a.criticalNano, selfDeltaNano: r.b.selfNano - r.a.selfNano, share: sum ? Math.abs(r.b.criticalNano - r.a.criticalNano) / sum : 0,
  })).sort((x, y) => Math.abs(y.deltaNano) - Math.abs(x.deltaNano));
  return { a: heads[0], b: heads[1], operations: told.length, rows: told, complete: true, why: null };
}

export function cohorts(searches, spans, url) {
  const ids = ['a', 'b'].map((k) => url.get(k));
  if (ids[0]) {
    const missing = ids.findIndex((id) => !spans.has(id));
    if (missing >= 0) return { code: 404, text: `trace ${'AB'[missing]}, ${ids[missing]}, is not there` };
    return { json: { query: null, ...balance(spans, ids.map((id) => [id]), ['trace', 'trace']) } };
  }
  const [from, to] = ['from', 'to'].map((k) => BigInt(url.get(k)));
  const [min, max] = ['min', 'max'].map((k) => parseInt(url.get(k) ?? '0', 10));
  const sides = [[], []];
  for (const { of, list } of searches.matches(url.get('q') ?? '{}', ...searches.range(url)).out) {
    const inside = list.some((s) => startOf(s) > from && startOf(s) <= to && Number(endOf(s) - startOf(s)) >= min && (!max || Number(endOf(s) - startOf(s)) <= max));
    sides[inside ? 1 : 0].push(of.traceId);
  }
  return { json: { query: url.get('q'), ...balance(spans, sides, ['rest', 'selection']) } };
}
