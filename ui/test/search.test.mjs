// SPDX-License-Identifier: Apache-2.0
// The page of traces and the comparison, in a real browser against a real server: queries, fields,
// heatmap, explanation, metrics, all by hand and by keyboard, and every state in the address.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { checkAccess, digest, pageTests, sameView, says, servers, settle, startBrowser, until, whole, widths } from './browser.mjs';
import { hostile, hostileNames, random, send, shop, sparse, Trace } from './data.mjs';

let full, empty, browser;
const data = {};
const { it } = pageTests(() => browser);

before(async () => {
  ({ full, empty } = await servers());
  browser = await startBrowser();
  const now = BigInt(Date.now()) * 1_000_000n;
  data.shop = shop({ n: 160, now, minutes: 30, seed: 21 });
  data.sparse = sparse({ start: now - 20n * 3_600_000_000_000n, seed: 22 });
  data.hostile = hostile({ start: now - 60_000_000_000n, seed: 23 });
  for (const traces of Object.values(data)) await send(full.otlp, traces);
  data.long = now - 40n * 3_600_000_000_000n; // long ago: there is nothing yet
  // A time that holds all of the shop, for views that stay the same.
  data.between = `range=between&start=${now - 2400n * 1_000_000_000n}&end=${now}`;
});

after(async () => {
  await browser?.close();
  await Promise.all([full?.stop(), empty?.stop()]);
});

const isFailed = (s) => s.span.status?.code === 2;
const spansWhere = (test) => [...data.shop, data.hostile].flatMap((t) => t.spans).filter(test);
const tracesWhere = (test) => [...data.shop, data.hostile].filter((t) => t.spans.some(test));
const q = (text) => encodeURIComponent(text);
const view = (text, more = '') => `/traces?q=${q(text)}&${data.between}${more}`;
const rows = (page) => page.locator('.traces tbody tr');
const counts = (page) => page.locator('[data-k=counts]');
const urlQuery = (page) => new URL(page.url()).searchParams;
const isPayments = (s) => s.service === 'payments';

// --- writing queries ------------------------------------------------------------------------------------

it('a query is written with completions, by keyboard alone, and finds what it says', async (open) => {
  const page = await open(full);
  await page.visit('/traces');
  await page.keyboard.press('q');
  await until('the focus in the query', () => page.evaluate(() => document.activeElement.id === 'q'));
  await page.keyboard.type('{ resource.service.na');
  const option = page.getByRole('option', { name: /service\.name/ }).first();
  await option.waitFor();
  await until('an option is chosen', async () => (await page.locator('[role=option][aria-selected=true]').count()) === 1);
  const id = await page.locator('#q').getAttribute('aria-activedescendant');
  assert(id && (await page.locator(`#${id}`).count()) === 1, 'the text area names the option');
  await page.keyboard.press('Tab');
  await until('the name is completed', async () => /resource\.service\.name\s*$/.test(await page.locator('#q').inputValue()));
  await page.keyboard.type(' = "pay');
  await page.getByRole('option', { name: /payments/ }).waitFor();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowUp');
  await until('payments is chosen', async () => /payments/.test(await page.locator('[role=option][aria-selected=true]').innerText().catch(() => '')));
  await page.keyboard.press('Enter');
  await until('the value is completed', async () => /"payments"\s*$/.test(await page.locator('#q').inputValue()));
  await page.keyboard.press('Escape');
  await page.keyboard.type(' && status = error }');
  await page.keyboard.press('Control+Enter');
  await until('the query stands in the address', () => urlQuery(page).get('q') === '{ resource.service.name = "payments" && status = error }');
  const want = tracesWhere((s) => isPayments(s) && isFailed(s)).length;
  await says(counts(page), new RegExp(`^${want} of ${want} traces`));
  assert.equal(await rows(page).count(), want);
});

it('Ctrl-Space opens the list, Esc closes it, undo takes a completion back', async (open) => {
  const page = await open(full);
  await page.visit('/traces');
  await page.locator('#q').click();
  await page.keyboard.type('{ stat');
  await page.getByRole('option', { name: /^status\b/ }).first().waitFor();
  await page.keyboard.press('Escape');
  await until('the list is closed', async () => (await page.getByRole('listbox', { name: 'Completions' }).count()) === 0);
  assert.equal(await page.locator('#q').getAttribute('aria-controls'), null);
  await page.keyboard.press('Control+Space');
  await page.getByRole('option', { name: /^status\b/ }).first().click();
  await until('completed', async () => /^\{ status/.test(await page.locator('#q').inputValue()) && (await page.locator('#q').inputValue()) !== '{ stat');
  await page.keyboard.press('Control+z');
  await until('taken back', async () => (await page.locator('#q').inputValue()) === '{ stat');
});

it('an error is shown where it is, and running it says why; the mirror is the text', async (open) => {
  const page = await open(full);
  await page.visit('/traces');
  await page.locator('#q').fill('{ resource.service.name = }');
  await says(page.locator('#q-notes'), /Line 1, column \d+/);
  await page.locator('.bad-spot').waitFor();
  assert.equal(await page.locator('.mirror').evaluate((m) => m.textContent.trimEnd()), '{ resource.service.name = }');
  assert.equal(await page.locator('#q').getAttribute('aria-invalid'), 'true');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'The query cannot be run' }).waitFor();
  await page.locator('#q').fill('{ status = error }');
  await page.keyboard.press('Enter');
  await rows(page).first().waitFor();
  await says(page.locator('#q-notes'), /valid/);
  await page.back();
  await page.getByRole('heading', { name: 'The query cannot be run' }).waitFor();
  assert.equal(await page.locator('#q').inputValue(), '{ resource.service.name = }');
});

it('a query that may mean something else says so, and runs', async (open) => {
  const page = await open(full);
  await page.visit(view('{ name = "POST /pay" || status = error && kind = server }'));
  await says(page.locator('#q-notes'), /Line 1, column 3\s*&& and \|\| bind alike, from left to right: this is \( … \|\| … \) && …/);
  assert.equal(await page.locator('#q').getAttribute('aria-invalid'), 'false');
  const want = tracesWhere((s) => (s.span.name === 'POST /pay' || isFailed(s)) && s.span.kind === 2).length;
  await says(counts(page), new RegExp(`^${Math.min(50, want)} of ${want} traces`));
  await checkAccess(page, 'a hint');
  await page.locator('#q').fill('{ name = "POST /pay" || (status = error && kind = server) }');
  await says(page.locator('#q-notes'), /^valid$/);
});

it('the text grows over several lines, and Shift-Enter makes one', async (open) => {
  const page = await open(full);
  await page.visit('/traces');
  const height = async () => (await page.locator('#q').boundingBox()).height;
  const one = await height();
  await page.locator('#q').click();
  await page.keyboard.type('{ status = error &&');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('duration > 1s }');
  await until('two lines', async () => (await height()) >= one + 18);
  const same = await page.evaluate(() => {
    const [m, t] = [document.querySelector('.mirror'), document.querySelector('#q')].map((e) => e.getBoundingClientRect());
    return [m.left - t.left, m.top - t.top, m.width - t.width, m.height - t.height];
  });
  assert.deepEqual(same, [0, 0, 0, 0], 'the mirror lies exactly beneath');
  await page.keyboard.press('Control+Enter');
  await until('run', () => urlQuery(page).get('q') === '{ status = error &&\nduration > 1s }');
});

