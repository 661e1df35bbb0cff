// SPDX-License-Identifier: Apache-2.0
// The web app in a real browser against a real server. Every page of every test must stay free of
// exceptions, of messages from the browser (a breach of the content security policy is one) and of
// requests to elsewhere.
import assert from 'node:assert/strict';
import { createServer, request as httpRequest } from 'node:http';
import { after, before, test } from 'node:test';
import { encodeSkeleton } from '../dev/skeleton.mjs';
import { checkAccess, digest, has, pageTests, sameView, says, servers, settle, startBrowser, until, whole, widths } from './browser.mjs';
import { deep, hostile, hostileNames, random, send, shop, skewed, sparse, Trace, wide } from './data.mjs';

const SHOP = 120;

let full, empty, browser;
const data = {};

before(async () => {
  ({ full, empty } = await servers());
  browser = await startBrowser();
  const now = BigInt(Date.now()) * 1_000_000n;
  const start = now - 60_000_000_000n;
  data.shop = shop({ n: SHOP, now, minutes: 30 });
  data.skewed = skewed({ start });
  data.sparse = sparse({ start: start - 8n * 3_600_000_000_000n });
  data.hostile = hostile({ start });
  data.deep = deep({ n: 1000, start });
  data.wide = wide({ n: 20_000, start });
  for (const traces of Object.values(data)) await send(full.otlp, traces);
  data.bad = data.shop.findLast((t) => t.spans.some((s) => s.span.status?.code === 2) && t.spans.length > 12);
});

after(async () => {
  await browser?.close();
  await Promise.all([full?.stop(), empty?.stop()]);
});

const { it } = pageTests(() => browser);
const row = (page, name) => page.locator('.wf-row', { hasText: name }).first();
const spanOf = (trace, name) => trace.spans.find((s) => s.span.name === name).span;

// --- the first minutes ----------------------------------------------------------------------------

it('from an empty store to the first trace, by keyboard alone', async (open) => {
  const page = await open(empty);
  await page.goto(empty.url + '/');
  await page.locator('[data-ready]').waitFor();
  assert.match(page.url(), /\/start$/);
  await says(page.locator('[data-k=receivers]'), /OTLP\/gRPC[\s\S]*waiting for the first span/);
  const reach = async (name) => {
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press('Tab');
      if ((await page.evaluate(() => document.activeElement.innerText)) === name) return;
    }
    assert.fail(`Tab never reaches "${name}"`);
  };
  await reach('Send a test span');
  const ring = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.equal(ring, 'solid', 'the focus is seen');
  await page.keyboard.press('Enter');
  await page.locator('[data-k=open]').waitFor();
  await reach('Open your trace');
  await page.keyboard.press('Enter');
  await page.locator('.trace[data-ready]').waitFor();
  assert.match(page.url(), /\/t\/[0-9a-f]{32}$/);
  await page.keyboard.press('ArrowDown');
  await page.locator('[data-details]').waitFor();
});

it('the start page shows what arrives and what was refused, as it happens', async (open) => {
  const page = await open(full);
  await page.visit('/start');
  const before = await page.locator('[data-k=receivers]').innerText();
  await fetch(`${full.otlp}/v1/traces`, { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'hello' });
  await page.locator('[data-k=refusals]').waitFor();
  await says(page.locator('[data-k=refusals]'), /OTLP\/HTTP[\s\S]*content/i);
  await send(full.otlp, shop({ n: 1, seed: 77, now: BigInt(Date.now()) * 1_000_000n, minutes: 1 }));
  await until('the count of spans moves', async () => (await page.locator('[data-k=receivers]').innerText()) !== before);
});

it('snippets: tabs by arrow keys, the form for containers, the state in the address', async (open) => {
  const page = await open(empty);
  await page.visit('/start');
  await page.getByRole('tab', { name: 'curl' }).focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  assert.match(page.url(), /lang=Python/);
  await says(page.locator('#snippet'), /opentelemetry-instrument/);
  await page.getByLabel('The sender runs in a container').check();
  await says(page.locator('#snippet'), /host\.docker\.internal/);
  await says(page.locator('.note.warn'), /takt serve .*0\.0\.0\.0/);
});

// --- the list -------------------------------------------------------------------------------------

