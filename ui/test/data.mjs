// SPDX-License-Identifier: Apache-2.0
// Made-up traces as OTLP/JSON, the same for the same seed: a small shop, and shapes that are hard
// to show. Each maker returns spans as {service, scope, span}; `send` posts them.

export function random(seed) {
  let s = seed >>> 0;
  const next = () => {
    s = (s + 0x6d2b79f5) >>> 0;
    let t = Math.imul(s ^ (s >>> 15), 1 | s);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n) => Math.floor(next() * n);
  const hex = (digits) => Array.from({ length: digits }, () => below(16).toString(16)).join('').replace(/^0/, '1');
  return { next, below, hex, pick: (list) => list[below(list.length)] };
}

const kinds = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 };
const value = (v) =>
  typeof v === 'string' ? { stringValue: v }
  : typeof v === 'boolean' ? { boolValue: v }
  : typeof v === 'bigint' || Number.isInteger(v) ? { intValue: String(v) }
  : typeof v === 'number' ? { doubleValue: v }
  : Array.isArray(v) ? { arrayValue: { values: v.map(value) } }
  : { kvlistValue: { values: attributes(v) } };
export const attributes = (o) => Object.entries(o).map(([key, v]) => ({ key, value: value(v) }));

// Builds one trace: add(parent, service, name, from, to, more) with times in ms from the start.
export class Trace {
  constructor(rand, start) {
    this.rand = rand;
    this.start = start;
    this.traceId = rand.hex(32);
    this.spans = [];
  }
  add(parent, service, name, from, to, { kind = 'internal', error, attrs = {}, events, links, ...rest } = {}) {
    const ns = (ms) => String(this.start + BigInt(Math.round(ms * 1e6)));
    const span = {
      traceId: this.traceId,
      spanId: this.rand.hex(16),
      ...(parent ? { parentSpanId: typeof parent === 'string' ? parent : parent.spanId } : {}),
      name,
      kind: kinds[kind],
      startTimeUnixNano: ns(from),
      endTimeUnixNano: ns(to),
      attributes: attributes(attrs),
      ...(error ? { status: { code: 2, message: error } } : {}),
      ...(events ? { events: events.map((e) => ({ timeUnixNano: ns(e.at), name: e.name, attributes: attributes(e.attrs ?? {}) })) } : {}),
      ...(links ? { links: links.map((l) => ({ traceId: l.traceId, spanId: l.spanId, attributes: attributes(l.attrs ?? {}) })) } : {}),
      ...rest,
    };
    this.spans.push({ service, span });
    return span;
  }
}

// --- the shop -----------------------------------------------------------------------------------