it('a query of any length is checked; of one that is too long it is said; what cannot be checked says why', async (open) => {
  const page = await open(full);
  await page.visit('/traces');
  const long = `{ name = "${'ä'.repeat(9000)}" && resource.service.name = "payments" && status = = error }`;
  await page.locator('#q').fill(long);
  await says(page.locator('#q-notes'), new RegExp(`Line 1, column ${long.indexOf('= =') + 3}`));
  await page.locator('.bad-spot').waitFor();
  await page.locator('#q').evaluate((a) => a.scrollTo(0, 1e6));
  await until('the mirror follows', () => page.evaluate(() => {
    const [m, t] = [document.querySelector('.mirror'), document.querySelector('#q')];
    return t.scrollTop > 0 && m.scrollTop === t.scrollTop && m.clientWidth === t.clientWidth;
  }));
  await page.locator('#q').fill(long.replace('= =', '='));
  await says(page.locator('#q-notes'), /valid/);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'No trace matches', exact: true }).waitFor();
  await page.reload();
  await page.getByRole('heading', { name: 'No trace matches', exact: true }).waitFor();
  await page.locator('#q').fill(`{ name = "${'x'.repeat(128 << 10)}" }`);
  await says(page.locator('#q-notes'), /the query has 131085 bytes; at most 131072 are read/);
  await page.route('**/traceql/analyze?*', (r) => r.fulfill({ status: 503, body: 'too busy' }));
  await page.locator('#q').fill('{ status = error }');
  await says(page.locator('#q-notes'), /Not checked: too busy/);
});

it('a character that cannot be seen is told of where it is', async (open) => {
  const page = await open(full);
  await page.visit(`/traces?q=${q('{ status = \u0000error }')}`);
  await says(page.locator('#q-notes'), /Line 1, column 12\s*a control character/);
  await page.getByRole('heading', { name: 'The query cannot be run' }).waitFor();
});

it('without checks and completions the page still works', async (open) => {
  const page = await open(full);
  await page.route('**/traceql/analyze?*', (r) => r.fulfill({ status: 500, body: 'no' }));
  await page.route('**/assets/assist-*', (r) => r.abort());
  await page.visit('/traces');
  await page.locator('#q').fill('{ status = error }');
  await page.keyboard.press('Enter');
  await says(counts(page), new RegExp(`^${tracesWhere(isFailed).length} of`));
  page.trouble = page.trouble.filter((t) => !/assist|Failed to fetch dynamically/.test(t));
});

it('an answer to an older text is dropped', async (open) => {
  const page = await open(full);
  let held = null;
  await page.route('**/traceql/analyze?*', async (r) => {
    if (new URL(r.request().url()).searchParams.get('q') === '{ s') {
      held = r;
      return;
    }
    await r.continue();
  });
  await page.visit('/traces');
  await page.locator('#q').click();
  await page.keyboard.type('{ s');
  await until('the first question is on its way', () => held);
  await page.keyboard.type('tatus = error }');
  await says(page.locator('#q-notes'), /valid/);
  await held.fulfill({ json: { kind: 'invalid', tokens: [], diagnostics: [{ from: 0, to: 1, line: 1, column: 1, severity: 'error', message: 'too late' }] } }).catch(() => {});
  await settle(page);
  await says(page.locator('#q-notes'), /valid/);
});

it('words, pairs and trace ids are understood', async (open) => {
  const page = await open(full);
  await page.visit('/traces');
  await page.locator('#q').fill('service=payments charge');
  await says(page.locator('#q-notes'), /Runs as/);
  await page.keyboard.press('Enter');
  await until('rewritten', () => urlQuery(page).get('q') === '{ resource.service.name = "payments" && name =~ "(?i).*charge.*" }');
  const want = tracesWhere((s) => isPayments(s) && /charge/i.test(s.span.name)).length;
  await says(counts(page), new RegExp(`^${Math.min(50, want)} of ${want} traces`));
  await page.locator('#q').fill(data.shop[3].traceId);
  await page.keyboard.press('Enter');
  await page.locator('.trace[data-ready]').waitFor();
});

it('an address of before there were queries becomes one', async (open) => {
  const page = await open(full);
  await page.visit('/traces?service=payments&errors=1&min=1.5s&range=6h');
  await until('rewritten', () => urlQuery(page).get('q') === '{ resource.service.name = "payments" && traceDuration >= 1.5s } && { status = error }' && urlQuery(page).get('range') === '6h' && !urlQuery(page).has('service'));
  const want = data.shop.filter((t) => t.spans.some(isPayments) && t.spans.some(isFailed) && t.spans.length > 12).length;
  await says(counts(page), new RegExp(`^${want} of ${want} traces`));
});

// --- fields, chips, columns -------------------------------------------------------------------------------

it('fields write the query and show what it says; back brings the last ones back', async (open) => {
  const page = await open(full);
  await page.visit(`/traces?${data.between}`);
  const all = await digest(page);
  await page.getByLabel('Service', { exact: true }).fill('payments');
  await page.keyboard.press('Enter');
  await until('the service', () => urlQuery(page).get('q') === '{ resource.service.name = "payments" }');
  await page.getByLabel('Status', { exact: true }).selectOption('error');
  await until('the status', () => urlQuery(page).get('q') === '{ resource.service.name = "payments" && status = error }');
  await page.getByLabel('Duration at least').fill('1.5 s');
  await page.keyboard.press('Enter');
  await until('the duration', () => /&& duration >= 1\.5s \}$/.test(urlQuery(page).get('q')));
  await page.getByLabel('Version', { exact: true }).fill('v142');
  await page.keyboard.press('Enter');
  const want = tracesWhere((s) => isPayments(s) && isFailed(s) && s.version === 'v142').length;
  await says(counts(page), new RegExp(`^${want} of ${want} traces`));
  const filtered = await digest(page);
  for (let i = 0; i < 4; i++) await page.back();
  await until('all of them again', async () => JSON.stringify(await digest(page)) === JSON.stringify(all)).catch(async (e) => {
    assert.deepEqual(await digest(page), all);
    throw e;
  });
  for (let i = 0; i < 4; i++) await page.forward();
  await until('the filtered again', async () => JSON.stringify(await digest(page)) === JSON.stringify(filtered)).catch(async (e) => {
    assert.deepEqual(await digest(page), filtered);
    throw e;
  });
  await page.getByLabel('Status', { exact: true }).selectOption('');
  await until('without a status', () => !/status/.test(urlQuery(page).get('q')));
  await page.locator('#q').fill('{ status = error } >> { name = "x" }');
  await page.keyboard.press('Enter');
  await page.getByText('more than they can show').waitFor();
});

