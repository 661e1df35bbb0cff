// SPDX-License-Identifier: Apache-2.0
// A stand-in for the server while one works on the pages alone: keeps OTLP/JSON in memory and
// answers the same API. For development only; tests of truth use the real binary.
//   node ui/dev/fake.mjs [--port 3300] [--empty] [--big N]
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { dirname, extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { deep, hostile, shop, skewed, sparse, wide, random, Trace, toRequests } from '../test/data.mjs';
import { cohorts } from './cohorts.mjs';
import { Search } from './search.mjs';
import { encodeSkeleton } from './skeleton.mjs';

const args = process.argv.slice(2);
const option = (name, initial) => (args.includes(name) ? args[args.indexOf(name) + 1] : initial);
const port = Number(option('--port', '3300'));
const dist = join(dirname(fileURLToPath(import.meta.url)), '../dist');

const spans = new Map(); // trace id → [{resource, scope, span}]
const seen = { otlp_http: null, test: 0, requests: 0, spans: 0 };
const refusals = [];
const started = now();

function now() {
  return BigInt(Date.now()) * 1_000_000n;
}

function accept(body) {
  for (const rs of body.resourceSpans ?? [])
    for (const ss of rs.scopeSpans ?? [])
      for (const span of ss.spans ?? []) {
        if (!spans.has(span.traceId)) spans.set(span.traceId, []);
        spans.get(span.traceId).push({ resource: rs.resource ?? {}, scope: ss.scope ?? {}, span });
        seen.spans++;
      }
  seen.requests++;
  seen.otlp_http = now();
}

const serviceOf = (s) => s.resource.attributes?.find((a) => a.key === 'service.name')?.value.stringValue ?? '';
const startOf = (s) => BigInt(s.span.startTimeUnixNano ?? 0);
const endOf = (s) => BigInt(s.span.endTimeUnixNano ?? 0);

function summary(id) {
  const list = spans.get(id);
  const root = list.find((s) => !s.span.parentSpanId) ?? list[0];
  const start = list.map(startOf).reduce((a, b) => (b < a ? b : a));
  const end = list.map(endOf).reduce((a, b) => (b > a ? b : a));
  const services = new Map();
  for (const s of list) {
    const of = services.get(serviceOf(s)) ?? { name: serviceOf(s), spans: 0, errors: 0 };
    of.spans++;
    of.errors += s.span.status?.code === 2 ? 1 : 0;
    services.set(of.name, of);
  }
  return {
    traceId: id, rootService: serviceOf(root), rootName: root.span.name ?? '', startUnixNano: String(start), durationNano: String(end - start),
    spans: list.length, errors: list.filter((s) => s.span.status?.code === 2).length, services: [...services.values()],
  };
}

const searches = new Search(spans, summary);

function listTraces(q) {
  const range = { '15m': 15, '1h': 60, '6h': 360, '24h': 1440, '168h': 10080 }[q.get('since')];
  const from = range ? now() - BigInt(range) * 60_000_000_000n : BigInt(q.get('start') ?? 0);
  const to = q.get('end') ? BigInt(q.get('end')) : null;
  const ns = (t) => (t ? Number(t.replace('ns', '')) : null);
  const [min, max] = [ns(q.get('minDuration')), ns(q.get('maxDuration'))];
  const hits = [...spans.keys()].map(summary).filter((t) => {
    const list = spans.get(t.traceId);
    const start = BigInt(t.startUnixNano);
    return start > from && (!to || start <= to)
      && (!q.get('service') || list.some((s) => serviceOf(s) === q.get('service')))
      && (!q.get('operation') || list.some((s) => s.span.name === q.get('operation') && (!q.get('service') || serviceOf(s) === q.get('service'))))
      && (min === null || Number(t.durationNano) >= min) && (max === null || Number(t.durationNano) <= max)
      && (q.get('errors') !== '1' || t.errors > 0);
  });
  hits.sort((a, b) => (BigInt(b.startUnixNano) > BigInt(a.startUnixNano) ? 1 : -1));
  const skip = Number(q.get('cursor') ?? 0);
  const limit = Number(q.get('limit') ?? 20);
  return { traces: hits.slice(skip, skip + limit), total: hits.length, complete: true, cursor: skip + limit < hits.length ? String(skip + limit) : null };
}

function status() {
  const all = [...spans.values()].flat();
  const newest = all.length ? String(all.map(startOf).reduce((a, b) => (b > a ? b : a))) : null;
  const oldest = all.length ? String(all.map(startOf).reduce((a, b) => (b < a ? b : a))) : null;
  const none = { spans_accepted: 0, requests: 0, refused_requests: 0, refused_spans: 0, first_seen_unix_ns: null, last_seen_unix_ns: null };
  const last = seen.otlp_http && String(seen.otlp_http);
  return {
    version: '0.0.0-fake', started_unix_ns: String(started), now_unix_ns: String(now()), data_dir: '/var/lib/takt',
    receivers: [
      { protocol: 'otlp_grpc', address: 'http://127.0.0.1:4317', tls: false, ...none },
      { protocol: 'otlp_http', address: 'http://127.0.0.1:4318', tls: false, ...none, spans_accepted: seen.spans, requests: seen.requests, refused_requests: refusals.length, first_seen_unix_ns: last, last_seen_unix_ns: last },
    ],
    refusals,
    store: { spans: all.length, traces: spans.size, blocks: 0, bytes: all.length * 40, oldest_unix_ns: oldest, newest_unix_ns: newest, head_spans: all.length, wal_bytes: all.length * 150 },
  };
}

function rowsOf(text) {
  return text.split(',').flatMap((part) => {
    const [a, b = a] = part.split('-').map(Number);
    return Array.from({ length: b - a + 1 }, (_, i) => a + i);
  });
}

function services() {
  const out = new Map();
  for (const s of [...spans.values()].flat()) {
    if (!out.has(serviceOf(s))) out.set(serviceOf(s), new Set());
    out.get(serviceOf(s)).add(s.span.name);
  }
  return { services: [...out].map(([name, ops]) => ({ name, operations: [...ops].sort() })) };
}

function refuse(reason, text) {
  refusals.unshift({ time_unix_ns: String(now()), protocol: 'otlp_http', peer: '127.0.0.1:50123', reason, text, count: 1 });
  refusals.length = Math.min(50, refusals.length);
  return { code: 415, text };
}

function testSpan() {
  const t = new Trace(random(1000 + seen.test++), now() - 250_000_000n);
  t.add(null, 'takt', 'test span', 0, 250, { attrs: { 'takt.test': true } });
  toRequests([t]).forEach(accept);
  return { traceId: t.traceId };
}

function api(method, url, body, headers) {
  const q = url.searchParams;
  const path = url.pathname;
  const trace = /^\/api\/takt\/traces\/([0-9a-f]{32})\/(skeleton|spans)$/.exec(path);
  if (path === '/v1/traces' && method === 'POST') {
    if (!/json/.test(headers['content-type'] ?? '')) return refuse('content_type', `content type "${headers['content-type']}" is not OTLP`);
    accept(JSON.parse(body));
    return { json: {} };
  }
  if (path === '/api/takt/status') return { json: status() };
  if (path === '/api/takt/traces') return { json: listTraces(q) };
  if (path === '/api/takt/search') return { json: searches.search(q) };
  if (path === '/api/takt/explain') return { json: searches.explain(q) };
  if (path === '/api/takt/cohorts') return cohorts(searches, spans, q);
  if (path === '/api/takt/traceql/analyze') return { json: searches.analyze(q) };
  if (path === '/api/metrics/query_range') return { json: searches.series(q) };
  if (path.startsWith('/api/v2/search/tag/')) return { json: { tagValues: searches.values(decodeURIComponent(path.split('/')[5])) } };
  if (path === '/api/takt/services') return { json: services() };
  if (path === '/api/takt/test-span' && method === 'POST') return { json: testSpan() };
  if (path === '/api/status/buildinfo') return { json: { version: '0.0.0-fake', revision: 'none', branch: 'dev', buildDate: '2026-11-20' } };
  if (trace && !spans.has(trace[1])) return { code: 404, text: 'no such trace' };
  if (trace?.[2] === 'skeleton') return { bytes: encodeSkeleton(trace[1], spans.get(trace[1]), serviceOf).bytes };
  if (trace) {
    const { order } = encodeSkeleton(trace[1], spans.get(trace[1]), serviceOf);
    return { json: { spans: rowsOf(q.get('rows') ?? '').filter((r) => r < order.length).map((row) => ({ row, ...spans.get(trace[1])[order[row]] })) } };
  }
  return null;
}

const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml', '.txt': 'text/plain; charset=utf-8' };

function file(path) {
  const name = normalize(path).replace(/^\/+/, '');
  try {
    if (name) return { bytes: readFileSync(join(dist, name)), type: types[extname(name)] };
  } catch {
    if (name.startsWith('assets/')) return { code: 404, text: 'no such file' };
  }
  const depth = name.split('/').length - 1;
  return { bytes: readFileSync(join(dist, depth ? `index-${Math.min(depth, 2)}.html` : 'index.html')), type: types['.html'] };
}

createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  const url = new URL(request.url, 'http://localhost');
  let r;
  try {
    r = api(request.method, url, body, request.headers) ?? file(url.pathname);
  } catch (e) {
    r = { code: e.code ?? 500, text: e.code ? e.message : String(e) };
  }
  const bytes = r.json ? Buffer.from(JSON.stringify(r.json)) : r.bytes ?? Buffer.from(r.text ?? '');
  response.writeHead(r.code ?? 200, {
    'content-type': r.json ? 'application/json' : r.type ?? (r.bytes ? 'application/octet-stream' : 'text/plain; charset=utf-8'),
    'content-encoding': 'gzip',
    'cache-control': 'no-cache',
    'content-security-policy': "default-src 'self'; object-src 'none'; frame-ancestors 'none'",
  });
  response.end(gzipSync(bytes, { level: 1 }));
}).listen(port, '127.0.0.1', () => console.log(`http://127.0.0.1:${port}/`));

if (!args.includes('--empty')) {
  const start = now() - 60_000_000_000n;
  toRequests([
    ...shop({ now: now() }), skewed({ start }), sparse({ start: start - 8n * 3_600_000_000_000n }), hostile({ start }), deep({ n: 300, start }),
    wide({ n: Number(option('--big', '20000')), start: start - 100_000_000_000n }),
  ]).forEach(accept);
}