it('the four states without rows differ', async (open) => {
  const page = await open(full);
  let release;
  const held = new Promise((done) => (release = done));
  await page.route('**/api/takt/traces?*', async (r) => {
    await held;
    await r.continue();
  });
  await page.goto(full.url + '/traces');
  await page.getByText('Looking for traces').waitFor();
  release();
  await page.locator('[data-ready]').waitFor();
  await page.unroute('**/api/takt/traces?*');

  await page.visit('/traces?q={+name+=+%22no+such%22+}');
  await page.getByRole('heading', { name: 'No trace matches' }).waitFor();
  await page.getByRole('link', { name: 'Clear the query' }).click();
  await page.locator('.traces tbody tr').first().waitFor();

  const none = await open(await emptyServer());
  await none.visit('/traces');
  await none.getByRole('heading', { name: 'No span has been received yet' }).waitFor();
  await none.getByRole('link', { name: 'How to send' }).click();
  await none.getByRole('heading', { name: 'Send traces to Takt' }).waitFor();

  let fail = true;
  await page.route('**/api/takt/traces?*', (r) => (fail ? r.fulfill({ status: 503, body: 'over the memory budget' }) : r.continue()));
  await page.visit('/traces?range=6h');
  const alert = page.getByRole('alert');
  await says(alert, /could not be listed[\s\S]*503: over the memory budget/);
  fail = false;
  await alert.getByRole('button', { name: 'Try again' }).click();
  await page.locator('.traces tbody tr').first().waitFor();
});

// The other test sends a span to the empty server; this one must have none.
async function emptyServer() {
  const status = await (await fetch(`${empty.url}/api/takt/status`)).json();
  if (status.store.spans === 0) return empty;
  const { startTakt } = await import('./browser.mjs');
  const fresh = process.env.TAKT_EMPTY_URL ? null : await startTakt();
  if (!fresh) return { ...empty, url: process.env.TAKT_EMPTY2_URL ?? empty.url };
  const stop = empty.stop;
  empty.stop = async () => void (await Promise.all([stop(), fresh.stop()]));
  return fresh;
}

it('counts are exact, pages follow each other without gap or repetition', async (open) => {
  const page = await open(full);
  const { total } = await (await fetch(`${full.url}/api/takt/traces?limit=1`)).json();
  assert(total >= SHOP + 5, `${total} traces`);
  await page.visit('/traces?range=all&limit=50');
  const counts = page.locator('[data-k=counts]');
  assert.equal((await counts.innerText()).replace(/\s+/g, ' ').trim(), `50 of ${total} traces · complete scan`);
  for (let n = 50; n < total; n = Math.min(total, n + 50)) {
    await page.getByRole('button', { name: /^Load .* more$/ }).click();
    await until(`${n} rows become more`, async () => (await page.locator('.traces tbody tr').count()) === Math.min(total, n + 50));
  }
  const ids = await page.locator('.traces tbody tr').evaluateAll((rows) => rows.map((r) => r.dataset.k));
  assert.equal(new Set(ids).size, total);
  assert.equal(await page.getByRole('button', { name: /^Load .* more$/ }).count(), 0);
});

it('live: a new trace appears by itself', async (open) => {
  const page = await open(full);
  await page.visit('/traces?live=1');
  const t = new Trace(random(4711), BigInt(Date.now()) * 1_000_000n - 1_000_000_000n);
  t.add(null, 'web', 'just now', 0, 12);
  await send(full.otlp, [t]);
  await page.getByRole('link', { name: 'just now' }).waitFor();
});

it('a pasted trace id leads to the trace, a wrong one is told', async (open) => {
  const page = await open(full);
  await page.visit('/traces');
  await page.keyboard.press('/');
  await page.keyboard.type('checkout');
  await page.keyboard.press('Enter');
  await says(page.locator('#jump-note'), /not a trace id/);
  const span = spanOf(data.bad, 'POST /charge');
  await page.locator('#jump').fill(`00-${data.bad.traceId}-${span.spanId}-01`);
  await page.keyboard.press('Enter');
  await page.locator(`[data-details="${span.spanId}"]`).waitFor();
  await page.goto(`${full.url}/t/${'ab'.repeat(16)}`);
  await page.getByRole('heading', { name: 'No such trace' }).waitFor();
});

// --- a trace --------------------------------------------------------------------------------------