it('columns follow the query; a value becomes a condition, a chip, and goes away again', async (open) => {
  const page = await open(full);
  await page.visit(view('{ resource.service.name = "payments" } | select(span.payment.provider, span.retry.count)'));
  await page.getByRole('columnheader', { name: 'payment.provider' }).waitFor();
  const cell = page.locator('.value-cell', { hasText: /^2$/ }).first();
  await cell.click();
  await page.getByRole('dialog', { name: /retry\.count: 2/ }).getByRole('button', { name: 'Filter' }).click();
  await until('the condition', () => /^\{ resource\.service\.name = "payments" && \.?(span\.)?retry\.count = 2 \} \| select/.test(urlQuery(page).get('q')));
  const want = tracesWhere((s) => isPayments(s) && s.span.attributes.some((a) => a.key === 'retry.count' && a.value.intValue === '2')).length;
  await says(counts(page), new RegExp(`^${want} of ${want} traces`));
  await page.locator('.chip', { hasText: 'retry.count = 2' }).getByRole('button').click();
  await until('gone', () => !/retry\.count =/.test(urlQuery(page).get('q')));
  await page.locator('.value-cell', { hasText: /^2$/ }).first().click();
  await page.keyboard.press('Escape');
  await until('the menu is closed', async () => (await page.getByRole('dialog', { name: /retry/ }).count()) === 0);
  await page.locator('.value-cell', { hasText: /^2$/ }).first().click();
  await page.getByRole('button', { name: 'Exclude' }).click();
  await until('excluded', () => /retry\.count != 2/.test(urlQuery(page).get('q')));
});

it('pages of a search follow each other without gap or repetition; the order is what was chosen', async (open) => {
  const page = await open(full);
  const want = tracesWhere((s) => s.service === 'web').length;
  await page.visit(view('{ resource.service.name = "web" }'));
  await says(counts(page), new RegExp(`^50 of ${want} traces · complete scan`));
  for (let n = 50; n < want; n = Math.min(want, n + 50)) {
    await page.getByRole('button', { name: /^Load .* more$/ }).click();
    await until(`${n} rows become more`, async () => (await rows(page).count()) === Math.min(want, n + 50));
  }
  const ids = await rows(page).evaluateAll((r) => r.map((x) => x.dataset.k));
  assert.equal(new Set(ids).size, want);
  const byId = new Map([...data.shop, data.hostile].map((t) => [t.traceId, t]));
  assert(ids.every((id, i) => i === 0 || byId.get(ids[i - 1]).start >= byId.get(id).start), 'newest first');
  await page.getByLabel('Sort', { exact: true }).selectOption('slowest');
  await until('in the address', () => urlQuery(page).get('sort') === 'slowest');
  const length = (id) => {
    const s = byId.get(id).spans.map((x) => x.span);
    return Number(s.map((x) => BigInt(x.endTimeUnixNano)).reduce((a, b) => (b > a ? b : a)) - s.map((x) => BigInt(x.startTimeUnixNano)).reduce((a, b) => (b < a ? b : a)));
  };
  await until('slowest first', async () => {
    const got = await rows(page).evaluateAll((r) => r.map((x) => x.dataset.k));
    return got.length === 50 && got.every((id, i) => i === 0 || length(got[i - 1]) >= length(id));
  });
});

it('rows of spans open the span', async (open) => {
  const page = await open(full);
  await page.visit(view('{ resource.service.name = "payments" && status = error }', '&rows=spans'));
  const want = spansWhere((s) => isPayments(s) && isFailed(s)).length;
  await says(counts(page), new RegExp(`^${want} of ${want} spans in`));
  assert.equal(await rows(page).count(), want);
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await page.locator('[data-details]').waitFor();
  assert.match(page.url(), /span=[0-9a-f]{16}/);
});

it('rows of spans are sorted by their length, and it is said of how many they are the slowest', async (open) => {
  const page = await open(full);
  await page.visit(view('{ resource.service.name = "web" }', '&rows=spans&limit=500'));
  const all = spansWhere((s) => s.service === 'web');
  await page.getByLabel('Sort', { exact: true }).selectOption('slowest spans first');
  await until('in the address', () => urlQuery(page).get('sort') === 'slowest');
  const traces = tracesWhere((s) => s.service === 'web').length;
  await says(counts(page), new RegExp(`^${all.length} of ${all.length} spans in ${traces} of ${traces} traces · slowest of all · complete scan`));
  const ids = async () => rows(page).evaluateAll((r) => r.map((x) => x.dataset.k.split(' ')[1]));
  const lengths = new Map(all.map((s) => [s.span.spanId, lengthOf(s)]));
  const sorted = [...lengths.values()].sort((a, b) => b - a);
  assert.deepEqual((await ids()).map((id) => lengths.get(id)), sorted);
  await page.visit(view('{ resource.service.name = "web" }', '&rows=spans&sort=slowest&limit=5'));
  await says(counts(page), new RegExp(`^\\d+ of ${all.length} spans in 5 of ${traces} traces · slowest of the \\d+ that were sorted`));
  const few = (await ids()).map((id) => lengths.get(id));
  assert.deepEqual(few, [...few].sort((a, b) => b - a));
  assert.equal(few[0], sorted[0]);
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await until('the slowest is opened', () => lengths.get(urlQuery(page).get('span')) === sorted[0]);
});

it('from the list into a trace, to the next with j, and back to the same list', async (open) => {
  const page = await open(full);
  await page.visit(view('{ status = error }'));
  const list = page.url();
  const ids = await rows(page).evaluateAll((r) => r.map((x) => x.dataset.k));
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await page.locator('.trace[data-ready]').waitFor();
  await says(page.locator('.crumb'), new RegExp(`1 of ${ids.length}`));
  await page.keyboard.press('j');
  await until('the next trace', () => page.url().includes(ids[1]));
  await page.locator('.trace[data-ready]').waitFor();
  await page.getByRole('link', { name: 'Traces' }).last().click();
  await rows(page).first().waitFor();
  assert.deepEqual([...urlQuery(page)], [...new URL(list).searchParams]);
});

// --- saved searches ---------------------------------------------------------------------------------------

it('a search is saved under a name, opened, replaced and deleted, all by keyboard; a link changes none', async (open) => {
  const page = await open(full);
  await page.visit(view('{ status = error }', '&sort=slowest&rows=spans'));
  const address = () => JSON.stringify([...urlQuery(page)].sort());
  const wanted = address();
  const menu = page.getByRole('dialog', { name: 'Saved searches' });
  await page.evaluate(() => document.activeElement?.blur());
  await page.keyboard.press('s');
  await until('the focus in the name', () => page.evaluate(() => document.activeElement.id === 'save-name'));
  await page.keyboard.press('Enter');
  await says(menu, /Give it a name/);
  await page.keyboard.type('Slow <b>errors</b>');
  await page.keyboard.press('Enter');
  await says(menu, /Saved as Slow <b>errors<\/b>/);
  assert.equal(address(), wanted, 'the query was not run');
  await page.keyboard.press('Escape');
  await until('closed', async () => !(await menu.isVisible()));
  await page.visit('/traces?q=' + q(PAYMENTS));
  assert.match(await page.getByRole('button', { name: /^Save/ }).innerText(), /Save\s+1/);
  await page.locator('#q').fill('{ name = "not run yet" }');
  await page.getByRole('button', { name: /^Save/ }).click();
  await page.keyboard.type('Other');
  await page.keyboard.press('Enter');
  await until('two of them', async () => (await menu.locator('li').count()) === 2);
  await says(menu.locator('li').first(), /Other\s*\{ name = "not run yet" \} · Last hour/);
  await menu.getByRole('link', { name: /Slow/ }).focus();
  await page.keyboard.press('Enter');
  await until('opened', () => address() === wanted);
  await rows(page).first().waitFor();
  assert.equal(await menu.isVisible(), false);
  assert.equal(await page.locator('#q').inputValue(), '{ status = error }');
  await page.evaluate(() => document.activeElement?.blur());
  await page.keyboard.press('s');
  await until('named as it is', async () => (await page.locator('#save-name').inputValue()) === 'Slow <b>errors</b>');
  await menu.getByRole('button', { name: 'Replace' }).waitFor();
  await menu.getByRole('link', { name: /Other/ }).focus();
  await page.keyboard.press('Delete');
  await until('one is left', async () => (await menu.locator('li').count()) === 1);
  const kept = await page.evaluate(() => localStorage.getItem('takt.searches'));
  await page.visit(view('{ status = error }'));
  assert.equal(await page.evaluate(() => localStorage.getItem('takt.searches')), kept);
  await page.evaluate(() => { Storage.prototype.setItem = () => { throw new Error('full'); }; });
  await page.getByRole('button', { name: /^Save/ }).click();
  await page.keyboard.type('No room');
  await page.keyboard.press('Enter');
  await says(menu, /This browser does not keep it/);
});

