// SPDX-License-Identifier: Apache-2.0
// Answers of the stand-in server to searches, metrics, explanations and half-written queries. It
// knows the simplest TraceQL only: filters of `field op literal` joined by &&, of one span each.
// What the language means is the real server's to say.

const SHAPES = [
  ['comment', /\/\/.*/y], ['string', /"(?:[^"\\]|\\.)*"?|`[^`]*`?/y], ['number', /-?\d[\w.]*/y],
  ['word', /[A-Za-z_.][\w.:\-/]*(?:"[^"]*")?/y], ['operator', /&&|\|\||=~|!~|!=|>=|<=|>>|<<|[=<>~!+*/%^&-]/y], ['punctuation', /[{}()|,]/y],
];
const INTRINSICS = ['name', 'status', 'statusMessage', 'kind', 'duration', 'traceDuration', 'rootName', 'rootServiceName'];
const STAGES = ['select', 'by', 'count', 'rate', 'count_over_time', 'avg_over_time', 'max_over_time', 'quantile_over_time', 'histogram_over_time', 'coalesce', 'with', 'avg', 'max', 'min', 'sum', 'topk'];
const WORDS = { true: 'bool', false: 'bool', nil: 'constant', error: 'constant', ok: 'constant', unset: 'constant', server: 'constant', client: 'constant', internal: 'constant', producer: 'constant', consumer: 'constant' };

export function tokens(q) {
  const out = [];
  for (let at = 0; at < q.length; ) {
    const hit = SHAPES.map(([kind, shape]) => ((shape.lastIndex = at), shape.test(q) ? [kind, shape.lastIndex] : null)).find(Boolean);
    if (!hit) {
      if (!/\s/.test(q[at])) out.push({ from: at, to: at + 1, class: 'invalid', text: q[at] });
      at++;
      continue;
    }
    const text = q.slice(at, hit[1]);
    const kind = hit[0] !== 'word' ? (hit[0] === 'number' && /[a-z]/.test(text) ? 'duration' : hit[0]) : WORDS[text] ?? (INTRINSICS.includes(text) ? 'intrinsic' : STAGES.includes(text) ? 'function' : 'field');
    out.push({ from: at, to: hit[1], class: kind, text });
    at = hit[1];
  }
  return out;
}

// As the server names them: an attribute's scope apart, words that are values as keywords.
function marks({ from, to, class: c, text }) {
  if (c === 'field') {
    const scope = text.indexOf('.') + 1;
    return [{ from, to: from + scope, class: 'scope' }, { from: from + scope, to, class: 'attribute' }].filter((m) => m.to > m.from);
  }
  return [{ from, to, class: { bool: 'keyword', constant: 'keyword', invalid: 'error' }[c] ?? c }];
}

function place(q, at) {
  const before = q.slice(0, at).split('\n');
  return { line: before.length, column: before[before.length - 1].length + 1 };
}

function wrong(q, from, to, message) {
  return { from, to, ...place(q, from), severity: 'error', message };
}

const isLiteral = (t) => !(t?.class === 'string' && (t.text.length < 2 || t.text.at(-1) !== t.text[0])) && ['string', 'number', 'duration', 'bool', 'constant'].includes(t?.class);