it('a trace shows every span where it belongs, and its details as they were sent', async (open) => {
  const page = await open(full, { viewport: { width: 1360, height: 1400 } });
  await page.visit(`/t/${data.bad.traceId}?group=0`);
  const rows = () => page.locator('.wf-row').evaluateAll((all) => all.filter((r) => !r.hidden).map((r) => [r.dataset.k, Number(r.getAttribute('aria-level'))]));
  await until('its rows are drawn', async () => (await rows()).length >= data.bad.spans.length).catch(() => {});
  const shown = await rows();
  assert.deepEqual(shown.map(([id]) => id).sort(), data.bad.spans.map((s) => s.span.spanId).sort());
  const level = new Map(shown);
  for (const { span } of data.bad.spans) assert.equal(level.get(span.spanId), span.parentSpanId ? level.get(span.parentSpanId) + 1 : 1, span.name);
  await says(page.locator('[data-k=foot]'), new RegExp(`^${data.bad.spans.length} of ${data.bad.spans.length} spans`));

  const charge = spanOf(data.bad, 'POST /charge');
  await row(page, 'POST /charge').click();
  const panel = page.locator(`[data-details="${charge.spanId}"]`);
  await panel.waitFor();
  const text = await panel.innerText();
  for (const a of charge.attributes) assert(text.includes(a.key), a.key);
  assert.match(text, /payment\.provider\s+acme/);
  assert.match(text, /exception\.stacktrace[\s\S]*at Provider\.charge/);
  assert.match(text, /service\.version\s+v142/);
  await says(page.locator('.panel'), /DeadlineExceeded: no answer from acme within 1\.8 s/);
  await page.getByRole('button', { name: 'Close the details' }).click();
  await until('the panel is gone', async () => (await page.locator('.panel').count()) === 0);
});

it('by keyboard: list, trace, next error, details, and back', async (open) => {
  const page = await open(full);
  await page.visit('/traces?q={+status+=+error+}');
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await page.locator('.trace[data-ready]').waitFor();
  await page.goto(`${full.url}/t/${data.bad.traceId}`);
  await page.locator('.trace[data-ready]').waitFor();
  await page.keyboard.press('e');
  await page.locator('.wf-row[aria-selected=true]').waitFor();
  await page.keyboard.press('e');
  await page.keyboard.press('e');
  await until('the third error', async () => (await page.locator('.wf-row[aria-selected=true] .wf-op').innerText()) === 'POST /charge');
  const id = await page.locator('.wf').getAttribute('aria-activedescendant');
  await has(page.locator(`#${id}`), 'aria-selected', 'true');
  await page.keyboard.press('ArrowLeft'); // folds
  await has(page.locator('.wf-row[aria-selected=true]'), 'aria-expanded', 'false');
  await page.keyboard.press('ArrowRight'); // unfolds
  await page.keyboard.press('ArrowRight'); // into the first child
  await says(page.locator('.wf-row[aria-selected=true]'), /INSERT charge/);
  await page.keyboard.press('Enter');
  await until('the focus in the details', () => page.evaluate(() => document.activeElement.id === 'details'));
  await page.keyboard.press('Escape');
  await until('the panel is gone', async () => (await page.locator('.panel').count()) === 0);
  await until('the focus in the rows', () => page.evaluate(() => document.activeElement.className === 'wf'));
  await page.keyboard.press('?');
  await says(page.locator('dialog'), /Next error/);
  await page.keyboard.press('Escape');
  await page.back();
  await page.back();
  await page.getByRole('heading', { name: 'Traces' }).waitFor();
});

it('shortcuts of one letter can be switched off, and stay off', async (open) => {
  const page = await open(full);
  await page.visit(`/t/${data.bad.traceId}`);
  await page.keyboard.press('?');
  await page.getByLabel('Shortcuts of one letter').uncheck();
  await page.keyboard.press('Escape');
  await page.keyboard.press('e');
  await page.reload();
  await page.locator('[data-ready]').waitFor();
  await page.keyboard.press('e');
  await settle(page);
  assert.equal(await page.locator('.wf-row[aria-selected=true]').count(), 0);
});