// --- the heatmap ------------------------------------------------------------------------------------------

const PAYMENTS = '{ resource.service.name = "payments" }';
const SLOW_NS = 1.5e9;
const lengthOf = (s) => Number(BigInt(s.span.endTimeUnixNano) - BigInt(s.span.startTimeUnixNano));

// The upper part of the picture, which holds the slow spans.
async function dragSlow(page) {
  await page.locator('.heat canvas').scrollIntoViewIfNeeded();
  const box = await page.locator('.heat canvas').boundingBox();
  await page.mouse.move(box.x + 66, box.y + 10);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width - 12, box.y + 30, { steps: 6 });
  await page.mouse.up();
}

it('the heatmap counts each span once; a dragged box explains what is slow, in the address', async (open) => {
  const page = await open(full);
  await page.visit(view(PAYMENTS));
  const all = spansWhere(isPayments);
  await says(page.locator('.heat-card h2'), new RegExp(`Durations of ${all.length} matching spans`));
  await dragSlow(page);
  const slow = all.filter((s) => lengthOf(s) > SLOW_NS).length;
  await says(page.locator('[data-k=selection]'), new RegExp(`Selection: ${slow} spans`));
  assert.match(urlQuery(page).get('box'), /^\d+-\d+,\d+-\d+$/);
  await page.getByRole('button', { name: 'Explain' }).click();
  const panel = page.locator('[data-k=explain]');
  await says(panel, new RegExp(`Selection of ${slow} spans against the other ${all.length - slow}`));
  const version = page.locator('[data-k="explain resource.service.version v142"]');
  await version.waitFor();
  await says(version, /\+\d+ %[\s\S]*100 %/);
  const other = await open(full);
  await other.goto(page.url());
  await other.locator('[data-k=explain]').waitFor();
  await sameView(page, other);
  await page.getByRole('button', { name: /^Filter: resource\.service\.version = v142/ }).click();
  await until('filtered', () => urlQuery(page).get('q') === '{ resource.service.name = "payments" && resource.service.version = "v142" }');
  const v142 = all.filter((s) => s.version === 'v142').length;
  await says(page.locator('.heat-card h2'), new RegExp(`Durations of ${v142} matching spans`));
  await page.back();
  await page.locator('[data-k=explain]').waitFor();
  await page.getByRole('button', { name: 'Clear' }).click();
  await until('no selection', async () => (await page.locator('[data-k=selection]').count()) === 0 && !urlQuery(page).has('box'));
});

it('by keyboard: select, explain, zoom, clear', async (open) => {
  const page = await open(full);
  await page.visit(view(PAYMENTS));
  await page.locator('.heat canvas').waitFor();
  await page.keyboard.press('m');
  await until('the focus on the picture', () => page.evaluate(() => document.activeElement.className === 'heat'));
  for (const key of ['Home', 'PageUp', 'PageUp', 'PageUp', 'Shift+End', 'Shift+ArrowDown']) await page.keyboard.press(key);
  await says(page.locator('.heat-read'), /·.*·.* spans?/);
  await page.keyboard.press('Enter');
  const slow = spansWhere((s) => isPayments(s) && lengthOf(s) > SLOW_NS).length;
  await says(page.locator('[data-k=selection]'), new RegExp(`Selection: ${slow} spans`));
  await page.locator('[data-k=explain]').waitFor();
  await page.getByRole('button', { name: 'Zoom' }).focus();
  await page.keyboard.press('Enter');
  await until('zoomed', () => urlQuery(page).get('range') === 'between' && /duration > [\d.]+m?s && duration <= |duration <= .* && duration > /.test(urlQuery(page).get('q')) && !urlQuery(page).has('box'));
  await says(page.locator('.heat-card h2'), new RegExp(`Durations of ${slow} matching spans`));
  await page.back();
  await page.locator('[data-k=selection]').waitFor();
  await page.locator('.heat').focus();
  await page.keyboard.press('Escape');
  await until('cleared', () => !urlQuery(page).has('box'));
});

it('a selection is counted once: what came since the picture was drawn is in both numbers', async (open) => {
  const page = await open(full);
  const late = '{ resource.service.name = "latecomer" }';
  const came = (n) => {
    const t = new Trace(random(900 + n), BigInt(Date.now()) * 1_000_000n - 120_000_000_000n);
    for (let i = 0; i < n; i++) t.add(null, 'latecomer', `late ${i}`, i, 40);
    return send(full.otlp, [t]);
  };
  await came(6);
  await page.visit(`/traces?q=${q(late)}&range=15m`);
  await page.locator('.heat').focus();
  for (const key of ['Home', 'PageDown', 'PageDown', 'PageDown', 'Shift+End', 'Shift+PageUp', 'Shift+PageUp', 'Shift+PageUp', 'Space']) await page.keyboard.press(key);
  await says(page.locator('[data-k=selection]'), /Selection: 6 spans/);
  await came(3);
  await page.getByRole('button', { name: 'Explain' }).click();
  await says(page.locator('[data-k=explain]'), /Selection of 9 spans against the other 0/);
  await says(page.locator('[data-k=selection]'), /Selection: 9 spans/);
  await says(page.locator('.heat-card h2'), /Durations of 9 matching spans/);
});