function checkout(rand, start, failing) {
  const t = new Trace(rand, start);
  const k = 0.7 + rand.next() * 0.8;
  const http = (method, route, code) => ({
    'http.request.method': method, 'http.route': route, 'http.response.status_code': code, 'url.scheme': 'https',
    'user_agent.original': 'Mozilla/5.0 (X11; Linux x86_64)', 'server.address': 'shop.example',
  });
  const total = failing ? 2110 : 184 * k;
  const root = t.add(null, 'web', 'POST /checkout', 0, total, { kind: 'server', attrs: http('POST', '/checkout', failing ? 502 : 200), ...(failing ? { error: 'upstream failed' } : {}) });
  const call = t.add(root, 'web', 'POST', 3, total - 4, { kind: 'client', attrs: http('POST', '/pay', failing ? 502 : 200) });
  const pay = t.add(call, 'checkout', 'POST /pay', 6, total - 7, { kind: 'server', attrs: { ...http('POST', '/pay', failing ? 502 : 200), 'cart.items': 3, 'cart.total': 89.9, 'customer.tier': 'gold' }, ...(failing ? { error: 'payment was not confirmed' } : {}) });
  t.add(pay, 'checkout', 'validate cart', 7, 12 * k, { attrs: { 'cart.valid': true } });
  const price = t.add(pay, 'pricing', 'GetPrices', 13 * k, 38 * k, { kind: 'server', attrs: { 'rpc.system': 'grpc', 'rpc.service': 'Pricing', 'rpc.method': 'GetPrices' } });
  t.add(price, 'pricing', 'GET prices:*', 15 * k, 19 * k, { kind: 'client', attrs: { 'db.system.name': 'redis', 'db.operation.name': 'MGET' } });
  const n = 6 + rand.below(9);
  let at = 40 * k;
  for (let i = 0; i < n; i++) {
    const took = 1.5 + rand.next() * 5;
    t.add(pay, 'checkout', 'SELECT stock', at, at + took, { kind: 'client', attrs: { 'db.system.name': 'postgresql', 'db.namespace': 'stock', 'db.query.text': 'SELECT quantity FROM stock WHERE sku = $1 FOR UPDATE', 'db.response.returned_rows': 1 } });
    at += took + 0.4;
  }
  const end = failing ? total - 20 : total - 30;
  const charge = t.add(pay, 'payments', 'POST /charge', at + 2, end, {
    kind: 'server', attrs: { ...http('POST', '/charge', failing ? 504 : 200), 'payment.provider': 'acme', 'retry.count': failing ? 2 : 0 },
    ...(failing ? {
      error: 'DeadlineExceeded: no answer from acme within 1.8 s',
      events: [
        { at: at + 900, name: 'retry', attrs: { attempt: 2 } },
        { at: end - 2, name: 'exception', attrs: { 'exception.type': 'DeadlineExceeded', 'exception.message': 'no answer from acme within 1.8 s', 'exception.stacktrace': 'DeadlineExceeded: no answer from acme within 1.8 s\n    at Provider.charge (provider.js:88:11)\n    at async charge (server.js:41:18)\n    at async Router.handle (router.js:210:7)' } },
      ],
    } : {}),
  });
  t.add(charge, 'payments', 'INSERT charge', at + 4, at + 9, { kind: 'client', attrs: { 'db.system.name': 'postgresql', 'db.namespace': 'payments' } });
  const wait = t.add(charge, 'payments', 'acme.charge', at + 11, end - 4, { kind: 'client', attrs: http('POST', '/v2/charges', failing ? 0 : 201), ...(failing ? { error: 'timeout' } : {}) });
  t.add(wait, 'fraud', 'POST /score', at + 12, at + 12 + 9 * k, { kind: 'server', attrs: { 'fraud.score': rand.next() } });
  const publish = t.add(pay, 'checkout', 'orders publish', end + 2, end + 5, { kind: 'producer', attrs: { 'messaging.system': 'kafka', 'messaging.destination.name': 'orders' } });
  t.add(publish, 'email', 'orders process', end + 14, end + 120 * k, { kind: 'consumer', attrs: { 'messaging.system': 'kafka', 'messaging.destination.name': 'orders' }, links: [{ traceId: t.traceId, spanId: publish.spanId }] });
  // Failures come with a new version of payments, which most successes have not.
  for (const s of t.spans) if (s.service === 'payments' && (failing || k > 1.4)) s.version = 'v142';
  return t;
}

function browse(rand, start) {
  const t = new Trace(rand, start);
  const k = 0.5 + rand.next() * 1.6;
  const route = rand.pick(['/', '/products', '/products/:id', '/search', '/cart']);
  const fails = rand.next() < 0.02;
  const root = t.add(null, 'web', `GET ${route}`, 0, 46 * k, { kind: 'server', attrs: { 'http.request.method': 'GET', 'http.route': route, 'http.response.status_code': fails ? 500 : 200 }, ...(fails ? { error: 'template failed' } : {}) });
  const list = t.add(root, 'catalog', 'ListProducts', 4, 36 * k, { kind: 'server', attrs: { 'rpc.system': 'grpc' } });
  t.add(list, 'catalog', 'SELECT products', 6, 21 * k, { kind: 'client', attrs: { 'db.system.name': 'postgresql', 'db.query.text': 'SELECT * FROM products WHERE category = $1 LIMIT 24' } });
  if (rand.next() < 0.6) t.add(list, 'catalog', 'GET images:*', 22 * k, 28 * k, { kind: 'client', attrs: { 'db.system.name': 'redis' } });
  t.add(root, 'web', 'render', 37 * k, 45 * k);
  return t;
}

// n traces, evenly spread over `minutes` before `now`; the 7th of each 40 fails.
export function shop({ n = 200, seed = 1, now, minutes = 50 }) {
  const rand = random(seed);
  const out = [];
  for (let i = 0; i < n; i++) {
    const start = now - BigInt(Math.round((minutes * 60e9 * (n - i)) / n)) - 3n * 1_000_000_000n;
    out.push(i % 40 === 7 ? checkout(rand, start, true) : rand.next() < 0.3 ? checkout(rand, start, false) : browse(rand, start));
  }
  return out;
}

// --- shapes that are hard to show -----------------------------------------------------------------