it('alike brothers are one row with their count, which opens', async (open) => {
  const page = await open(full);
  await page.visit(`/t/${data.bad.traceId}`);
  const n = data.bad.spans.filter((s) => s.span.name === 'SELECT stock').length;
  const group = row(page, 'SELECT stock');
  await says(group, new RegExp(`×${n}`));
  await group.click();
  await page.getByRole('heading', { name: `${n} × SELECT stock` }).waitFor();
  await group.dblclick();
  await until('its members', async () => (await page.locator('.wf-row:not([hidden])', { hasText: 'SELECT stock' }).count()) === n + 1);
});

it('find, fold, zoom and the critical path work together', async (open) => {
  const page = await open(full);
  await page.visit(`/t/${data.bad.traceId}`);
  await page.keyboard.press('f');
  await page.keyboard.type('post');
  const posts = data.bad.spans.filter((s) => /post/i.test(s.span.name)).length;
  await says(page.locator('.found-n'), new RegExp(`^${posts} matches$`));
  await page.keyboard.press('Enter');
  await says(page.locator('.found-n'), new RegExp(`^1 of ${posts}$`));
  await page.keyboard.press('Escape');
  await page.keyboard.press('N');
  await says(page.locator('.found-n'), new RegExp(`^${posts} of ${posts}$`));
  await page.keyboard.press('c');
  await says(page.locator('[data-k=foot]'), /critical path 2\.11 s/);
  await page.keyboard.press('z');
  await until('the zoom in the address', () => /z=\d+-\d+/.test(page.url()));
  await page.keyboard.press('0');
  await until('the whole trace again', () => !/z=/.test(page.url()));
  await page.getByRole('button', { name: 'Fold all', exact: true }).click();
  await settle(page);
  await says(page.locator('[data-k=foot]'), / 2 rows/);
  await page.keyboard.press('e');
  await settle(page);
  await until('one row is selected', async () => (await page.locator('.wf-row[aria-selected=true]').count()) === 1);
});

it('what is odd about clocks and parents is marked', async (open) => {
  const page = await open(full);
  await page.visit(`/t/${data.skewed.traceId}`);
  for (const [name, note] of [['starts before its parent', 'starts 30.0 ms before its parent'], ['ends before it starts', 'ends 8.00 ms before it starts'],
    ['its parent is missing', 'missing parent'], ['has not ended', 'no end']])
    await says(row(page, name), new RegExp(note.replace('.', '\\.')), name);
});

it('an idle night folds away', async (open) => {
  const page = await open(full);
  await page.visit(`/t/${data.sparse.traceId}`);
  const paint = () => page.locator('.wf-bars').evaluate((c) => c.toDataURL());
  const before = await paint();
  await page.keyboard.press('x');
  await settle(page);
  assert.notEqual(await paint(), before);
  await has(page.getByRole('button', { name: 'Fold 1 gap' }), 'aria-pressed', 'true');
});

it('a partial trace says so; spans that arrive later are noticed', async (open) => {
  const page = await open(full);
  await page.route('**/skeleton', async (r) => {
    const answer = await r.fetch();
    await r.fulfill({ response: answer, headers: { ...answer.headers(), 'x-takt-partial': 'one block could not be read' } });
  });
  await page.visit(`/t/${data.bad.traceId}`);
  await says(page.getByText('Not all of this trace is shown'), /one block could not be read/);
  await page.unroute('**/skeleton');

  const t = new Trace(random(99), BigInt(Date.now()) * 1_000_000n);
  const root = t.add(null, 'late', 'root', 0, 100);
  const last = t.add(root, 'late', 'was there first', 50, 60);
  await send(full.otlp, [t]);
  await page.visit(`/t/${t.traceId}`);
  t.spans = [];
  t.add(root, 'late', 'came later', 10, 20);
  await send(full.otlp, [t]);
  await row(page, 'was there first').click();
  await page.getByText('More spans of this trace have arrived').waitFor();
  await page.getByRole('button', { name: 'Load again' }).click();
  await row(page, 'came later').waitFor();
  await row(page, 'was there first').click();
  await page.locator(`[data-details="${last.spanId}"]`).waitFor();
});