it('a selection is compared with the time before it, in the address', async (open) => {
  const page = await open(full);
  await page.visit(view(PAYMENTS));
  await dragSlow(page);
  await page.locator('[data-k=selection]').waitFor();
  // The later half of the slow spans: their time cut in two.
  const slow = spansWhere((s) => isPayments(s) && lengthOf(s) > SLOW_NS);
  const ms = (s) => Number(BigInt(s.span.startTimeUnixNano) / 1_000_000n);
  const [from, to] = [Math.min(...slow.map(ms)) - 1, Math.max(...slow.map(ms)) + 1];
  const middle = Math.floor((from + to) / 2);
  const box = urlQuery(page).get('box').split(',');
  await page.visit(view(PAYMENTS, `&box=${middle}-${to},${box[1]}`));
  await page.getByRole('button', { name: 'Compare with before' }).click();
  await until('in the address', () => Number(urlQuery(page).get('before')) === middle);
  const [before, since] = [slow.filter((s) => ms(s) < middle && ms(s) >= 2 * middle - to), slow.filter((s) => ms(s) >= middle)];
  assert(before.length && since.length);
  const panel = page.locator('[data-k=explain]');
  await says(panel, new RegExp(`^${since.length} spans? of .* from .* to .*, against ${before.length} in the same length of time before`));
  const other = await open(full);
  await other.visit(new URL(page.url()).pathname + new URL(page.url()).search);
  await other.locator('[data-k=explain]').waitFor();
  await sameView(page, other);
  await page.getByRole('button', { name: 'All values' }).click();
  await panel.getByRole('columnheader', { name: 'Before' }).waitFor();
  await page.getByRole('button', { name: 'Explain' }).click();
  await says(panel, /^Selection of \d+ spans against the other/);
  await page.back();
  await says(panel, /in the same length of time before/);
  await page.getByRole('button', { name: 'Compare with before' }).click();
  await until('closed', async () => !urlQuery(page).has('before') && (await panel.count()) === 0);
});

it('an attribute with many values of which none stands out is one line that says so', async (open) => {
  const page = await open(full);
  const t = Array.from({ length: 40 }, (_, i) => {
    const one = new Trace(random(5000 + i), BigInt(Date.now()) * 1_000_000n - BigInt(60 + i) * 1_000_000_000n);
    one.add(null, 'spread', 'GET /', 0, i % 2 ? 900 : 30, { attrs: { pod: `pod-${i % 2 ? i >> 1 : (i >> 1) % 15}`, zone: i % 2 ? 'a' : 'b' } });
    return one;
  });
  await send(full.otlp, t);
  await page.visit(`/traces?q=${q('{ resource.service.name = "spread" } | compare({ duration > 500ms })')}`);
  await page.locator('[data-k="explain span.zone a"]').waitFor();
  await says(page.locator('[data-k="explain span.pod "]'), /span\.pod \(no single value > 5 %\)/);
  assert.equal(await page.getByRole('button', { name: /span\.pod/ }).count(), 0);
  await page.visit(`/traces?q=${q('{ resource.service.name = "spread" }')}&box=${Date.now() - 600_000}-${Date.now()},500000000-2000000000&explain=1`);
  await says(page.locator('[data-k="explain span.pod "]'), /no single value > 5 %/);
  await page.getByRole('button', { name: 'All values' }).click();
  await page.locator('[data-k^="explain span.pod pod-"]').first().waitFor();
});

it('an explanation fits on a narrow page', async (open) => {
  const page = await open(full, { viewport: { width: 360, height: 740 } });
  await page.visit(view(PAYMENTS));
  await page.locator('.heat canvas').waitFor();
  await dragSlow(page);
  await page.getByRole('button', { name: 'Explain' }).click();
  const button = page.getByRole('button', { name: /^Filter: resource\.service\.version = v142/ });
  await button.waitFor();
  const scroll = page.getByRole('region', { name: 'Attributes that differ' });
  assert(await scroll.evaluate((e) => e.scrollWidth <= e.clientWidth), 'nothing to scroll sideways');
  await page.getByRole('columnheader', { name: 'Rest' }).waitFor();
  await button.click();
  await until('filtered', () => /v142/.test(urlQuery(page).get('q')));
});

it('a selection on a moving range stands still; its link shows the same later', async (open) => {
  const page = await open(full);
  await page.visit(`/traces?q=${q(PAYMENTS)}`);
  await page.locator('.heat canvas').waitFor();
  await dragSlow(page);
  await until('the moment stands in the address', () => /^\d{19}$/.test(urlQuery(page).get('at')) && urlQuery(page).has('box'));
  await says(page.locator('[data-k=selection]'), /Selection: \d+ spans?/);
  const other = await open(full);
  await other.clock.setFixedTime(Date.now() + 3 * 3_600_000);
  await other.goto(page.url());
  await other.locator('[data-k=selection]').waitFor();
  await sameView(page, other);
});

it('the table has the same numbers as the picture', async (open) => {
  const page = await open(full);
  await page.visit(view(PAYMENTS, '&table=1'));
  const table = page.locator('[data-k=heat-table]');
  await table.waitFor();
  const sum = await table.evaluate((t) => [...t.querySelectorAll('tbody td')].reduce((n, c) => n + Number(c.textContent.replaceAll(',', '')), 0));
  assert.equal(sum, spansWhere(isPayments).length);
  await page.getByRole('button', { name: 'As table' }).click();
  await page.locator('.heat canvas').waitFor();
});

// --- metrics ------------------------------------------------------------------------------------------------

it('a metrics query is a chart with a readout, a table of the same numbers, and marks that open traces', async (open) => {
  const page = await open(full);
  await page.visit(view('{ status = error } | count_over_time() by (resource.service.name)'));
  const legend = page.locator('.chart-legend');
  for (const name of new Set(data.shop.flatMap((t) => t.spans).filter(isFailed).map((s) => s.service))) await legend.getByText(name, { exact: true }).waitFor();
  await page.keyboard.press('m');
  await page.keyboard.press('End');
  await until('a readout', async () => /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d: .*(web|payments) /.test(await page.locator('.chart').getAttribute('aria-valuetext')));
  await page.getByRole('button', { name: 'As table' }).click();
  const table = page.locator('[data-k=chart-table]');
  await table.waitFor();
  const sums = await table.evaluate((t) => {
    const names = [...t.querySelectorAll('thead th')].slice(1).map((h) => h.textContent);
    return Object.fromEntries(names.map((n, i) => [n, [...t.querySelectorAll('tbody tr')].reduce((sum, r) => sum + (Number(r.querySelectorAll('td')[i].textContent) || 0), 0)]));
  });
  for (const name of ['web', 'checkout', 'payments']) assert.equal(sums[name], data.shop.flatMap((t) => t.spans).filter((s) => isFailed(s) && s.service === name).length, name);
  const mark = page.locator('.exemplars a').first();
  await mark.waitFor();
  await mark.click();
  await page.locator('.trace[data-ready]').waitFor();
});

it('all time is a time for pictures, too; a metric of nothing says so', async (open) => {
  const page = await open(full);
  await page.visit(`/traces?range=all&q=${q('{ resource.service.name = "payments" } | count_over_time()')}`);
  await page.locator('.chart').waitFor();
  await page.visit(`/traces?range=all&q=${q(PAYMENTS)}`);
  await says(page.locator('.heat-card h2'), new RegExp(`Durations of ${spansWhere(isPayments).length} matching spans`));
  await page.visit(view(`${PAYMENTS} | sum_over_time(span.nothing)`));
  await page.getByRole('heading', { name: 'No samples' }).waitFor();
});