export function wide({ n, seed = 2, start }) {
  const rand = random(seed);
  const t = new Trace(rand, start);
  const total = Math.max(1000, n / 5);
  const root = t.add(null, 'batch', 'nightly import', 0, total, { kind: 'internal' });
  const services = ['batch', 'stock', 'catalog', 'search', 'pricing', 'audit'];
  const parents = [root];
  while (t.spans.length < n) {
    const p = parents[rand.below(Math.min(parents.length, 400))];
    const base = Number((BigInt(p.startTimeUnixNano) - start) / 1000n) / 1000;
    const room = Number((BigInt(p.endTimeUnixNano) - BigInt(p.startTimeUnixNano)) / 1000n) / 1000;
    const from = base + rand.next() * room * 0.8;
    const to = from + rand.next() * (base + room - from) * 0.6;
    const i = rand.below(40);
    const s = t.add(p, services[i % 6], `${['SELECT', 'UPDATE', 'GET', 'publish', 'render'][i % 5]} item ${i}`, from, to,
      rand.below(500) === 0 ? { error: 'conflict', attrs: { item: i } } : { attrs: { item: i, 'batch.size': 100 } });
    if (rand.next() < 0.2) parents.push(s);
  }
  return t;
}

export function deep({ n, seed = 3, start }) {
  const rand = random(seed);
  const t = new Trace(rand, start);
  let p = null;
  for (let i = 0; i < n; i++) p = t.add(p, i % 2 ? 'odd' : 'even', `level ${i + 1}`, i * 0.1, n * 0.3 - i * 0.1);
  return t;
}

export function sparse({ seed = 4, start }) {
  const t = new Trace(random(seed), start);
  const hour = 3_600_000;
  const root = t.add(null, 'workflow', 'ship order', 0, 8 * hour + 900, { kind: 'server' });
  t.add(root, 'workflow', 'reserve', 5, 300);
  t.add(root, 'workflow', 'notify warehouse', 320, 700, { kind: 'producer' });
  t.add(root, 'warehouse', 'pick and pack', 8 * hour, 8 * hour + 450, { kind: 'consumer' });
  t.add(root, 'workflow', 'confirm', 8 * hour + 500, 8 * hour + 880);
  return t;
}

export function skewed({ seed = 5, start }) {
  const t = new Trace(random(seed), start);
  const root = t.add(null, 'web', 'GET /skew', 0, 100, { kind: 'server' });
  const early = t.add(root, 'remote', 'starts before its parent', -30, 40, { kind: 'server' });
  t.add(early, 'remote', 'ends before it starts', 20, 12);
  t.add('00f067aa0ba902b7', 'orphan', 'its parent is missing', 30, 60, { kind: 'server' });
  t.add(root, 'queue', 'runs on after the answer', 90, 260, { kind: 'consumer' });
  const open = t.add(root, 'web', 'has not ended', 50, 50);
  open.endTimeUnixNano = '0';
  return t;
}

export const hostileNames = [
  '<script>window.hacked=1</script>',
  '<img src=x onerror="window.hacked=1">',
  '\u202egnp.exe\u202c right-to-left',
  'عربى \u2067mixed\u2069 עברית',
  '🧨'.repeat(40),
  'nul\u0000 tab\t newline\n end',
  'https://example.com/' + 'a'.repeat(900),
  'Z̸̡̢a̵l̶g̷o̸'.repeat(20),
  '',
  '   ',
  '{{constructor.constructor("window.hacked=1")()}}',
  "'; DROP TABLE spans; --",
];

export function hostile({ seed = 6, start }) {
  const t = new Trace(random(seed), start);
  const root = t.add(null, '"><b>service</b>', hostileNames[0], 0, 1000, { kind: 'server' });
  hostileNames.forEach((name, i) =>
    t.add(root, i % 2 ? name : 'plain', name, 10 + i * 20, 40 + i * 40, {
      ...(i === 1 ? { error: '<b onmouseover=alert(1)>bad</b>' } : {}),
      attrs: {
        [name.slice(0, 200) || 'empty']: name,
        long: 'x'.repeat(65536),
        list: ['a', 1, true, 2.5, { inside: '<i>' }],
        javascript: 'javascript:alert(1)',
      },
    }));
  return t;
}

// --- sending --------------------------------------------------------------------------------------

const resourceOf = (service, version) =>
  attributes({ ...(service === null ? {} : { 'service.name': service }), 'service.version': version, 'telemetry.sdk.language': 'nodejs', 'host.name': 'pod-7', 'k8s.namespace.name': 'shop' });