it('a broken answer is told and can be tried again', async (open) => {
  const page = await open(full);
  let how = 0;
  await page.route('**/skeleton', (r) => (how === 0 ? r.fulfill({ status: 500, body: 'disk on fire' }) : how === 1 ? r.fulfill({ body: 'TKSKgarbage' }) : how === 2 ? r.abort() : r.continue()));
  await page.goto(`${full.url}/t/${data.bad.traceId}`);
  for (const told of [/500: disk on fire/, /could not be read/, /cannot be reached/]) {
    await until(told, async () => told.test(await page.getByRole('alert').innerText().catch(() => '')));
    how++;
    await page.getByRole('button', { name: 'Try again' }).click();
  }
  await page.locator('.trace[data-ready]').waitFor();
});

// --- addresses, preferences -------------------------------------------------------------------------

it('every view has an address that shows the same to somebody else', async (open) => {
  const id = data.bad.traceId;
  const span = spanOf(data.bad, 'POST /charge').spanId;
  const group = spanOf(data.bad, 'SELECT stock').spanId;
  const reach = [
    ['traces?range=all&limit=20'],
    ['start?lang=Go&container=1'], ['settings/about'],
    [`t/${id}`], [`t/${id}?span=${span}`], [`t/${id}?span=g${group}`], [`t/${id}?group=0`], [`t/${id}?critical=1&z=100000000-900000000`],
    [`t/${id}`, async (p) => { await p.keyboard.press('e'); await p.keyboard.press('ArrowLeft'); }],
    [`t/${id}`, async (p) => { await p.getByRole('button', { name: 'Fold all', exact: true }).click(); await p.keyboard.press('ArrowDown'); await p.locator('.wf').focus(); await p.keyboard.press('ArrowDown'); await p.keyboard.press('ArrowDown'); await p.keyboard.press('ArrowRight'); }],
    [`t/${id}`, async (p) => { await p.keyboard.press('w'); await p.keyboard.press('w'); await p.keyboard.press('d'); }],
    [`t/${data.wide.traceId}`, async (p) => { await p.keyboard.press('f'); await p.keyboard.type('publish item 8'); await p.keyboard.press('Enter'); await p.keyboard.press('Enter'); }],
    [`t/${data.sparse.traceId}?gaps=1`],
  ];
  const [page, other] = [await open(full), await open(full)];
  for (const [path, act] of reach) {
    await page.visit('/' + path);
    await act?.(page);
    await whole(page);
    if (/span=/.test(page.url())) await page.locator('.panel').waitFor();
    await other.goto(page.url());
    await other.locator('[data-ready]').waitFor();
    await sameView(page, other);
  }
});

it('a link changes no preference of who opens it', async (open) => {
  const page = await open(full, { timezoneId: 'Asia/Kolkata' });
  await page.visit('/traces');
  await page.locator('#zone').click();
  assert.equal(await page.locator('#zone').innerText(), 'UTC+5:30');
  await page.locator('#theme').click();
  assert.equal(await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme), 'dark');
  const before = await page.evaluate(() => JSON.stringify(localStorage));
  for (const path of [`/t/${data.bad.traceId}?critical=1&theme=light&zone=utc&tz=utc`, '/traces?theme=light', '/start?lang=Go']) await page.visit(path);
  assert.equal(await page.evaluate(() => JSON.stringify(localStorage)), before);
  assert.equal(await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme), 'dark');
});

it('times follow the zone that was chosen', async (open) => {
  const page = await open(full, { timezoneId: 'Asia/Tokyo' });
  await page.visit(`/t/${data.bad.traceId}`);
  const shown = async () => (await page.locator('[data-k=summary]').innerText()).match(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}/)[0];
  const utc = await shown();
  assert.equal(utc, new Date(Number(data.bad.start / 1_000_000n)).toISOString().replace('T', ' ').replace('Z', ''));
  await page.locator('#zone').click();
  const tokyo = await shown();
  assert.equal(Date.parse(tokyo.replace(' ', 'T') + 'Z') - Date.parse(utc.replace(' ', 'T') + 'Z'), 9 * 3_600_000);
});