it('a comparison in TraceQL is shown as an explanation, and its buttons write conditions', async (open) => {
  const page = await open(full);
  await page.visit(view(`${PAYMENTS} | compare({ duration > 1.5s })`));
  const slow = spansWhere((s) => isPayments(s) && lengthOf(s) > SLOW_NS).length;
  await says(page.locator('[data-k=explain]'), new RegExp(`Selection of ${slow} spans against the other ${spansWhere(isPayments).length - slow}`));
  await says(page.locator('[data-k="explain resource.service.version v142"]'), /\+\d+ %[\s\S]*100 %/);
  await page.getByRole('button', { name: /^Filter: resource\.service\.version = v142/ }).click();
  await until('filtered', () => urlQuery(page).get('q') === '{ resource.service.name = "payments" && resource.service.version = "v142" } | compare({ duration > 1.5s })');
});

it('the picture is of the spans that the search finds, also where groups decide', async (open) => {
  const page = await open(full);
  await page.visit(view('{ } | by(name) | count() > 2'));
  const found = data.shop.reduce((n, t) => {
    const names = t.spans.reduce((m, s) => m.set(s.span.name, [...(m.get(s.span.name) ?? []), s]), new Map());
    return n + [...names.values()].filter((g) => g.length > 2).reduce((k, g) => k + g.length, 0);
  }, 0);
  assert(found > 0);
  await says(page.locator('.heat-card h2'), new RegExp(`Durations of ${found} matching spans`.replace(/(\d)(?=(\d{3})+ )/g, '$1,')));
});

// --- comparing ------------------------------------------------------------------------------------------------

it('two ticked traces are compared by where their time went', async (open) => {
  const page = await open(full);
  await page.visit(view('{ name = "POST /pay" }'));
  const bad = data.shop.findLast((t) => t.spans.length > 12 && t.spans.some(isFailed));
  const good = data.shop.findLast((t) => t.spans.length > 12 && !t.spans.some(isFailed));
  const tick = (t) => page.locator(`tr[data-k="${t.traceId}"] input`);
  await until('both are listed', async () => {
    if (await tick(bad).count() && await tick(good).count()) return true;
    await page.getByRole('button', { name: /^Load .* more$/ }).click({ timeout: 500 }).catch(() => {});
    return false;
  });
  await tick(good).check();
  await says(page.locator('[data-k=ticked]'), /one more/);
  await tick(bad).check();
  assert.equal(urlQuery(page).get('tick'), `${good.traceId},${bad.traceId}`);
  await page.getByRole('link', { name: 'Compare' }).click();
  await page.locator('.cmp tbody tr').first().waitFor();
  assert.equal(new URL(page.url()).pathname, '/compare');
  const first = page.locator('.cmp tbody tr').first();
  await says(first, /payments\s*acme\.charge[\s\S]*\+[\d.]+ s[\s\S]*9\d %/);
  const n = (t, name) => t.spans.filter((s) => s.span.name === name).length;
  const cells = await page.locator('[data-k="compare checkout SELECT stock"] td').allInnerTexts();
  assert.deepEqual([cells[0], cells[4]], [String(n(good, 'SELECT stock')), String(n(bad, 'SELECT stock'))]);
  await page.getByRole('button', { name: 'Swap A and B' }).click();
  await says(page.locator('.cmp tbody tr').first(), /acme\.charge[\s\S]*−[\d.]+ s/);
  await page.locator('[data-k="compare payments acme.charge"]').getByRole('link', { name: /trace A/ }).click();
  await page.locator('.trace[data-ready]').waitFor();
  assert.match(page.url(), new RegExp(`${bad.traceId}\\?q=acme.charge`));
});

// Orders whose fraud check is slow, or not; the mail beside it is as slow, but nobody waits for it.
function orders(start) {
  return Array.from({ length: 60 }, (_, i) => {
    const slow = i % 5 === 0;
    const check = slow ? 900 + i : 20 + (i % 7);
    const t = new Trace(random(9000 + i), start + BigInt(i) * 1_000_000_000n);
    const root = t.add(null, 'orders', 'POST /order', 0, 80 + check, { kind: 'server' });
    t.add(root, 'orders', 'SELECT stock', 5, 45 + (i % 9));
    const pay = t.add(root, 'billing', 'charge', 60, 75 + check);
    t.add(pay, 'fraud', 'check', 65, 65 + check);
    t.add(root, 'mail', 'enqueue', 61, 60 + check);
    return Object.assign(t, { slow });
  });
}
const ORDERS = '{ resource.service.name = "orders" && kind = server }';

it('a selection is compared with the rest by what its traces wait for', async (open) => {
  const page = await open(full);
  const start = data.long;
  const all = orders(start);
  await send(full.otlp, all);
  const slow = all.filter((t) => t.slow);
  const [from, to] = [start - 10_000_000_000n, start + 70_000_000_000n];
  await page.visit(`/traces?q=${q(ORDERS)}&range=between&start=${from}&end=${to}&box=${from / 1_000_000n}-${to / 1_000_000n},${2 ** 29}-${2 ** 31}`);
  await says(page.locator('[data-k=selection]'), new RegExp(`Selection: ${slow.length} spans`));
  const link = page.getByRole('link', { name: 'Compare with the rest' });
  await link.focus();
  await page.keyboard.press('Enter');
  await page.locator('.cmp tbody tr').first().waitFor();
  assert.equal(new URL(page.url()).pathname, '/compare');
  const first = page.locator('.cmp tbody tr').first();
  await says(first, /fraud\s*check[\s\S]*\+9\d\d ms[\s\S]*(9\d|100) %/);
  const mail = page.locator('[data-k="compare mail enqueue"]');
  const [, ...cells] = await mail.locator('th, td').allInnerTexts();
  const [A, B] = [cells.slice(0, 4), cells.slice(4, 8)];
  assert.deepEqual([A[0], A[1], B[0], B[1], ...cells.slice(8)], [String(all.length - slow.length), '0 ns', String(slow.length), '0 ns', '0', '0 %'], 'nobody waits for the mail');
  assert(parseFloat(B[2]) > 900 && /ms$/.test(B[2]), `it takes as long as the check: ${B[2]}`);
  await says(page.locator('[data-k="cohort A"]'), new RegExp(`Rest[\\s\\S]*Traces\\s*${all.length - slow.length}\\b`));
  await says(page.locator('[data-k="cohort B"]'), new RegExp(`Selection[\\s\\S]*Traces\\s*${slow.length}\\b`));
  await says(page.locator('[data-k=compare-sum]'), /A trace of the selection takes 9\d\d ms longer than one of the rest, on average/);
  const other = await open(full);
  await other.visit(new URL(page.url()).pathname + new URL(page.url()).search);
  await sameView(page, other);
  // A row opens traces of its cohort with that operation: those that spend most there.
  await first.getByRole('link', { name: /12 traces of B, open those that spend most in fraud check/ }).click();
  await rows(page).first().waitFor();
  await says(counts(page), /10/);
  const most = slow.sort((a, b) => b.spans.length - a.spans.length || Number(lengthOf(b.spans[0]) - lengthOf(a.spans[0]))).slice(0, 10).map((t) => t.traceId);
  const listed = await rows(page).evaluateAll((tr) => tr.map((r) => r.dataset.k));
  assert.deepEqual([...listed].sort(), [...most].sort());
  await page.back();
  await page.locator('.cmp tbody tr').first().waitFor();
  await page.getByRole('link', { name: 'The selection' }).click();
  await page.locator('[data-k=explain]').waitFor();
  await says(page.locator('[data-k=selection]'), new RegExp(`Selection: ${slow.length} spans`));
});