export function toRequests(traces, perRequest = 2000) {
  const spans = traces.flatMap((t) => t.spans);
  const out = [];
  for (let i = 0; i < spans.length; i += perRequest) {
    const resources = new Map();
    for (const { service, version = 'v141', span } of spans.slice(i, i + perRequest)) {
      const key = JSON.stringify([service, version]);
      if (!resources.has(key)) resources.set(key, { service, version, list: [] });
      resources.get(key).list.push(span);
    }
    out.push({
      resourceSpans: [...resources.values()].map(({ service, version, list }) => ({
        resource: { attributes: resourceOf(service, version) },
        scopeSpans: [{ scope: { name: 'shop', version: '1.4.0' }, spans: list }],
      })),
    });
  }
  return out;
}

export async function send(otlp, traces) {
  for (const body of toRequests([].concat(traces))) {
    const answer = await fetch(`${otlp}/v1/traces`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`OTLP: ${answer.status} ${await answer.text()}`);
  }
}

// A few weeks of two services that ship, break, roll back and mend, as events.
export async function sendDelivery(server) {
  const day = 86_400_000;
  const start = Date.now() - 40 * day;
  const at = (d, minutes = 0) => new Date(start + d * day + minutes * 60_000).toISOString();
  const events = [];
  const add = (type, data) => events.push({ specversion: '1.0', id: `${events.length}`, source: 'test', type: `dev.takt.${type}`, time: data.succeeded_at ?? data.detected_at ?? data.resolved_at ?? data.ended_at ?? data.time, data });
  const deploy = (service, version, d, minutes, more = {}) =>
    add('deploy', { id: `${service} ${version} ${d} ${minutes}`, service, environment: 'production', version, state: 'success', started_at: at(d, minutes - 6), succeeded_at: at(d, minutes), trigger_kind: 'automatic', ...more });
  for (const [i, service] of ['checkout', 'payments'].entries())
    for (let d = 0; d < 36; d += 2 + i) {
      deploy(service, `v${d + 1}`, d, 600);
      if (d % 12 !== 6) continue;
      deploy(service, `v${d - 1 - i}`, d, 640); // back to the one before
      add('incident', { id: `INC ${service} ${d}`, service, title: `${service} fails`, state: 'triggered', started_at: at(d, 605), detected_at: at(d, 608) });
      add('incident', { id: `INC ${service} ${d}`, state: 'resolved', resolved_at: at(d, 650) });
    }
  // The last of payments, whole: a pipeline, a canary in steps, two targets of which one needs a second try.
  const last = Date.now() - 40 * 60_000;
  const near = (minutes) => new Date(last + minutes * 60_000).toISOString();
  add('run', { id: 'run 9', name: 'release', state: 'done', result: 'success', started_at: near(-30), ended_at: near(-14), actor: 'ann' });
  for (const [i, name] of ['build', 'test', 'publish'].entries())
    add('task', { id: `task ${i}`, run: 'takt:run 9', name, type: ['build', 'test', 'deploy'][i], state: 'done', result: 'success', started_at: near(-30 + i * 5), ended_at: near(-25 + i * 5) });
  for (const [i, weight] of [5, 25, 50].entries())
    add('canary', { id: 'canary 9', service: 'payments', environment: 'production', version: 'v142', state: 'progressing', weight, started_at: near(-12), time: near(-12 + i * 3) });
  add('canary', { id: 'canary 9', state: 'promoted', ended_at: near(-2), time: near(-2) });
  for (const [id, target, state, minutes] of [['a', 'eu', 'success', 0], ['b', 'us', 'failure', 1], ['c', 'us', 'success', 4]])
    add('deploy', { id: `payments v142 ${id}`, service: 'payments', environment: 'production', version: 'v142', target, state, run: 'takt:run 9', actor: 'ann', started_at: near(minutes - 1), ...(state === 'success' ? { succeeded_at: near(minutes) } : { ended_at: near(minutes) }) });
  add('incident', { id: 'INC 31', service: 'payments', title: 'payments answers late', severity: 2, state: 'triggered', started_at: near(8), detected_at: near(10) });
  // A loud week of one team, a usual one of nobody's.
  const alert = (i, service, days) => {
    const started_at = new Date(Date.now() - days * day - i * 60_000).toISOString();
    add('alert', { id: `alert ${service} ${days} ${i}`, service, name: 'ManyErrors', severity: 2, state: i ? 'resolved' : 'firing', started_at, time: started_at });
  };
  for (let i = 0; i < 12; i++) alert(i, 'payments', 1);
  for (let week = 1; week < 5; week++) alert(1, 'payments', week * 7 + 2);
  alert(0, 'catalog', 2);
  const answer = await fetch(`${server.url}/events`, { method: 'POST', headers: { 'content-type': 'application/cloudevents-batch+json' }, body: JSON.stringify(events) });
  if (answer.status !== 202) throw new Error(`events: ${answer.status} ${await answer.text()}`);
}