it('below a path prefix everything works as at the root', async (open) => {
  const target = new URL(full.url);
  const outside = [];
  const proxy = createServer((q, a) => {
    if (!q.url.startsWith('/deep/takt/')) {
      outside.push(q.url);
      return a.writeHead(404).end();
    }
    q.pipe(httpRequest({ host: target.hostname, port: target.port, method: q.method, path: q.url.slice(10), headers: q.headers }, (r) => {
      a.writeHead(r.statusCode, r.headers);
      r.pipe(a);
    }));
  });
  await new Promise((done) => proxy.listen(0, '127.0.0.1', done));
  try {
    const url = `http://127.0.0.1:${proxy.address().port}`;
    const page = await open({ url });
    await page.visit(`/deep/takt/t/${data.bad.traceId}`);
    await page.getByRole('link', { name: 'About' }).click();
    await page.locator('[data-k=build]').waitFor();
    assert.equal(new URL(page.url()).pathname, '/deep/takt/settings/about');
    await page.getByRole('link', { name: 'Traces', exact: true }).click();
    await page.locator('.traces tbody tr').first().waitFor();
    await page.goto(`${url}/deep/takt/`);
    await until('home leads to the traces', () => new URL(page.url()).pathname === '/deep/takt/traces');
    assert.deepEqual(outside.filter((u) => u !== '/favicon.ico'), []);
  } finally {
    proxy.closeAllConnections?.();
    proxy.close();
  }
});

// --- hostile data, accessibility, sizes -------------------------------------------------------------