it('the traces since a moment are compared with those before it', async (open) => {
  const page = await open(full);
  await page.visit(view(PAYMENTS));
  await dragSlow(page);
  await page.getByRole('button', { name: 'Compare with before' }).click();
  await page.locator('[data-k=explain]').waitFor();
  await page.getByRole('link', { name: 'Compare traces with those before' }).click();
  await page.locator('[data-k="cohort A"]').waitFor();
  await says(page.locator('[data-k="cohort A"]'), /Before[\s\S]*and none later/);
  await says(page.locator('[data-k="cohort B"]'), /Since/);
  assert(urlQuery(page).has('before'));
});

it('a comparison of cohorts says what is missing: nothing there, a part, a failure', async (open) => {
  const page = await open(full);
  const path = cohortView(PAYMENTS, 1e9);
  await page.visit(cohortView(PAYMENTS, 3600e9));
  await page.getByRole('heading', { name: 'Selection: no traces' }).waitFor();
  await page.visit(cohortView('{ name = "there is none" }', 1e9));
  await page.getByRole('heading', { name: 'No traces match' }).waitFor();
  await page.visit(cohortView(PAYMENTS, 0));
  await page.getByText('Rest: no traces. There is nothing to compare with.').waitFor();
  await page.locator('.cmp tbody tr').first().waitFor();
  await page.route('**/api/takt/cohorts?*', async (r) => {
    const answer = await (await r.fetch()).json();
    await r.fulfill({ json: { ...answer, a: { ...answer.a, total: 90210, sampled: true }, complete: false, why: 'query.timeout passed' } });
  });
  await page.visit(path);
  await says(page.getByRole('main'), /of 90,210\s+sampled[\s\S]*Not everything was looked at: query.timeout passed\./);
  await page.unroute('**/api/takt/cohorts?*');
  let broken = true;
  await page.route('**/api/takt/cohorts?*', (r) => (broken ? r.fulfill({ status: 503, body: 'too busy' }) : r.continue()));
  await page.visit(path);
  await page.getByRole('heading', { name: 'The traces could not be compared' }).waitFor();
  await says(page.getByRole('alert'), /503: too busy/);
  broken = false;
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.locator('.cmp tbody tr').first().waitFor();
});

it('a comparison that cannot be made says why', async (open) => {
  const page = await open(full);
  await page.visit('/compare');
  await page.getByLabel('Trace A').fill('nothing');
  await page.getByRole('button', { name: 'Compare' }).click();
  await page.getByText('A trace id has 32 hex digits').waitFor();
  await page.visit(`/compare?a=${data.shop[0].traceId}&b=${'ab'.repeat(16)}`);
  await page.getByRole('heading', { name: 'No such trace' }).waitFor();
  await says(page.getByRole('main'), /Trace B, abab/);
  await page.visit(`/compare?a=${data.shop[0].traceId}&b=${data.shop[0].traceId}`);
  await page.getByText('A and B are the same trace').waitFor();
});

// --- states -----------------------------------------------------------------------------------------------------

it('the states without rows differ: loading, nothing, elsewhere, invalid, failed, partial, late', async (open) => {
  const page = await open(full);
  let how = 'hold';
  let release;
  const held = new Promise((done) => (release = done));
  await page.route('**/api/takt/search?*', async (r) => {
    if (how === 'hold') await held;
    if (how === 'fail') return r.fulfill({ status: 503, body: 'over the memory budget' });
    if (how === 'partial') {
      const answer = await r.fetch();
      return r.fulfill({ response: answer, json: { ...(await answer.json()), total: 70, exact: false, complete: false, why: 'the deadline of 30 s passed' } });
    }
    return r.continue();
  });
  await page.goto(full.url + view('{ status = error }'));
  await page.getByText('Looking for traces').waitFor();
  how = '';
  release();
  await rows(page).first().waitFor();

  await page.visit(view('{ name = "there is none" }'));
  await page.getByRole('heading', { name: 'No trace matches', exact: true }).waitFor();
  await page.visit(`/traces?q=${q('{ name = "reserve" }')}&${data.between}`);
  await page.getByRole('heading', { name: 'No trace matches in this time' }).waitFor();
  await says(page.locator('.empty'), /1 trace matches at other times; the newest began \d{4}-/);
  await page.getByRole('link', { name: 'Go there' }).click();
  await page.getByRole('link', { name: 'ship order' }).waitFor();
  await page.back();
  await page.getByRole('link', { name: 'Same query, all time' }).click();
  await page.getByRole('link', { name: 'ship order' }).waitFor();

  await page.visit(view('{ status = = error }'));
  await page.getByRole('heading', { name: 'The query cannot be run' }).waitFor();
  how = 'fail';
  await page.visit(view('{ status = error }'));
  await says(page.getByRole('alert'), /could not be listed[\s\S]*503: over the memory budget/);
  how = 'partial';
  await page.getByRole('button', { name: 'Try again' }).click();
  await says(counts(page), /of at least 70 traces · partial: the deadline of 30 s passed/);
  const none = await open(empty);
  await none.visit(`/traces?q=${q('{ status = error }')}`);
  await none.getByRole('heading', { name: 'No span has been received yet' }).waitFor();
});

it('pictures and explanations that fail or are cut short say so, and the rest works', async (open) => {
  const page = await open(full);
  let how = 'fail';
  await page.route('**/api/metrics/query_range?*', async (r) => {
    if (how === 'fail') return r.fulfill({ status: 500, body: 'disk on fire' });
    if (how === 'garbled') return r.fulfill({ body: 'not json' });
    const answer = await r.fetch();
    return r.fulfill({ response: answer, json: { ...(await answer.json()), status: 'PARTIAL', message: 'over the limit of series' } });
  });
  await page.route('**/api/takt/explain?*', (r) => r.fulfill({ status: 504, body: 'too late' }));
  await page.visit(view(PAYMENTS));
  await says(page.getByRole('alert'), /picture of durations failed: disk on fire/);
  await rows(page).first().waitFor();
  how = 'garbled';
  await page.getByRole('button', { name: 'Try again' }).click();
  await says(page.getByRole('alert'), /could not be read/);
  how = 'partial';
  await page.getByRole('button', { name: 'Try again' }).click();
  await says(page.locator('.heat-card'), /partial: over the limit of series/);
  await page.locator('.heat canvas').waitFor();
  await dragSlow(page);
  await page.getByRole('button', { name: 'Explain' }).click();
  await says(page.getByRole('alert'), /could not be explained[\s\S]*504: too late/);
  how = 'fail';
  await page.visit(view('{} | rate()'));
  await says(page.getByRole('alert'), /metrics could not be computed[\s\S]*500: disk on fire/);
});