// { filters: [[{field, op, literal}]], stages: text } or an error.
export function parse(q) {
  const t = tokens(q).filter((x) => x.class !== 'comment');
  const filters = [];
  const bad = t.find((x) => x.class === 'invalid');
  if (bad) return { error: wrong(q, bad.from, bad.to, `unexpected character ${bad.text}`) };
  let i = 0;
  while (t[i] && t[i].text !== '|') {
    if (t[i].text !== '{') return { error: wrong(q, t[i].from, t[i].to, `found ${t[i].text}, expected {`) };
    const conditions = [];
    for (i++; t[i]?.text !== '}'; ) {
      const [f, o, l] = t.slice(i, i + 3);
      if (!f) return { error: wrong(q, q.length, q.length, 'the filter is not closed; expected }') };
      if (!['field', 'intrinsic'].includes(f.class)) return { error: wrong(q, f.from, f.to, `found ${f.text}, expected a field or }`) };
      if (o?.class !== 'operator') return { error: o ? wrong(q, o.from, o.to, `found ${o.text}, expected an operator`) : wrong(q, q.length, q.length, `after ${f.text} an operator is expected`) };
      if (!isLiteral(l)) return { error: l ? wrong(q, l.from, l.to, `found ${l.text}, expected a value`) : wrong(q, q.length, q.length, 'a value is expected') };
      conditions.push({ field: f.text, op: o.text, literal: l.text, kind: l.class });
      i += 3;
      if (t[i]?.text === '&&') i++;
    }
    filters.push(conditions);
    i++;
    while (t[i]?.class === 'operator') i++;
  }
  return { filters: filters.length ? filters : [[]], stages: t[i] ? q.slice(t[i].from) : '' };
}

const NS = { ns: 1, us: 1e3, ms: 1e6, s: 1e9, m: 6e10, h: 3.6e12 };
const kinds = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'];
const plain = (v) => (v === undefined ? undefined : v.stringValue ?? v.boolValue ?? (v.intValue !== undefined ? Number(v.intValue) : v.doubleValue));
const pick = (list, key) => plain(list?.find((a) => a.key === key)?.value);
const startOf = (s) => BigInt(s.span.startTimeUnixNano ?? 0);
const lengthOf = (s) => Math.max(0, Number(BigInt(s.span.endTimeUnixNano ?? 0) - startOf(s)));