it('hostile names and values are text, and break no layout', async (open) => {
  const page = await open(full);
  await page.visit('/traces');
  await page.locator('.traces').getByText(hostileNames[0]).first().waitFor();
  await page.visit(`/t/${data.hostile.traceId}?group=0`);
  for (const name of [hostileNames[0], hostileNames[1], hostileNames[10]]) await row(page, name).waitFor();
  const rows = page.locator('.wf-row:not([hidden])');
  for (let i = 0; i < (await rows.count()); i++) {
    const box = await rows.nth(i).boundingBox();
    assert(box.height === 26 && box.width <= 1360, `row ${i}`);
  }
  await row(page, hostileNames[1]).click();
  await page.locator('[data-details]').waitFor();
  await page.getByRole('button', { name: /all 65,536 characters/ }).click();
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  assert.equal(await page.locator('main script, main img, main b[onmouseover], a[href^=javascript]').count(), 0);
  assert(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  const list = await open(full);
  await list.visit('/traces');
  assert(await list.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
});

const routes = () => [
  [full, '/start'], [full, '/traces'], [full, '/traces?q={+name+=+%22no+such%22+}'], [full, `/t/${data.bad.traceId}?span=${spanOf(data.bad, 'POST /charge').spanId}&critical=1&q=post`],
  [full, `/t/${data.hostile.traceId}`], [full, `/t/${data.skewed.traceId}`], [full, `/t/${'cd'.repeat(16)}`], [full, '/settings/about'], [full, '/no/such'],
  [empty, '/start?container=1'], [empty, '/traces'],
];

for (const viewport of widths)
  it(`no page breaks a rule of accessibility, ${viewport.width > 700 ? 'light or dark' : 'light'}, ${viewport.width} px wide`, async (open) => {
    const pages = new Map();
    for (const server of [full, empty]) pages.set(server, await open(server, { viewport, reducedMotion: 'reduce' }));
    for (const [server, path] of routes()) {
      const page = pages.get(server);
      await page.goto(server.url + path);
      await page.locator('[data-ready], .empty').first().waitFor();
      if (path.includes('span=')) await page.locator('[data-details]').waitFor();
      await checkAccess(page, path);
    }
  });

it('the shell is painted before any script has come', async (open) => {
  const page = await open(full);
  await page.route('**/*.js', (r) => (/boot/.test(r.request().url()) ? r.continue() : undefined)); // never answered
  await page.goto(full.url + '/traces', { waitUntil: 'commit' });
  await page.getByRole('navigation', { name: 'Main' }).getByText('Traces').waitFor();
  await page.getByText('Loading').waitFor();
  await page.unrouteAll({ behavior: 'ignoreErrors' });
});

// --- large traces -----------------------------------------------------------------------------------

// Scrolls 240 frames, so and so many rows each: the times of the frames, and the processor time that
// the page's thread spent on each.
async function scroll(page, rows) {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Performance.enable', { timeDomain: 'threadTicks' });
  const cpu = async () => (await cdp.send('Performance.getMetrics')).metrics.find((m) => m.name === 'TaskDuration').value * 1000;
  const before = await cpu();
  const f = await page.evaluate(async (step) => {
    const grid = document.querySelector('.wf');
    grid.scrollTop = 0;
    const times = [];
    let last = 0;
    for (let i = 0; i < 240; i++) {
      grid.scrollTop = (grid.scrollTop + step * 26) % (grid.scrollHeight - grid.clientHeight);
      await new Promise((done) => requestAnimationFrame(done));
      const now = performance.now();
      if (i > 10) times.push(now - last);
      last = now;
    }
    times.sort((a, b) => a - b);
    return { p50: times[times.length >> 1], p95: times[Math.floor(times.length * 0.95)], max: times[times.length - 1] };
  }, rows);
  f.cpu = ((await cpu()) - before) / 240;
  await cdp.detach();
  return f;
}
const told = (f) => `p50 ${f.p50.toFixed(1)} ms, p95 ${f.p95.toFixed(1)} ms, max ${f.max.toFixed(1)} ms a frame; ${f.cpu.toFixed(1)} ms of processor`;

// In the page. Scrolls by so and so many rows: of how many elements of rows something was written in the
// frame, and how many stand elsewhere in their sheet than before.
async function touchedByScroll(steps) {
  const grid = document.querySelector('.wf');
  const frame = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const places = () => new Map([...document.querySelectorAll('.wf-row')].map((r) => [r, r.offsetTop]));
  const out = [];
  for (const step of steps) {
    grid.scrollTop = 26 * 2000 * (out.length + 1);
    await frame();
    const before = places();
    const rows = new Set();
    const watch = new MutationObserver((all) => all.forEach((m) => rows.add((m.target.closest ? m.target : m.target.parentElement).closest('.wf-row'))));
    watch.observe(document.querySelector('.wf-view'), { subtree: true, childList: true, attributes: true, characterData: true });
    grid.scrollTop += 26 * step;
    await frame();
    rows.delete(null);
    watch.disconnect();
    out.push({ rows: rows.size, moved: [...places()].filter(([r, y]) => before.get(r) !== y).length });
  }
  return out;
}

// How smooth it is depends on the machine: the figures are told, what makes them so is checked.
it('20,000 spans scroll over a few rows that are used again', async (open, t) => {
  const page = await open(full);
  await page.visit(`/t/${data.wide.traceId}`);
  for (const rows of [3, 40, 1000]) {
    const f = await scroll(page, rows);
    t.diagnostic(`20,000 spans, ${rows} rows a frame: ${told(f)}`);
    assert((await page.locator('.wf-row').count()) < 80, 'rows are used again');
  }
  const touched = await page.evaluate(touchedByScroll, [3, 1000]);
  assert.deepEqual(touched[0], { rows: 3, moved: 3 }, 'scrolled by 3 rows: the others are left alone');
  assert.equal(touched[1].moved, 0, 'after a jump each row stands where one stood before');
  assert(touched[1].rows > 10);
  const clips = await page.locator('.wf').evaluate((e) => {
    const round = [];
    for (; e; e = e.parentElement) if (getComputedStyle(e).overflowY !== 'visible' && parseFloat(getComputedStyle(e).borderTopLeftRadius)) round.push(e.className);
    return round;
  });
  assert.deepEqual(clips, [], 'nothing with round corners clips what scrolls');
});

it('rows that come back into view are marked, and say what they are', async (open) => {
  const page = await open(full);
  await page.visit(`/t/${data.wide.traceId}?group=0`);
  const top = async (rows) => {
    await page.locator('.wf').evaluate((g, y) => (g.scrollTop = y), rows * 26);
    await settle(page);
  };
  await page.keyboard.press('Home');
  for (const rows of [3, 60, 130, 200, 5000, 200, 130, 60, 3, 0]) {
    await top(rows);
    const seen = await page.locator('.wf-row:not([hidden])').evaluateAll((all) => all.map((r) => [Number(r.getAttribute('aria-rowindex')) - 2, Math.round(r.getBoundingClientRect().top - document.querySelector('.wf-view').getBoundingClientRect().top), r.getAttribute('aria-selected')]));
    seen.sort((a, b) => a[0] - b[0]);
    const room = await page.locator('.wf-view').evaluate((e) => e.clientHeight);
    assert.deepEqual(seen.map((r) => r[0]), Array.from({ length: Math.ceil(room / 26) + 1 }, (_, i) => rows + i), `at ${rows}`);
    assert(seen.every(([i, y, selected]) => y === (i - rows) * 26 && selected === String(i === 0)), `at ${rows}: ${seen.join(' ')}`);
  }
  // At the end, one element has no row to show: the one before the first.
  const { all, room } = await page.evaluate(() => ({ all: document.querySelector('.wf').ariaRowCount - 1, room: document.querySelector('.wf-view').clientHeight }));
  const before = all - Math.ceil(room / 26) - 1;
  const last = page.locator(`.wf-row[aria-rowindex="${before + 2}"]:not([hidden])`);
  await top(before);
  await last.click();
  await page.locator('[data-details]').waitFor();
  await settle(page);
  await top(all);
  assert.equal(await page.locator('.wf-row:not([hidden])').count(), Math.ceil(room / 26));
  assert.equal(await page.locator('.wf-row[aria-selected=true]').count(), 0);
  await top(before);
  await has(last, 'aria-selected', 'true');
  await last.locator('.wf-op').hover();
  await has(last.locator('.wf-name'), 'title', (await last.locator('bdi').allInnerTexts()).join(' · '));
});

it('1,000 levels deep works; 100,000 spans open, scroll to their end, and open details', async (open, t) => {
  const page = await open(full);
  await page.visit(`/t/${data.deep.traceId}`);
  await page.keyboard.press('End');
  await until('the last level', async () => /level 1000/.test(await page.locator('.wf-row[aria-selected=true]').innerText().catch(() => '')));

  const big = wide({ n: 100_000, seed: 8, start: BigInt(Date.now()) * 1_000_000n - 30_000_000_000n });
  await send(full.otlp, big);
  const from = Date.now();
  await page.visit(`/t/${big.traceId}?group=0`);
  t.diagnostic(`100,000 spans: ready after ${Date.now() - from} ms`);
  await says(page.locator('[data-k=foot]'), /^100,000 of 100,000 spans · 100,000 rows/);
  await page.keyboard.press('End');
  await page.locator('[data-details]').waitFor();
  const f = await scroll(page, 40);
  t.diagnostic(`100,000 spans, 40 rows a frame: ${told(f)}`);
});

it('350,000 spans are laid out beside the page, and scroll beyond what a browser can stack up', async (open, t) => {
  const page = await open(full);
  const n = 350_000;
  const service = { attributes: [] };
  const ns = (ms) => String(1_763_000_000_000_000_000n + BigInt(ms) * 1_000_000n);
  const id = (i) => (i + 1).toString(16).padStart(16, '0');
  const spans = Array.from({ length: n }, (_, i) => ({
    resource: service,
    span: { spanId: id(i), parentSpanId: i ? id(i >> 3) : '', name: `op ${i % 50}`, startTimeUnixNano: ns(i), endTimeUnixNano: ns(2 * n - (i >> 1)) },
  }));
  const { bytes } = encodeSkeleton('e'.repeat(32), spans, () => 'shop');
  await page.route('**/skeleton', (r) => r.fulfill({ body: Buffer.from(bytes), contentType: 'application/octet-stream' }));
  const workers = [];
  page.on('worker', (w) => workers.push(w.url()));
  const from = Date.now();
  await page.visit(`/t/${'e'.repeat(32)}?group=0`);
  t.diagnostic(`350,000 spans: ready after ${Date.now() - from} ms`);
  assert.equal(workers.length, 1);
  const { real, all } = await page.evaluate(() => ({ real: document.querySelector('.wf').scrollHeight, all: 350_000 * 26 }));
  assert(real < 8_100_000 && real < all, 'the height is scaled');
  await page.locator('.wf').evaluate((g) => (g.scrollTop = g.scrollHeight));
  await page.locator(`.wf-row[aria-rowindex="${n + 1}"]:not([hidden])`).waitFor();
  await page.locator('.wf').evaluate((g) => (g.scrollTop = g.scrollHeight / 2));
  await until('the middle', async () => Math.abs(Number(await page.locator('.wf-row:not([hidden])').first().getAttribute('aria-rowindex')) - n / 2) < 100);
  await page.keyboard.press('Home');
  await page.locator('.wf-row[aria-rowindex="2"][aria-selected=true]').waitFor();
});