// Names as they are: an operation of 26 letters, six services, and a trace whose root is not there.
it('results fit their page: names of operations are whole, those of services are cut before the count of the rest', async (open) => {
  const start = data.long - 3_600_000_000_000n;
  const t = new Trace(random(4810), start);
  const root = t.add(null, 'frontend-web', 'GET /api/v2/checkout/orders', 0, 40, { kind: 'server' });
  for (const name of ['analytics-ingest', 'api-gateway', 'recommendation', 'notification', 'user-profile']) t.add(root, name, 'work', 1, 30);
  const rootless = new Trace(random(4811), start + 1_000_000n);
  rootless.add('00f067aa0ba902b7', 'frontend-web', 'late', 0, 30);
  await send(full.otlp, [t, rootless]);
  const at = `range=between&start=${start - 1_000_000_000n}&end=${start + 1_000_000_000n}`;
  const isWhole = (link) => link.evaluate((a) => a.scrollHeight <= a.clientHeight && a.scrollWidth <= a.clientWidth);
  const page = await open(full);
  for (const [viewport, ask] of [[{ width: 1360, height: 860 }, `/traces?${at}`], [{ width: 1360, height: 860 }, `/traces?q=${q('{ resource.service.name != "x" && name != "y" }')}&${at}`], [{ width: 360, height: 740 }, `/traces?${at}`]]) {
    await page.setViewportSize(viewport);
    await page.visit(ask);
    await says(counts(page), /^2 of 2 traces/);
    const row = page.locator(`[data-k="${t.traceId}"]`);
    assert(await isWhole(row.getByRole('link', { name: 'GET /api/v2/checkout/orders' })), `${viewport.width}: ${ask}`);
    await says(page.locator(`[data-k="${rootless.traceId}"] .name`), /^\(root not received\)$/);
    if (viewport.width < 760) continue;
    const region = page.getByRole('region', { name: 'Results' });
    assert(await region.evaluate((e) => e.scrollWidth <= e.clientWidth), 'nothing lies beyond the edge');
    const [cell, rest] = await Promise.all([row.locator('td.services').boundingBox(), row.locator('td.services .muted').last().boundingBox()]);
    assert(rest.x + rest.width <= cell.x + cell.width, 'how many more there are');
  }
});

it('live: a search shows a new trace by itself', async (open) => {
  const page = await open(full);
  await page.visit(`/traces?q=${q('{ name = "a new span" }')}&live=1`);
  const t = new Trace(random(4712), BigInt(Date.now()) * 1_000_000n - 1_000_000_000n);
  t.add(null, 'late', 'a new span', 0, 12);
  await send(full.otlp, [t]);
  await rows(page).first().waitFor();
  await page.getByRole('link', { name: 'a new span' }).waitFor();
});

// --- addresses, hostile data, accessibility ---------------------------------------------------------------------

// The comparison of what takes longer with the rest.
function cohortView(query, longerThanNs) {
  const at = new URLSearchParams(data.between);
  const ms = (key) => BigInt(at.get(key)) / 1_000_000n;
  return `/compare?q=${q(query)}&start=${at.get('start')}&end=${at.get('end')}&box=${ms('start')}-${ms('end') + 1n},${longerThanNs}-${7200e9}`;
}

const views = () => [
  view('{ status = error } | select(span.http.route)'),
  view('{ status = error }', '&rows=spans&sort=slowest&limit=20'),
  view(PAYMENTS, `&tick=${data.shop[0].traceId}`),
  view('', '&table=1'),
  view('{ resource.service.name = "web" || .x = 1 } | by(resource.service.version)'),
  view('{ resource.service.name =~ "web|checkout|payments|catalog" && .a_long_name_of_an_attribute != nil || true } | rate() by (resource.service.name)'),
  view('{ resource.service.name =~ "web|checkout|payments|catalog|pricing" }'),
  view('{} | quantile_over_time(duration, 0.5, 0.95)', '&table=1'),
  view('{} | compare({ status = error })'),
  view('{ nonsense'),
  view('{ name = "there is none" }'),
  `/compare?a=${data.shop[7].traceId}&b=${data.shop[8].traceId}`,
  cohortView(PAYMENTS, 1e9),
];

it('every view has an address that shows the same to somebody else', async (open) => {
  const [page, other] = [await open(full), await open(full)];
  for (const path of views()) {
    await page.visit(path);
    await whole(page);
    await other.visit(new URL(page.url()).pathname + new URL(page.url()).search);
    await sameView(page, other);
  }
});

it('hostile names and values are text here too, and break no layout', async (open) => {
  const page = await open(full);
  const id = data.hostile.traceId;
  const name = hostileNames[1];
  await page.visit(view(`{ name = ${JSON.stringify(name)} } | select(span.javascript, span.list)`));
  await page.locator(`tr[data-k="${id}"]`).waitFor();
  await page.visit(view('{ status = error }', '&rows=spans'));
  await page.getByText(name).first().waitFor();
  await page.visit(view('{} | rate() by (name)', '&table=1'));
  await page.locator('[data-k=chart-table]').waitFor();
  await page.visit(`/compare?a=${id}&b=${data.shop[0].traceId}`);
  await page.getByText(hostileNames[0]).first().waitFor();
  await page.visit(`/traces?q=${q(`{ .x = "${hostileNames[0]}${hostileNames[2]}" && .y = 1 }`)}`);
  await says(page.locator('.chips'), /<script>/);
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  assert.equal(await page.locator('main script, main img').count(), 0);
  assert(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
});

async function explainedBy(page, name) {
  await page.locator('.heat canvas').waitFor();
  await dragSlow(page);
  await page.getByRole('button', { name }).click();
  await page.locator('[data-k=explain]').waitFor();
}

for (const viewport of widths)
  it(`no view breaks a rule of accessibility, ${viewport.width > 700 ? 'light or dark' : 'light'}, ${viewport.width} px wide`, async (open) => {
    const acts = new Map([
      ['the completion list', [view(''), async (p) => {
        await p.locator('#q').click();
        await p.keyboard.type('{ st');
        await p.locator('.suggest li').first().waitFor();
      }, '.ask-box']],
      ['an explanation', [view(PAYMENTS), (p) => explainedBy(p, 'Explain')]],
      ['saved searches', [view('{ status = error }'), async (p) => {
        await p.evaluate(() => localStorage.setItem('takt.searches', JSON.stringify([{ name: 'One', path: 'traces?q=%7B%7D' }, { name: 'A very long name '.repeat(4), path: 'traces' }])));
        await p.reload();
        await p.getByRole('button', { name: /^Save\s*2/ }).click();
        await p.locator('.saves li').first().waitFor();
      }, '.saves']],
      ['the time before', [view(PAYMENTS), (p) => explainedBy(p, 'Compare with before')]],
      ['a menu', [view('{ status = error } | select(span.http.route)'), async (p) => {
        const cell = p.locator('.value-cell').first();
        await cell.scrollIntoViewIfNeeded();
        await cell.click();
        await p.getByRole('button', { name: 'Exclude' }).waitFor();
      }, '.menu']],
    ]);
    const all = [...views().map((v) => [v, [v]]), ['/compare', ['/compare']], ...acts];
    const page = await open(full, { viewport, reducedMotion: 'reduce' });
    for (const [what, [path, act, within]] of all) {
      await page.visit(path);
      await whole(page);
      await act?.(page);
      if (!within) await page.evaluate(() => scrollTo(0, 0)); // or the bar on top covers half of something
      await checkAccess(page, what, within);
    }
  });