function fieldValue(s, of, field) {
  const name = field.replace(/"/g, '');
  switch (name) {
    case 'name': return s.span.name ?? '';
    case 'status': return ['unset', 'ok', 'error'][s.span.status?.code ?? 0];
    case 'statusMessage': return s.span.status?.message ?? '';
    case 'kind': return kinds[s.span.kind ?? 0];
    case 'duration': return lengthOf(s);
    case 'traceDuration': return Number(of.durationNano);
    case 'rootName': return of.rootName;
    case 'rootServiceName': return of.rootService;
  }
  if (name.startsWith('resource.')) return pick(s.resource.attributes, name.slice(9));
  if (name.startsWith('span.')) return pick(s.span.attributes, name.slice(5));
  return pick(s.span.attributes, name.slice(1)) ?? pick(s.resource.attributes, name.slice(1));
}

function literal(c) {
  if (c.kind === 'string') return c.literal.startsWith('`') ? c.literal.slice(1, -1) : c.literal.slice(1, -1).replace(/\\(.)/g, (_, x) => ({ n: '\n', t: '\t' })[x] ?? x);
  if (c.kind === 'duration') return [...c.literal.matchAll(/([\d.]+)(ns|us|ms|s|m|h)/g)].reduce((n, m) => n + Number(m[1]) * NS[m[2]], 0);
  if (c.kind === 'number') return Number(c.literal);
  return c.kind === 'bool' ? c.literal === 'true' : c.literal === 'nil' ? null : c.literal;
}

function holds(s, of, c) {
  const [v, want] = [fieldValue(s, of, c.field), literal(c)];
  if (want === null) return c.op === '=' ? v === undefined : v !== undefined;
  if (v === undefined) return false;
  switch (c.op) {
    case '=': return v === want;
    case '!=': return v !== want;
    case '<': return v < want;
    case '<=': return v <= want;
    case '>': return v > want;
    case '>=': return v >= want;
    case '=~': case '!~': return new RegExp(`^(?:${String(want).replace('(?i)', '')})$`, String(want).includes('(?i)') ? 'i' : '').test(String(v)) === (c.op === '=~');
  }
  return true;
}

const otlp = (v) => (typeof v === 'string' ? { stringValue: v } : typeof v === 'boolean' ? { boolValue: v } : Number.isInteger(v) ? { intValue: String(v) } : { doubleValue: v });
const typeOf = (field, v) => (field === 'status' || field === 'kind' ? field : /duration$/i.test(field) ? 'duration' : typeof v === 'string' ? 'string' : typeof v === 'boolean' ? 'bool' : Number.isInteger(v) ? 'int' : 'float');
const textOf = (field, v) => (/duration$/i.test(field) ? `${v / 1e9}s` : String(v));
const keyOf = (field) => field.replace(/^(resource|span)?\./, '').replace(/"/g, '');

export class Search {
  constructor(spans, summary) {
    this.spans = spans; // trace id → spans
    this.summary = summary;
    this.summaries = new Map();
  }

  of(id) {
    const n = this.spans.get(id).length;
    const have = this.summaries.get(id);
    if (have?.spans === n) return have;
    const made = this.summary(id);
    this.summaries.set(id, made);
    return made;
  }

  // Traces with the spans that match the first filter, where every other filter matches some span.
  matches(q, start, end) {
    const p = parse(q);
    if (p.error) throw Object.assign(new Error(`line ${p.error.line}, column ${p.error.column}: ${p.error.message}`), { code: 400 });
    const out = [];
    for (const [id, list] of this.spans) {
      const of = this.of(id);
      const inside = list.filter((s) => (start === null || startOf(s) > start) && (end === null || startOf(s) <= end));
      const sets = p.filters.map((f) => inside.filter((s) => f.every((c) => holds(s, of, c))));
      if (sets.every((s) => s.length)) out.push({ of, list: sets[0] });
    }
    return { p, out };
  }

  range(url) {
    const get = (k) => (/^\d+$/.test(url.get(k) ?? '') ? BigInt(url.get(k)) : null);
    return [get('start'), get('end')];
  }

  search(url) {
    const { p, out } = this.matches(url.get('q') ?? '{}', ...this.range(url));
    const sort = { slowest: (a, b) => Number(b.of.durationNano) - Number(a.of.durationNano), spans: (a, b) => b.list.length - a.list.length }[url.get('sort')]
      ?? ((a, b) => (BigInt(b.of.startUnixNano) > BigInt(a.of.startUnixNano) ? 1 : -1));
    out.sort(sort);
    const selected = [...p.stages.matchAll(/select\(([^)]*)\)/g)].flatMap((m) => m[1].split(',').map((f) => f.trim()));
    const reads = [...new Set([...p.filters.flat().map((c) => c.field), ...selected])];
    const fields = reads.filter((f) => !/^(name|duration|traceDuration|root.*)$/.test(f));
    const skip = Number(url.get('cursor') ?? 0);
    const limit = Number(url.get('limit') ?? 20);
    const spss = Number(url.get('spss') ?? 3);
    const spanOf = (of) => (s) => ({
      spanId: s.span.spanId, name: reads.includes('name') ? s.span.name ?? '' : null, startUnixNano: s.span.startTimeUnixNano, durationNano: String(lengthOf(s)), error: s.span.status?.code === 2,
      attributes: fields.flatMap((f) => ((v) => (v === undefined ? [] : [{ key: keyOf(f), type: typeOf(f, v), value: textOf(f, v) }]))(fieldValue(s, of, f))),
    });
    return {
      traces: out.slice(skip, skip + limit).map(({ of, list }) => ({ ...of, sets: [{ attributes: [], matched: list.length, spans: list.slice(0, spss).map(spanOf(of)) }] })),
      columns: [...new Set(fields.map(keyOf))], total: out.length, matchedSpans: out.reduce((n, t) => n + t.list.length, 0), exact: true, complete: true, why: null,
      cursor: skip + limit < out.length ? String(skip + limit) : null,
      scan: { traces: this.spans.size, spans: [...this.spans.values()].reduce((n, l) => n + l.length, 0), bytes: 1234567, blocks: 3, groups: 9 },
    };
  }

  series(url) {
    const q = url.get('q');
    const [start, end] = this.range(url).map((v, i) => v ?? BigInt(Date.now() - (i ? 0 : 3600e3)) * 1_000_000n);
    const step = BigInt(Math.round(Number(url.get('step')) * 1e9)) || 15_000_000_000n;
    const { p, out } = this.matches(q, start, end);
    const stage = /(\w+)\(([^()]*)\)(?:\s*by\s*\(([^()]*)\))?\s*$/.exec(p.stages.replace(/\|\s*(topk|bottomk)\(\d+\)\s*$/, ''));
    if (!stage) throw Object.assign(new Error(`line 1, column ${q.length + 1}: a metrics function is expected`), { code: 400 });
    const [, fn, args, by] = stage;
    const groups = new Map();
    for (const { of, list } of out) {
      for (const s of list) {
        const bucket = fn === 'histogram_over_time' ? 2 ** Math.ceil(Math.log2(Math.max(2, lengthOf(s)))) / 1e9 : null;
        const labels = by ? by.split(',').map((f) => ({ key: f.trim(), value: otlp(fieldValue(s, of, f.trim()) ?? 'nil') })) : [];
        if (bucket !== null) labels.push({ key: '__bucket', value: { doubleValue: bucket } });
        if (!labels.length) labels.push({ key: '__name__', value: { stringValue: fn } });
        const key = JSON.stringify(labels);
        if (!groups.has(key)) groups.set(key, { labels, at: new Map(), exemplars: [] });
        const g = groups.get(key);
        const t = ((startOf(s) - 1n) / step + 1n) * step;
        if (!g.at.has(t)) g.at.set(t, []);
        const v = args.split(',')[0] === 'duration' ? lengthOf(s) / 1e9 : 1;
        g.at.get(t).push(v);
        if (g.exemplars.length < Number(url.get('exemplars') ?? 100) / 4 && g.at.get(t).length === 1)
          g.exemplars.push({ labels: [{ key: 'trace:id', value: { stringValue: of.traceId } }], value: v, timestampMs: String(startOf(s) / 1_000_000n) });
      }
    }
    const value = (list) => ({ rate: list.length / (Number(step) / 1e9), avg_over_time: list.reduce((a, b) => a + b, 0) / list.length, max_over_time: Math.max(...list), quantile_over_time: [...list].sort((a, b) => a - b)[Math.floor(list.length * 0.95)] })[fn] ?? list.length;
    const cells = (g) => [...g.at].sort(([a], [b]) => (a < b ? -1 : 1)).map(([t, list]) => ({ timestampMs: String(t / 1_000_000n), value: value(list) }));
    return { series: [...groups.values()].map((g) => ({ labels: g.labels, samples: cells(g), ...(fn === 'histogram_over_time' ? {} : { exemplars: g.exemplars }) })), metrics: {} };
  }

  explain(url) {
    const { out } = this.matches(url.get('q') ?? '{}', ...this.range(url));
    const [from, to] = ['from', 'to'].map((k) => BigInt(url.get(k)));
    const [min, max] = ['min', 'max'].map((k) => parseInt(url.get(k) ?? '0', 10));
    const counts = new Map();
    const n = [0, 0];
    for (const { list } of out) {
      for (const s of list) {
        const inside = startOf(s) > from && startOf(s) <= to && lengthOf(s) >= min && lengthOf(s) <= max ? 0 : 1;
        n[inside]++;
        const pairs = [['name', s.span.name], ['status', fieldValue(s, null, 'status')], ...(s.resource.attributes ?? []).map((a) => [`resource.${a.key}`, plain(a.value)]), ...(s.span.attributes ?? []).map((a) => [`span.${a.key}`, plain(a.value)])];
        for (const [field, v] of pairs) {
          if (v === undefined || String(v).length > 200) continue;
          const key = JSON.stringify([field, v]);
          if (!counts.has(key)) counts.set(key, [0, 0]);
          counts.get(key)[inside]++;
        }
      }
    }
    const attributes = [...counts].map(([key, [a, b]]) => {
      const [field, value] = JSON.parse(key);
      return { field, value: textOf(field, value), type: typeOf(field, value), selection: a, selectionTotal: n[0], rest: b, restTotal: n[1], diff: a / (n[0] || 1) - b / (n[1] || 1) };
    });
    attributes.sort((a, b) => Math.abs(b.diff) - Math.abs(a.diff));
    return { selection: n[0], rest: n[1], attributes: attributes.filter((a) => Math.abs(a.diff) > 0.02).slice(0, 40) };
  }

  values(field) {
    const seen = new Map();
    for (const [id, list] of this.spans) for (const s of list) {
      const v = fieldValue(s, this.of(id), field);
      if (v !== undefined && String(v).length < 200) seen.set(String(v), typeOf(field, v));
    }
    return [...seen].sort().map(([value, type]) => ({ type, value }));
  }

  names() {
    const out = new Set();
    for (const list of this.spans.values()) for (const s of list) {
      for (const a of s.resource.attributes ?? []) out.add(`resource.${a.key}`);
      for (const a of s.span.attributes ?? []) if (/^[\w.]+$/.test(a.key)) out.add(`span.${a.key}`);
    }
    return [...out].sort();
  }

  analyze(url) {
    const q = url.get('q') ?? '';
    const cursor = Number(url.get('cursor') ?? q.length);
    const t = tokens(q);
    const p = parse(q);
    const bare = t.flatMap(marks);
    return {
      kind: p.error ? 'invalid' : /\|\s*(rate|\w+_over_time)\(/.test(q) ? 'metrics' : 'search', canonical: q,
      tokens: bare, diagnostics: p.error ? [p.error] : [], completion: this.completion(q, cursor, t),
    };
  }

  completion(q, cursor, t) {
    const at = t.find((x) => x.from < cursor && x.to >= cursor && !['operator', 'punctuation'].includes(x.class));
    const before = t.filter((x) => x.to <= (at ? at.from : cursor));
    const [last, prior] = [before[before.length - 1], before[before.length - 2]];
    const typed = at ? q.slice(at.from, cursor) : '';
    let items = [];
    if (!last) items = [{ text: '{ ', kind: 'punctuation', detail: 'a filter of spans' }];
    else if (last.class === 'operator' && /[=<>~]/.test(last.text) && prior && ['field', 'intrinsic'].includes(prior.class))
      items = prior.text === 'duration' ? ['100ms', '500ms', '1s'].map((text) => ({ text, kind: 'duration', detail: 'duration' })) : this.values(prior.text).map((v) => ({ text: v.type === 'string' ? JSON.stringify(v.value) : v.value, kind: v.type === 'string' ? 'string' : 'constant', detail: v.type }));
    else if (last.text === '|') items = STAGES.map((text) => ({ text: `${text}(`, kind: 'function', detail: 'stage' }));
    else if (last.text === '{' || last.text === '&&' || last.text === '||') items = [...INTRINSICS.map((text) => ({ text, kind: 'intrinsic', detail: 'intrinsic' })), ...this.names().map((text) => ({ text, kind: 'field', detail: 'attribute' }))];
    else if (['field', 'intrinsic'].includes(last.class)) items = ['=', '!=', '=~', '>', '<'].map((text) => ({ text, kind: 'operator', detail: 'operator' }));
    else if (isLiteral(last)) items = ['&&', '||', '}'].map((text) => ({ text, kind: 'operator', detail: '' }));
    else if (last.text === '}') items = ['|', '&&', '>>'].map((text) => ({ text, kind: 'operator', detail: '' }));
    const want = typed.replace(/^"/, '').toLowerCase();
    return { from: at ? at.from : cursor, to: at ? at.to : cursor, items: items.filter((i) => i.text.toLowerCase().includes(want)).slice(0, 50) };
  }
}
