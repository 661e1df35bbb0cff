// SPDX-License-Identifier: Apache-2.0
// The pages of delivery, in a browser, against a real server that got events.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { checkAccess, has, pageTests, sameView, says, servers, startBrowser, startTakt, until, widths } from './browser.mjs';
import { send, sendDelivery, shop } from './data.mjs';

let full, empty, browser;
const data = {};
const { it } = pageTests(() => browser);

before(async () => {
  ({ full, empty } = await servers(['--set', 'impact.after=1s', '--set', 'delivery.traces_every=1d']));
  browser = await startBrowser();
  data.shop = shop({ n: 80, now: BigInt(Date.now()) * 1_000_000n, minutes: 50 });
  await send(full.otlp, data.shop);
  await sendDelivery(full);
  const { rollouts } = await ask('deploys');
  data.last = rollouts.find((r) => r.version === 'v142');
  data.undone = rollouts.find((r) => r.failure === 'remedy');
  // Takt's own verdict is an event too: it may not come in between two looks at one page, nor may services that
  // traces show. A server that was given looks at its own times.
  await until('the verdict of the newest rollout', async () => (await ask('intake')).sources.some((s) => s.source === 'takt'), process.env.TAKT_URL ? 60_000 : 10_000);
});
after(async () => {
  await browser?.close();
  await Promise.all([full, empty].map((s) => s?.stop()));
});

const ask = async (path) => (await fetch(`${full.url}/api/takt/delivery/${path}`)).json();
const exactly = (text) => new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
const query = (page) => new URL(page.url()).searchParams;
// Two pages that are compared live at one moment: how long an open incident lasts goes by the minute.
const twins = async (open) => {
  const [pages, now] = [[await open(full), await open(full)], Date.now()];
  for (const page of pages) await page.clock.setFixedTime(now);
  return pages;
};

it('says how events come in while there are none', async (open) => {
  const page = await open(empty);
  await page.visit('/delivery');
  await says(page.locator('main'), /No rollouts are known yet[\s\S]*takt event deploy[\s\S]*takt import git/);
});

it('the five figures are those of the API, and each opens to its rows', async (open) => {
  const page = await open(full);
  await page.goto(`${full.url}/`);
  await page.getByRole('link', { name: 'Delivery' }).click();
  await page.locator('[data-ready]').waitFor();
  const { measures } = await ask('measures?window=90d');
  const cfr = measures.find((m) => m.name === 'change_failure_rate');
  assert(cfr.numerator > 0 && cfr.numerator < cfr.denominator, 'the data has failures');
  await says(page.locator('[data-k="figure change_failure_rate"]'), new RegExp(`Change failure rate[\\s\\S]*%[\\s\\S]*${cfr.numerator} of ${cfr.denominator}`));
  assert.equal(await page.locator('.measures [data-k^="measure "]').count(), measures.length, 'a row of its own, or named as without data');
  await page.locator('[data-k="measure change_failure_rate"]').getByRole('button', { name: 'Why' }).click();
  await until('the address says it', () => query(page).get('why') === 'change_failure_rate');
  const why = await ask(`why?figure=${encodeURIComponent(cfr.figure)}`);
  await until('all its rows', async () => (await page.locator('[data-k=why] tbody tr').count()) === why.rows.length);
  assert.equal(await page.locator('[data-k=why] tbody td:first-child', { hasText: 'yes, hit' }).count(), cfr.numerator);
  await says(page.locator('[data-k=why]'), /rolled back to/);
  await page.getByRole('button', { name: 'Close' }).click();
  await until('closed', () => query(page).get('why') === null);
  await page.back();
  await page.locator('[data-k=why]').waitFor();
});

it('the scope, the window and the report are in the address', async (open) => {
  const [page, other] = await twins(open);
  await page.visit('/delivery');
  await page.getByLabel('Service', { exact: true }).selectOption('checkout');
  await until('the service', () => query(page).get('service') === 'checkout');
  await page.getByLabel('Window', { exact: true }).selectOption('365d');
  await page.getByLabel('Levels of', { exact: true }).selectOption('2023');
  await until('the report', () => query(page).get('levels') === '2023' && query(page).get('window') === '365d');
  const { rollouts } = await ask('deploys?window=365d&service=checkout');
  await says(page.locator('[data-k=rollouts]'), new RegExp(`^${rollouts.length} rollouts`));
  await says(page.locator('.measures thead'), /Level/);
  await other.visit(page.url().slice(full.url.length));
  await sameView(page, other);
});

it('the teams and products of the catalogue, whole periods and the measures of other tools', async (open) => {
  const page = await open(full);
  await page.visit('/delivery');
  assert.equal(await page.getByLabel('Team', { exact: true }).count(), 0, 'the catalogue is empty');
  const list = (services) => fetch(`${full.url}/api/takt/delivery/catalogue`, { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ services }) });
  assert.equal((await list({ payments: { team: 'money', product: 'shop' } })).status, 200);
  await page.visit('/delivery?levels=2024');
  await page.getByLabel('Team', { exact: true }).selectOption('money');
  await until('the team', () => query(page).get('team') === 'money');
  const { rollouts } = await ask('deploys?window=90d&team=money');
  await says(page.locator('[data-k=rollouts]'), new RegExp(`^${rollouts.length} rollouts`));
  await page.getByLabel('Window', { exact: true }).selectOption('month');
  const month = await ask('measures?calendar=month&team=money');
  await says(page.locator('[data-k="measure deployment_frequency"]'), new RegExp(`\\b${month.measures[0].n}\\b`));
  await page.getByLabel('Measures as in').selectOption('fourkeys');
  await until('the set', () => query(page).get('as') === 'fourkeys');
  const { measures } = await ask('measures?calendar=month&team=money&set=fourkeys');
  await until('its measures', async () => (await page.locator('.figure').count()) === measures.length);
  await says(page.locator('[data-k="measure fourkeys.deployment_frequency"]'), /days \/ week|no data/);
  await page.locator('[data-k="measure fourkeys.lead_time"]').getByRole('button', { name: 'Why' }).click();
  await says(page.locator('[data-k=why]'), /whole minutes from a commit/);
  await checkAccess(page, 'other measures');
  await page.visit('/delivery?levels=2024');
  const recovery = (await ask('measures?levels=2024')).measures.find((m) => m.name === 'lead_time');
  assert(recovery.level.insufficient);
  await says(page.locator('[data-k="measure lead_time"]'), /insufficient data/);
  assert.equal((await list({})).status, 200);
});

it('incidents: the open one first, with its cause, the evidence and the traces of its time', async (open) => {
  const page = await open(full);
  await page.visit('/delivery');
  const { incidents, all, open: n } = await ask('incidents?window=90d');
  assert.equal(n, 1);
  const list = page.locator('[data-k=incidents]');
  await says(list, new RegExp(`^${all} incidents, 1 of them open`));
  assert.equal(await list.locator('tbody tr').count(), incidents.length);
  const first = list.locator('tbody tr').first();
  await says(first, /payments answers late\s+open\s+2\s+payments\s+\d{4}-.*\s+after 2 min\s+not yet\s+3\d min\s+v142 rank 7: an incident soon after\s+all · errors/);
  await says(list.locator('tbody tr').nth(1), /fails\s+over\s+–[\s\S]*after 3 min[\s\S]*45 min\s+v\d+ rank \d/);
  await first.getByRole('link', { name: 'errors' }).focus();
  await page.keyboard.press('Enter');
  await until('the search', () => query(page).get('q') === '{ resource.service.name = "payments" && status = error }');
  assert.equal(query(page).get('start'), String(BigInt(incidents[0].began) - 300_000_000_000n));
  await page.back();
  await first.getByRole('link', { name: 'v142' }).click();
  await page.getByRole('heading', { level: 1, name: 'payments v142' }).waitFor();
  await page.visit('/delivery?service=checkout&window=30d');
  const { all: some } = await ask('incidents?window=30d&service=checkout');
  await says(list, new RegExp(`^${some} incidents`));
  assert.equal(await list.locator('tbody tr', { hasText: 'payments' }).count(), 0);
  await page.visit('/delivery?service=nobody');
  await says(list, /^No incident in this time[\s\S]*takt event incident --id INC-31/);
});

it('incidents are shown also where no rollout is known, and a failure to list them is said', async (open) => {
  const page = await open(empty);
  const one = { key: 'x:1', title: '<b>down</b>', severity: 1, state: 'acknowledged', began: '1795988462153000000', url: 'javascript:alert(1)', flag: { name: 'fast', says: 'flag fast was changed' } };
  await page.route('**/api/takt/delivery/incidents?*', (r) => r.fulfill({ json: { from: '1', to: '2', incidents: [one], all: 5, open: 1, duplicates: 1 } }));
  await page.visit('/delivery');
  await says(page.locator('main'), /No rollouts are known yet[\s\S]*5 incidents, 1 of them open[\s\S]*<b>down<\/b>[\s\S]*open, acknowledged[\s\S]*flag fast[\s\S]*1 of 5 are shown · 1 duplicate of others left out/);
  assert.equal(await page.locator('[data-k=incidents] a').count(), 0, 'nothing to follow');
  await checkAccess(page, 'an incident without a rollout');
  const other = await open(full);
  await other.route('**/api/takt/delivery/incidents?*', (r) => r.fulfill({ status: 500, body: 'no facts' }));
  await other.visit('/delivery');
  await says(other.getByRole('alert'), /incidents could not be listed[\s\S]*500: no facts/);
});

it('tables of incidents fit a usual screen, and nothing is wider than a narrow one', async (open) => {
  const page = await open(full, { viewport: { width: 1280, height: 860 } });
  for (const path of ['/', '/delivery?levels=2023']) {
    await page.visit(path);
    const fits = await page.locator('.scroll-x', { has: page.locator('.incidents') }).evaluate((e) => [e.scrollWidth, e.clientWidth]);
    assert(fits[0] <= fits[1], `${path}: ${fits}`);
    const cut = await page.locator('.figure .tag').evaluateAll((tags) => tags.filter((t) => t.getBoundingClientRect().right > t.closest('.figure').getBoundingClientRect().right).map((t) => t.textContent));
    assert.deepEqual(cut, [], path);
  }
  const narrow = await open(full, { viewport: { width: 360, height: 740 } });
  for (const path of ['/', '/?lens=exec', '/delivery?levels=2023', '/delivery', '/delivery?when=hour', `/deploys/${data.last.id}`, '/traces', '/start']) {
    await narrow.visit(path);
    assert((await narrow.evaluate(() => document.documentElement.scrollWidth)) <= 360, path);
  }
});

it('services: whose they are, who calls whom by the catalogue and by traces, the default branch', async (open) => {
  const own = await startTakt(['--set', 'delivery.traces_every=100ms']);
  try {
    const put = (services) => fetch(`${own.url}/api/takt/delivery/catalogue`, { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ services }) });
    const get = async () => (await fetch(`${own.url}/api/takt/delivery/catalogue`)).json();
    const page = await open(own);
    await page.visit('/delivery');
    assert.equal(await page.locator('[data-k=services]').count(), 0, 'nothing is known');
    await send(own.otlp, shop({ n: 8, now: BigInt(Date.now()) * 1_000_000n, minutes: 1 }));
    await until('calls in traces', async () => (await get()).dependencies.some((d) => d.service === 'checkout' && d.needs === 'payments'));
    await page.visit('/delivery');
    const part = page.locator('[data-k=services]');
    await says(page.locator('main'), /No rollouts are known yet[\s\S]*services, \d+ not in the catalogue/);
    await says(part.locator('[data-k="service payments"]'), /^payments\s+–\s+–\s+traces not listed/);
    assert.equal((await put({ payments: { team: 'money', owner: 'ann@example.org', tier: 1, runbook: 'https://runbooks.example.org/pay', repositories: ['git@github.com:acme/pay.git'], depends_on: ['ledger'] }, ledger: { runbook: 'javascript:alert(1)' } })).status, 200);
    const push = { ref: 'refs/heads/trunk', before: '0'.repeat(40), after: 'a'.repeat(40), commits: [], repository: { id: 1, full_name: 'acme/pay', html_url: 'https://github.com/acme/pay', pushed_at: Math.floor(Date.now() / 1000), default_branch: 'trunk' } };
    const hook = await fetch(`${own.url}/hooks/github`, { method: 'POST', headers: { 'content-type': 'application/json', 'x-github-event': 'push', 'x-github-delivery': '1' }, body: JSON.stringify(push) });
    assert.equal(hook.status, 202, await hook.text());
    await until('the branch', async () => (await get()).defaultBranches.length > 0);
    await page.visit('/delivery');
    await says(part.locator('[data-k="service payments"]'), /^payments\s+money ann@example\.org\s+1\s+the catalogue, traces\s+(?:\w+ \(in traces\), )*ledger \(listed only\)\s+checkout \(in traces\)[\s\S]*trunk\s+runbook$/);
    assert.equal(await part.locator('[data-k="service payments"]').getByRole('link', { name: 'runbook' }).getAttribute('href'), 'https://runbooks.example.org/pay');
    await says(part.locator('[data-k="service ledger"]'), /the catalogue\s+–\s+payments \(listed only\)[\s\S]*javascript/);
    assert.equal(await part.locator('[data-k="service ledger"] a').count(), 0, 'nothing to follow');
    await says(part, /The catalogue is kept by the API[\s\S]*not changed for 90 days/);
    await checkAccess(page, 'services');
    await page.visit('/delivery?team=money');
    assert.deepEqual(await part.locator('tbody th').allInnerTexts(), ['payments']);
    await page.visit('/delivery?service=checkout');
    assert.deepEqual(await part.locator('tbody th').allInnerTexts(), ['checkout']);
    await part.getByRole('link', { name: 'traces' }).click();
    await until('the search', () => query(page).get('q') === '{ resource.service.name = "checkout" }');
    const narrow = await open(own, { viewport: { width: 360, height: 740 } });
    await narrow.visit('/delivery');
    await checkAccess(narrow, 'services');
  } finally {
    await own.stop();
  }
});

it('tier and zone are in the address, and change what is asked', async (open) => {
  const [page, other] = await twins(open);
  const list = (services) => fetch(`${full.url}/api/takt/delivery/catalogue`, { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ services }) });
  assert.equal((await list({ payments: { tier: 1 }, checkout: { tier: 2 } })).status, 200);
  await page.visit('/delivery?window=month');
  await page.getByLabel('Tier', { exact: true }).selectOption('1');
  await until('the tier', () => query(page).get('tier') === '1');
  const { rollouts } = await ask('deploys?calendar=month&tier=1');
  await says(page.locator('[data-k=rollouts]'), new RegExp(`^${rollouts.length} rollout`));
  const asked = page.waitForRequest((r) => r.url().includes('/delivery/trend?') && new URL(r.url()).searchParams.get('zone') === 'Asia/Tokyo');
  await page.getByLabel('Weeks and months in').selectOption('Asia/Tokyo');
  await until('the zone', () => query(page).get('zone') === 'Asia/Tokyo');
  await asked;
  await page.locator('[data-ready]').waitFor();
  const month = await ask('measures?calendar=month&tier=1&zone=Asia/Tokyo');
  assert.notEqual(month.from, (await ask('measures?calendar=month&tier=1')).from, 'another midnight');
  await says(page.locator('[data-k="measure deployment_frequency"]'), new RegExp(`\\b${month.measures[0].n}\\b`));
  await other.visit(page.url().slice(full.url.length));
  await sameView(page, other);
  await page.getByText('Week by week, as a table').click();
  const trend = await ask(`trend?measure=lead_time&step=week&zone=Asia/Tokyo&from=${BigInt(month.from) / 1_000_000_000n}&to=${BigInt(month.to) / 1_000_000_000n}`);
  const monday = new Date(Number(BigInt(trend.points[0].from) / 1_000_000n) + 9 * 3_600_000);
  assert.equal(monday.getUTCDay(), 1);
  await says(page.locator('[data-k=trends] tbody tr').first(), new RegExp(monday.toISOString().slice(0, 10)));
  await page.visit('/delivery?zone=Nowhere/Land');
  await says(page.getByRole('alert').first(), /zone/);
  assert.equal((await list({})).status, 200);
});

it('trends of the measures of another tool', async (open) => {
  const page = await open(full);
  await page.visit('/delivery?as=devlake-2023');
  const { measures } = await ask('measures?window=90d&set=devlake-2023');
  await has(page.locator('[data-k="figure devlake-2023.deployment_frequency"] .spark'), 'role', 'img');
  await page.getByText('Week by week, as a table').click();
  assert.equal(await page.locator('[data-k=trends] thead th').count(), 1 + measures.length);
});

it('what is not whole yet, and what lies between the levels, is said in words', async (open) => {
  const page = await open(full);
  await page.visit('/delivery');
  assert.equal(await page.locator('[data-k=partial]').count(), 0);
  await page.getByLabel('Window', { exact: true }).selectOption('this-month');
  await says(page.locator('[data-k=partial]'), /not over yet/);
  assert.equal(await page.locator('.figure', { hasText: 'not a whole period yet' }).count(), 5);
  await page.route('**/api/takt/delivery/measures?*', async (r) => {
    const json = await (await r.fetch()).json();
    json.measures[0].level = { year: 2024, best: 'high', worst: 'high', between: true };
    return r.fulfill({ json });
  });
  await page.route('**/api/takt/delivery/deploys?*', async (r) => {
    const json = await (await r.fetch()).json();
    Object.assign(json.rollouts[0], { targets: 3, done_targets: 1, state: 'failed' });
    return r.fulfill({ json });
  });
  await page.visit('/delivery?levels=2024');
  await says(page.locator('[data-k="measure deployment_frequency"]'), /high, between the report's levels/);
  await says(page.locator('[data-k=rollouts] tbody tr').first(), /failed\s*partial: 1 of 3 targets/);
  await checkAccess(page, 'levels between');
});

it('when rollouts end: by day, which opens its figures, and by hour of the week, in a zone', async (open) => {
  const [page, other] = await twins(open);
  await page.visit('/delivery');
  const part = page.locator('[data-k=calendar]');
  const { hours } = await ask('calendar?window=90d');
  const sum = (list, key) => list.reduce((n, h) => n + h[key], 0);
  await says(part, new RegExp(`^When rollouts end[\\s\\S]*${sum(hours, 'rollouts')} rollouts, ${sum(hours, 'failed')} failed; days and hours in UTC`));
  const days = [...new Set(hours.map((h) => h.day))];
  assert.equal(await part.locator('td a').count(), days.length);
  const bad = days.find((d) => hours.some((h) => h.day === d && h.failed));
  const of = hours.filter((h) => h.day === bad);
  const link = part.getByRole('link', { name: `${bad}: ${sum(of, 'rollouts')} rollouts, ${sum(of, 'failed')} failed` });
  await link.focus();
  await page.keyboard.press('Enter');
  await until('that day', () => query(page).get('from') === String(Date.parse(`${bad}T00:00:00Z`) / 1000) && query(page).get('to') === String(Date.parse(`${bad}T00:00:00Z`) / 1000 + 86_400));
  await says(page.locator('[data-k=rollouts]'), new RegExp(`^${sum(of, 'rollouts')} rollouts`));
  await page.back();
  await part.getByRole('link', { name: 'By hour of the week' }).click();
  await until('the address says it', () => query(page).get('when') === 'hour');
  await page.getByLabel('Weeks and months in').selectOption('Asia/Tokyo');
  const there = (await ask('calendar?window=90d&zone=Asia/Tokyo')).hours;
  const name = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
  const [first] = there;
  const same = there.filter((h) => h.hour === first.hour && new Date(h.day).getUTCDay() === new Date(first.day).getUTCDay());
  const slot = `${name[new Date(first.day).getUTCDay()]} ${String(first.hour).padStart(2, '0')}:00`;
  await says(part, /in Asia\/Tokyo/);
  await part.getByRole('link', { name: new RegExp(`^${slot}: ${sum(same, 'rollouts')} rollout`) }).waitFor();
  await other.visit(page.url().slice(full.url.length));
  await sameView(page, other);
  await checkAccess(page, 'by hour');
  const asked = [];
  page.on('request', (r) => /\/delivery\//.test(r.url()) && asked.push(new URL(r.url()).pathname.split('/').pop()));
  await part.getByRole('link', { name: new RegExp(`^${slot}: `) }).click();
  await until('the hour', () => /^[0-6]-\d+$/.test(query(page).get('slot') ?? ''));
  await until('its rollouts', async () => (await page.locator('[data-k=rollouts] tbody tr').count()) === sum(same, 'rollouts'));
  await says(page.locator('[data-k=slot]'), new RegExp(`${sum(same, 'rollouts')} of them ended in the hour of ${slot}, Asia/Tokyo`));
  assert.deepEqual(asked, ['deploys'], 'all figures stay as they are');
  await page.getByRole('button', { name: 'All hours' }).click();
  await until('all again', () => query(page).get('slot') === null);
  // What is no hour is as none: the first hour that is chosen needs the whole list.
  await page.visit('/delivery?when=hour&slot=noon');
  const limits = [];
  page.on('request', (r) => /\/delivery\/deploys/.test(r.url()) && limits.push(Number(new URL(r.url()).searchParams.get('limit'))));
  await part.getByRole('link', { name: /^\w+day \d\d:00: / }).first().click();
  await page.locator('[data-k=slot]').waitFor();
  await until('the whole list', () => limits.length === 1);
  assert(limits[0] > 200, `${limits}`);
  await page.visit('/delivery?service=nobody');
  await says(part, /No rollout ended in this time/);
  assert.equal(await part.locator('table').count(), 0);
  await page.route('**/api/takt/delivery/calendar?*', (r) => r.fulfill({ status: 500, body: 'no facts' }));
  await page.visit('/delivery');
  await says(page.getByRole('alert'), /calendar could not be read[\s\S]*500: no facts/);
});

// Lead times of a made-up history, in the real list.
const withLeads = (page) => page.route('**/api/takt/delivery/deploys?*', async (r) => {
  const json = await (await r.fetch()).json();
  json.rollouts.forEach((x, i) => i % 3 && (x.lead_ns = `${(i + 1) * 3_600}000000000`));
  return r.fulfill({ json });
});

it('lead times over time: arrows walk them, a chosen time is in the address and leaves its rows', async (open) => {
  const [page, other] = await twins(open);
  await withLeads(page);
  await withLeads(other);
  await page.visit('/delivery');
  const part = page.locator('[data-k=rollouts]');
  const plot = page.locator('[data-k=scatter]');
  const { rollouts, all } = await ask('deploys?window=90d');
  await says(part, new RegExp(`^${all} rollouts`));
  assert.equal(await plot.locator('circle.good, path.failed, path.back').count(), rollouts.length);
  assert.equal(await plot.locator('path.failed').count(), rollouts.filter((r) => r.failure || r.state === 'failed').length);
  await says(part.locator('tbody tr').nth(1), /2 h/);
  await plot.focus();
  await page.keyboard.press('Home');
  await says(part.locator('[role=status]').last(), /^(checkout|payments) v1, \d{4}-.*(lead time|no lead time is known)/);
  for (let i = 0; i < 3; i++) await page.keyboard.press('Shift+ArrowRight');
  await until('the address says it', () => /^\d+-\d+$/.test(query(page).get('span') ?? ''));
  const [from, to] = query(page).get('span').split('-').map(Number);
  const inside = rollouts.filter((r) => Number(r.finished) / 1e9 >= from && Number(r.finished) / 1e9 <= to);
  assert(inside.length >= 4);
  await until('its rows only', async () => (await part.locator('tbody tr').count()) === inside.length);
  await says(page.locator('[data-k=span]'), new RegExp(`^${inside.length} of them, from`));
  await plot.blur();
  await other.visit(page.url().slice(full.url.length));
  await sameView(page, other);
  await checkAccess(page, 'a chosen time');
  await plot.focus();
  await page.keyboard.press('Escape');
  await until('all again', async () => query(page).get('span') === null && (await part.locator('tbody tr').count()) === rollouts.length);
  await plot.scrollIntoViewIfNeeded();
  const box = await plot.boundingBox();
  await page.mouse.move(box.x + box.width * 0.7, box.y + 40);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.9, box.y + 80, { steps: 4 });
  await page.mouse.up();
  await until('dragged', () => query(page).get('span') !== null);
  await page.getByRole('button', { name: 'The figures of this time' }).click();
  await until('a window', () => query(page).get('from') !== null && query(page).get('span') === null);
  await page.visit('/delivery');
  await plot.focus();
  await page.keyboard.press('End');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'payments v142' }).waitFor();
  await page.locator('[data-ready]').waitFor();
  await page.unrouteAll({ behavior: 'wait' });
  await page.visit('/delivery');
  await says(page.locator('[data-k=no-lead]'), /none of them a lead time is known/);
});

it('figures against their own history: earlier windows as long, in words; few are not enough', async (open) => {
  const page = await open(full);
  const asked = [];
  let values = [0.1, 0.1, 0.2, 0.2, 0.2];
  await page.route('**/api/takt/delivery/trend?*', (r) => {
    const q = new URL(r.request().url()).searchParams;
    if (!/^\d+s$/.test(q.get('step'))) return r.continue();
    asked.push([q.get('measure'), Number(q.get('to')) - Number(q.get('from')), q.get('step'), q.get('service')]);
    return r.fulfill({ json: { name: q.get('measure'), points: values.map((value) => ({ from: '1', to: '2', n: 9, value })) } });
  });
  await page.visit('/delivery?service=payments&window=30d');
  assert.deepEqual(asked.map((a) => a.slice(1)), Array(5).fill([12 * 30 * 86_400, `${30 * 86_400}s`, 'payments']));
  const { measures } = await ask('measures?window=30d&service=payments');
  const cfr = measures.find((m) => m.name === 'change_failure_rate');
  const word = cfr.value > 0.2 ? 'worse than usual' : cfr.value < 0.1 ? 'better than usual' : 'as usual';
  await says(page.locator('[data-k="figure change_failure_rate"]'), new RegExp(`${cfr.interval[0] < 0.1 ? 'better than usual to ' : ''}.*${word.replace(' than usual', '')}[\\s\\S]*usual: 10.0 % to 20.0 %, the middle half of 5 earlier windows`));
  await says(page.locator('.measures thead'), /Against its history/);
  await says(page.locator('[data-k="measure lead_time"]'), /insufficient data/);
  await checkAccess(page, 'own history');
  values = [0.1, 0.2];
  await page.visit('/delivery?service=payments');
  await says(page.locator('[data-k="measure change_failure_rate"]'), /cannot know: 2 of 4 earlier windows/);
  await page.getByLabel('Levels of', { exact: true }).selectOption('none');
  await until('none', async () => query(page).get('levels') === 'none' && (await page.locator('.figure .tag').count()) === 0);
  assert.equal(await page.locator('.measures thead', { hasText: 'history' }).count(), 0);
});

const parseCsv = (text) => text.replace(/^\ufeff/, '').split('\r\n').filter(Boolean);
const saved = async (page, press) => {
  const [file] = await Promise.all([page.waitForEvent('download'), press()]);
  const chunks = [];
  for await (const c of await file.createReadStream()) chunks.push(c);
  return { name: file.suggestedFilename(), rows: parseCsv(Buffer.concat(chunks).toString('utf8')) };
};

it('tables as csv: all rows, no name a formula, also by keyboard; a failure is said', async (open) => {
  const page = await open(full);
  await page.visit('/delivery?why=change_failure_rate');
  const { rollouts } = await ask('deploys?window=90d');
  await page.route('**/api/takt/delivery/deploys?*', async (r) => {
    const json = await (await r.fetch()).json();
    if (new URL(r.request().url()).searchParams.get('limit') === '10000') Object.assign(json.rollouts[0], { version: '=HYPERLINK("http://evil","x")', actor: '@SUM(1)' });
    return r.fulfill({ json });
  });
  const button = page.getByRole('button', { name: 'Rollouts as csv' });
  await button.focus();
  const list = await saved(page, () => page.keyboard.press('Enter'));
  assert.equal(list.name, 'takt-rollouts.csv');
  assert.equal(list.rows.length, 1 + rollouts.length);
  assert(list.rows[1].includes(`"'=HYPERLINK(""http://evil"",""x"")"`) && list.rows[1].includes(`"'@SUM(1)"`), list.rows[1]);
  const { measures } = await ask('measures?window=90d');
  const all = await saved(page, () => page.getByRole('button', { name: 'All measures as csv' }).click());
  const cfr = measures.find((m) => m.name === 'change_failure_rate');
  assert.equal(all.rows.length, 1 + measures.length);
  assert(all.rows.find((r) => r.startsWith('change_failure_rate,')).startsWith(`change_failure_rate,Change failure rate,share,${cfr.value},`));
  const why = await ask(`why?figure=${encodeURIComponent(cfr.figure)}`);
  assert.equal((await saved(page, () => page.getByRole('button', { name: 'All rows behind it as csv' }).click())).rows.length, 1 + why.rows_in_all);
  const { hours } = await ask('calendar?window=90d');
  const when = await saved(page, () => page.getByRole('button', { name: 'Rollouts by day and hour as csv' }).click());
  assert.deepEqual(when.rows.slice(1), hours.map((h) => `${h.day},${h.hour},UTC,${h.rollouts},${h.failed}`));
  await page.getByRole('link', { name: 'By month' }).click();
  await page.getByText('Month by month, as a table').click();
  assert.match((await saved(page, () => page.getByRole('button', { name: 'Measures by month as csv' }).click())).rows[0], /^month_from,whole,deployment_frequency,deployment_frequency_rows/);
  await page.route('**/api/takt/delivery/deploys?*limit=10000*', (r) => r.fulfill({ status: 503, body: 'busy' }));
  await button.click();
  await says(page.locator('[data-k=rollouts] .csv [role=status]'), /No file: .*busy/);
});

it('the rows behind a time: the slowest first, where all of them are here', async (open) => {
  const page = await open(full);
  await page.route('**/api/takt/delivery/why?*', async (r) => {
    const json = await (await r.fetch()).json();
    const row = (value, counted = true) => ({ counted, service: `s${value}`, ...(counted ? { value } : { why: 'rollback' }) });
    return r.fulfill({ json: { ...json, rows: [row(60), row(0, false), row(7200), row(600)], rows_in_all: 4 } });
  });
  await page.visit('/delivery?why=restore_time');
  assert.deepEqual(await page.locator('[data-k=why] tbody td:nth-child(3)').allInnerTexts(), ['s7200', 's600', 's60', 's0']);
  await says(page.locator('[data-k=why]'), /4 rows, the slowest first/);
});

it('a list that is cut says of how many, and a figure that is weak says why', async (open) => {
  const page = await open(full);
  await page.route('**/api/takt/delivery/deploys?*', async (r) => {
    const json = await (await r.fetch()).json();
    return r.fulfill({ json: { ...json, all: 4711, rollouts: json.rollouts.slice(0, 5).map((x) => ({ ...x, canary: 'failed' })) } });
  });
  await page.visit('/delivery');
  await says(page.locator('[data-k=rollouts]'), /^The newest 5 of 4,711 rollouts[\s\S]*failed/);
  const weak = page.locator('[data-k="weak lead_time"]');
  await weak.getByText('Why there is no figure').click();
  await says(weak, /takt import git PATH/);
  await says(page.locator('[data-k="figure tempo"]'), /no data[\s\S]*Waiting share: cannot know/);
  await checkAccess(page, 'a weak figure');
});

// --- one deploy -------------------------------------------------------------------------------------------

it('a deploy: from the list to its page, which tells what the API knows', async (open) => {
  const page = await open(full);
  await page.visit('/delivery');
  await page.locator('[data-k=rollouts]').getByRole('link', { name: 'v142' }).click();
  await page.getByRole('heading', { level: 1, name: 'payments v142' }).waitFor();
  await page.locator('[data-ready]').waitFor();
  assert.equal(new URL(page.url()).pathname, `/deploys/${data.last.id}`);
  const d = await ask(`deploy?rollout=${data.last.id}`);
  assert.deepEqual([d.attempts.length, d.canaries[0].steps.length, d.runs[0].tasks.length], [3, 4, 3]);
  await says(page.locator('[data-k=deploy]'), /production[\s\S]*2 of 2[\s\S]*ann/);
  await says(page.locator('[data-k=attempts]'), /eu\s+success[\s\S]*us\s+failure[\s\S]*us\s+success[\s\S]*progressing · 5 %[\s\S]*50 %[\s\S]*promoted/);
  await says(page.locator('[data-k=runs]'), /release: success[\s\S]*build[\s\S]*test[\s\S]*publish/);
  await says(page.locator('[data-k=incidents]'), /payments answers late[\s\S]*rank 7: an incident soon after[\s\S]*4 min earlier[\s\S]*severity 2/);
  const { verdict } = await ask(`impact?rollout=${data.last.id}`);
  const words = { clean: 'no harm seen', suspect: 'suspect', confirmed: 'harm confirmed', insufficient: 'too little traffic to tell' };
  await says(page.locator('[data-k=impact]'), new RegExp(`^Impact:\\s+${words[verdict]}`));
  await page.getByRole('link', { name: 'before: v34' }).click();
  await page.getByRole('heading', { level: 1, name: 'payments v34' }).waitFor();
  await page.getByRole('link', { name: 'after: v142 (normal)' }).waitFor();
});

it('a deploy: the errors around it, also as a table, and the way to its traces', async (open) => {
  const page = await open(full);
  await page.visit(`/deploys/${data.last.id}`);
  const errors = page.locator('[data-k=errors]');
  await says(errors, /\d+ of \d+ spans of the service have errors/);
  await errors.locator('.chart').waitFor();
  await errors.getByRole('link', { name: /^Deploy of payments v142/ }).waitFor();
  await errors.getByRole('button', { name: 'As table' }).click();
  await errors.locator('[data-k=chart-table]').waitFor();
  assert.equal(query(page).get('table'), '1');
  await page.getByRole('link', { name: 'with errors' }).click();
  await until('the search', () => query(page).get('q') === '{ resource.service.name = "payments" && resource.service.version = "v142" && status = error }');
  await page.locator('.traces tbody tr').first().waitFor();
});

it('a person denies that a deploy caused an incident, and confirms it after all', async (open) => {
  const page = await open(full);
  await page.visit(`/deploys/${data.last.id}`);
  const came = page.locator('[data-k=incidents]');
  await came.getByLabel(/^Your name/).fill('ann');
  await came.getByRole('button', { name: /^Deny/ }).click();
  await says(came, /denied by ann/);
  await says(page.locator('[data-k=verdict]'), /no failure known/);
  const denied = await ask(`deploy?rollout=${data.last.id}`);
  assert.equal(denied.rollout.failure, undefined);
  await came.getByRole('button', { name: /^Confirm/ }).click();
  await says(came, /rank 1: somebody said so[\s\S]*confirmed by/);
  await says(page.locator('[data-k=verdict]'), /failed in production/);
  await page.route('**/events', (r) => r.fulfill({ status: 401, body: 'a secret is wanted' }));
  await came.getByRole('button', { name: /^Deny/ }).first().click();
  await says(page.getByRole('alert'), new RegExp(`a secret is wanted[\\s\\S]*takt event verdict --incident 'takt:INC 31' --rollout ${data.last.id}`));
});

const impact = (id) => ({
  rollout: id, service: 'checkout', environment: 'production', version: 'v142', baseline: 'v35', verdict: 'confirmed', computedAt: '1796000000000000000', final: false, phase: 'concurrent',
  arms: { old: { requests: 2410, errors: 2, errorRate: 0.0008, p50: 88, p95: 210 }, new: { requests: 2388, errors: 117, errorRate: 0.049, p50: 87, p95: 236 } },
  routes: [
    { route: 'POST /pay', test: 'errors', old: { requests: 2410, errors: 2, p95: 210 }, new: { requests: 2388, errors: 117, p95: 236 }, difference: 0.048, interval: [0.04, 0.058], p: 1e-9, q: 1e-8, verdict: 'confirmed', examples: ['ab'.repeat(16), 'cd'.repeat(16)] },
    { route: 'GET /<script>', test: 'latency', old: { requests: 10, errors: 0, p95: 100 }, new: { requests: 12, errors: 0, p95: 90 }, difference: -10, interval: [-30, 10], p: 0.8, q: 0.9, verdict: 'insufficient', examples: [] },
    { route: '*', test: 'latency', old: { requests: 0, errors: 0 }, new: { requests: 12, errors: 0 }, verdict: 'insufficient', examples: [] },
  ],
  newErrors: [{ type: 'DeadlineExceeded', message: 'no answer', span: 'POST /charge', count: 41, examples: ['ab'.repeat(16)] }],
  failedRoots: { excess: 115, interval: [96, 138] }, users: { hit: 88 }, confounders: ['traffic doubled'],
  why: ['errors of POST /pay rose', `GET /old is not served any more (before: 150 requests in 25 minutes, such as trace ${'ef'.repeat(16)}); new is GET /new; 1 more routes are gone`],
  vanished: { routes: 4, testable: 3, gained: 'GET /new', lost: [{ route: 'GET /old', requests: 150, minutes: 25, p: 1e-9, examples: ['ef'.repeat(16)] }, { route: 'GET /<b>', requests: 90, minutes: 1, p: 1e-5, examples: [] }] },
});

it('a deploy: its impact, where it was computed', async (open) => {
  const page = await open(full);
  await page.route('**/api/takt/delivery/impact?*', (r) => r.fulfill({ json: impact(data.last.id) }));
  await page.visit(`/deploys/${data.last.id}`);
  const part = page.locator('[data-k=impact]');
  await says(part, /harm confirmed[\s\S]*v35[\s\S]*while both ran; more traffic may still change this[\s\S]*errors of POST \/pay rose/);
  await says(part.locator('[data-k="route POST /pay errors"]'), /2 of 2,410\s+117 of 2,388\s+4\.8 % \[4 %, 5\.8 %\]\s+< 0\.001\s+confirmed/);
  await says(part.locator('[data-k="route * latency"]'), /all routes\s+latency\s+p95 –\s+p95 –\s+insufficient/);
  await says(part, /88\.0 ms\s+210 ms/);
  await says(part, /GET \/<script>[\s\S]*DeadlineExceeded[\s\S]*About 115 more requests[\s\S]*88 users were hit[\s\S]*traffic doubled/);
  assert.equal(await part.getByRole('link', { name: 'trace 1' }).first().getAttribute('href'), `t/${'ab'.repeat(16)}`);
  assert.equal(await part.getByRole('link', { name: 'trace efefefef' }).getAttribute('href'), `t/${'ef'.repeat(16)}`);
  const vanished = part.locator('[data-k=vanished]');
  await says(vanished, /2 routes are not served any more[\s\S]*GET \/old\s+150\s+25 minutes\s+trace 1\s+GET \/<b>\s+90\s+1 minute\s+New is GET \/new/);
  assert.equal(await vanished.getByRole('link', { name: 'trace 1' }).getAttribute('href'), `t/${'ef'.repeat(16)}`);
  await checkAccess(page, 'an impact');
});

it('a deploy: what changed, each figure with its rows, and kinds of errors with their traces', async (open) => {
  const page = await open(full);
  const before = { id: data.last.before, version: 'v35', finished: String(BigInt(data.last.finished) - 2n * 86_400_000_000_000n) };
  const files = { state: 'cut', by: 'pushes', why: 'pushes did not tell all files of all its commits', n: 704, kinds: [{ kind: 'dependency', n: 1, files: [{ path: 'go.mod', how: 'changed', parts_n: 1, parts: [{ name: 'a.org/x', how: 'changed', old: 'v1', new: 'v2' }] }] }, { kind: 'config', n: 703, files: [{ path: 'a/<b>.yaml', how: 'added', parts_n: 70, parts: [{ name: 'pool.size', how: 'added' }] }, { path: 'old.yaml', how: 'removed', parts_why: 'more than 5000 names' }] }] };
  const change = (more) => page.route('**/api/takt/delivery/changed?*', (r) => r.fulfill({ json: { rollout: data.last.id, before, files, rollouts: [{ id: 'ab'.repeat(8), change: 'schema', version: '7', state: 'success' }], rollouts_n: 1, flags: [{ key: 'f', flag: 'new-layout', action: 'on' }], flags_n: 203, ...more } }));
  await change({});
  const kind = (more) => ({ old: 0, new: 0, examples: [], ...more });
  const window = { from: '1000', to: '2000' };
  const kinds = {
    service: 'payments', windows: { old: window, new: { from: '1500', to: '2500' } },
    errorKinds: { new: 1, gone: 1, same: 0, unsure: 1, kinds: [kind({ state: 'new', new: 41, query: '{ name = "new" }', type: 'DeadlineExceeded', message: 'no answer', span: 'POST /charge' }), kind({ state: 'gone', old: 80, query: '{ event.exception.type = "Old\\"Bug" }', type: 'Old"Bug', message: '', span: 'GET /x' }), kind({ state: 'unsure', old: 2, type: 'Rare', message: '', span: 'GET /x' })] },
    calls: { new: 1, gone: 0, same: 1, unsure: 0, kinds: [kind({ state: 'new', new: 900, query: '{ span.peer.service = "fraud" }', to: 'fraud', attribute: 'span.peer.service' }), kind({ state: 'same', old: 9, new: 9, to: 'ledger', attribute: 'span.peer.service' })] },
    operations: { new: 1, gone: 1, same: 0, unsure: 0, kinds: [kind({ state: 'new', new: 900, to: 'fraud', attribute: 'span.peer.service', operation: 'POST' }), kind({ state: 'gone', old: 30, to: 'ledger', attribute: 'span.peer.service', operation: 'GET /a' })] },
  };
  await page.route('**/api/takt/delivery/impact?*', (r) => r.fulfill({ json: { ...impact(data.last.id), ...kinds } }));
  await page.visit(`/deploys/${data.last.id}`);
  const part = page.locator('[data-k=changed]');
  await says(part, /1 dependency file \(1 dependency\)\s*703 configuration files \(70 keys\)\s*1 schema rollout\s*203 changes of flags\s*1 dependency more\s*1 call of another kind\s*since v35 \(2 d\)[\s\S]*Not all files: pushes did not tell/);
  await part.getByRole('button', { name: '703 configuration files (70 keys)' }).focus();
  await page.keyboard.press('Enter');
  await until('the address says it', () => query(page).get('changed') === 'config');
  await says(page.locator('[data-k=opened]'), /a\/<b>\.yaml\s+added\s+pool\.size added\s+1 of 70\s+old\.yaml\s+removed\s+not compared: more than 5000 names[\s\S]*2 of 703 are shown/);
  await checkAccess(page, 'what changed');
  await part.getByRole('button', { name: '1 schema rollout' }).click();
  await says(page.locator('[data-k=opened]'), /^7 success$/);
  await part.getByRole('button', { name: '203 changes of flags' }).click();
  await says(page.locator('[data-k=opened]'), /^new-layout on\s+1 of 203 are shown\.$/);
  await part.getByRole('button', { name: '1 call of another kind' }).click();
  await says(page.locator('[data-k=opened] tbody'), /^ledger\s+GET \/a\s+30\s+0\s+gone\s+30 traces$/);
  await part.getByRole('button', { name: '1 dependency more' }).click();
  const calls = page.locator('[data-k=opened] tbody tr');
  assert.equal(await calls.count(), 1, 'only what one version has');
  assert.equal(new URL(await calls.getByRole('link').getAttribute('href'), full.url).searchParams.get('q'), '{ span.peer.service = "fraud" }');
  const errors = page.locator('[data-k=error-kinds]');
  await says(errors, /Kinds of errors: new 1 · gone 1 · in both 0 · too few to tell 1/);
  await errors.getByText('1 kind of which there are too few to tell').click();
  await says(errors.locator('[data-k="kind Rare unsure"]'), /2\s+0\s+too few to tell/);
  await checkAccess(page, 'kinds of errors');
  const gone = new URL(await errors.locator('tbody tr').nth(1).getByRole('link', { name: '80 traces' }).getAttribute('href'), full.url).searchParams;
  assert.equal(gone.get('q'), '{ event.exception.type = "Old\\"Bug" }');
  assert.deepEqual([gone.get('start'), gone.get('end')], ['1000', '2000']);
  await change({ rollouts_n: 312, rollouts: [['schema', '7'], ['config', '8']].map(([kind, version]) => ({ id: version.repeat(16), change: kind, version, state: 'success' })) });
  await page.visit(`/deploys/${data.last.id}?changed=rollouts`);
  await says(page.locator('[data-k=opened]'), /^schema 7 success\s+config 8 success\s+2 of 312 are shown\.$/);
  await says(part, /312 other rollouts/);
  await page.unroute('**/api/takt/delivery/changed?*');
  await page.visit(`/deploys/${data.last.id}`);
  await says(page.locator('[data-k=files-doubt]'), /Which files changed is not known: [\s\S]*takt import git PATH/);
});

it('a deploy: a kind of error opens to as many traces as its row counts', async (open) => {
  const page = await open(full);
  await page.visit(`/deploys/${data.last.id}`);
  const errors = page.locator('[data-k=error-kinds]');
  await errors.getByText('1 kind of which there are too few to tell').click();
  const row = errors.locator('[data-k="kind DeadlineExceeded unsure"]');
  await says(row, /no answer from acme within 1.8 s in POST \/charge\s+0\s+1\s+too few to tell\s+1 trace/);
  await row.getByRole('link', { name: '1 trace' }).click();
  await page.locator('#q').waitFor();
  assert.match(query(page).get('q'), /service\.version = "v142" && status = error && .*"DeadlineExceeded".* && name = "POST \/charge" }$/);
  await says(page.locator('[data-k=counts]'), /^1 of 1 trace\b/);
});

it('a deploy: the command that rolls it back, or how to have one', async (open) => {
  const page = await open(full);
  await page.visit(`/deploys/${data.last.id}`);
  const line = page.locator('[data-k=rollback]');
  await says(line, /To roll it back:\s*no command: the catalogue has no command for this service/);
  await line.getByText('How to set it').click();
  await says(line, /services:\s+payments:\s+rollback: helm rollback/);
  await checkAccess(page, 'how to set a rollback');
  const list = (services) => fetch(`${full.url}/api/takt/delivery/catalogue`, { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ services }) });
  const wrong = await list({ payments: { rollback: 'undo {name}' } });
  assert.equal(wrong.status, 400);
  assert.match(await wrong.text(), /services\.payments\.rollback: there is no placeholder \{name\}/);
  assert.equal((await list({ payments: { rollback: 'undo {service}:{version} --to {previous}' } })).status, 200);
  await page.visit(`/deploys/${data.last.id}`);
  const { rollback, rollout } = await ask(`deploy?rollout=${data.last.id}`);
  assert.equal(rollback.command, `undo payments:v142 --to ${(await ask(`deploy?rollout=${rollout.before}`)).rollout.version}`);
  await says(line.locator('code.command'), exactly(rollback.command));
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await line.getByRole('button', { name: 'Copy rollback command' }).click();
  await until('it is copied', async () => (await page.evaluate(() => navigator.clipboard.readText())) === rollback.command);
  assert.equal((await list({})).status, 200);
});

it('a deploy: its latency beside the version before, also as a table, and what it cannot know', async (open) => {
  const page = await open(full);
  await page.visit(`/deploys/${data.last.id}`);
  const part = page.locator('[data-k=latency]');
  await says(part, /before v141: p50 [\d.]+ m?s, p99 [\d.]+ m?s, \d+ requests?[\s\S]*after v142: p50/);
  await has(part.locator('.latency svg[role=img]'), 'aria-label', 'Shares of requests by latency, of v141 and v142; as a table by the button');
  await part.getByRole('button', { name: 'As table' }).focus();
  await page.keyboard.press('Enter');
  await until('the address says it', () => query(page).get('latency') === '1');
  const share = async (n) => (await part.locator(`tbody td:nth-of-type(${n})`).allInnerTexts()).reduce((sum, t) => sum + Number(/^([\d.]+) %/.exec(t)?.[1] ?? 0), 0);
  for (const n of [1, 2]) assert(Math.abs((await share(n)) - 100) < 1, `${n}: ${await share(n)}`);
  await checkAccess(page, 'latency as a table');
  await page.getByRole('link', { name: 'typical' }).click();
  await page.locator('.traces tbody tr').first().waitFor();
  await page.visit(`/deploys/${data.last.id}`);
  await page.getByRole('link', { name: 'explain against other versions' }).click();
  await until('the search', () => query(page).get('q') === '{ resource.service.name = "payments" } | compare({ resource.service.version = "v142" })');
  await page.route('**/api/takt/delivery/deploy?*', async (r) => {
    const json = await (await r.fetch()).json();
    delete json.rollout.version;
    Object.assign(json.rollout, { commits_state: 'known', commits: 2 });
    const ago = (min) => String(BigInt(json.rollout.finished) - BigInt(min) * 60_000_000_000n);
    json.commits = [{ sha: 'a'.repeat(40), subject: 'one', authored: ago(550), committed: ago(500) }, { sha: 'b'.repeat(40), subject: 'two', authored: ago(700), committed: ago(500) }];
    json.change_requests = [{ key: 'x', number: 7, title: 'change', opened: ago(480), merged: ago(120) }];
    return r.fulfill({ json });
  });
  await page.visit(`/deploys/${data.last.id}`);
  await says(part, /Cannot know: the rollout names no version/);
  await says(page.locator('[data-k=deploy]'), /Lead time\s+9 h 10 min/);
  await says(page.locator('[data-k=waits]'), /Its change was open for review 6 h, then merged and not deployed 2 h/);
  await checkAccess(page, 'a deploy without a version');
  await page.unroute('**/api/takt/delivery/deploy?*');
  await page.route('**/api/metrics/query?*', (r) => r.fulfill({ status: 503, body: 'busy' }));
  await page.visit(`/deploys/${data.last.id}`);
  await says(page.getByRole('alert'), /latency around it could not be read[\s\S]*503: busy/);
});

it('a deploy that is not there is said, and so is a server that fails', async (open) => {
  const page = await open(full);
  await page.visit('/deploys/0123456789abcdef');
  await page.getByRole('heading', { name: 'No such rollout' }).waitFor();
  await page.route('**/api/takt/delivery/deploy?*', (r) => r.fulfill({ status: 500, body: 'the facts cannot be read' }));
  await page.visit(`/deploys/${data.last.id}`);
  await says(page.getByRole('alert'), /could not be read[\s\S]*500: the facts cannot be read/);
  await page.unroute('**/api/takt/delivery/deploy?*');
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByRole('heading', { level: 1, name: 'payments v142' }).waitFor();
});

// --- deploys elsewhere ------------------------------------------------------------------------------------

it('deploys stand on the time axes of traces and metrics, and open by keyboard', async (open) => {
  const page = await open(full);
  await page.visit('/traces');
  const mark = page.locator('[data-k=markers] a');
  await mark.waitFor();
  const label = await mark.getAttribute('aria-label');
  assert.match(label, /^Deploy of payments v142, failed, \d{4}-/);
  const [at, box] = [await mark.boundingBox(), await page.locator('.heat').boundingBox()];
  assert(at.x >= box.x && at.x + at.width <= box.x + box.width, 'it lies above the picture');
  await page.visit(`/traces?q=${encodeURIComponent('{ resource.service.name = "payments" } | compare({ duration > 1.5s })')}`);
  await page.getByRole('link', { name: 'Deploy of payments v142' }).click();
  await page.getByRole('heading', { name: /payments\s*v142/ }).waitFor();
  await page.visit(`/traces?q=${encodeURIComponent('{ } | rate()')}`);
  await mark.focus();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'payments v142' }).waitFor();
  await page.visit('/traces?range=15m');
  await page.locator('.heat').waitFor();
  await page.locator('[data-ready]').waitFor();
  assert.equal(await mark.count(), 0, 'no deploy, no mark');
});

it('the version of a span leads to the deploy that brought it', async (open) => {
  const page = await open(full);
  const bad = data.shop.findLast((t) => t.spans.some((s) => s.service === 'payments' && s.version === 'v142') && BigInt(data.last.finished) < t.start);
  assert(bad, 'a trace of the new version');
  const { span } = bad.spans.find((s) => s.service === 'payments' && s.version === 'v142');
  await page.visit(`/t/${bad.traceId}?span=${span.spanId}`);
  await says(page.locator('[data-k=deploy-of]'), /Deploy of v142 .*before this span/);
  await page.getByRole('link', { name: 'Deploy of v142' }).click();
  await page.getByRole('heading', { level: 1, name: 'payments v142' }).waitFor();
});

// --- the first page ---------------------------------------------------------------------------------------

it('the executive lens: the figures of the API, each opens to its rows', async (open) => {
  const page = await open(full);
  await page.visit('/?lens=exec');
  const { measures } = await ask('measures?window=84d');
  const cfr = measures.find((m) => m.name === 'change_failure_rate');
  await says(page.locator('[data-k="figure change_failure_rate"]'), new RegExp(`Change failure rate[\\s\\S]*${cfr.numerator} of ${cfr.denominator}`));
  await says(page.locator('[data-k=users]'), /of requests failed[\s\S]*root spans[\s\S]*POST \/checkout/);
  const trend = await ask('trend?measure=change_failure_rate&step=week&window=84d');
  assert(trend.points.some((p) => p.value > 0), 'the data has a trend');
  await has(page.locator('[data-k="figure deployment_frequency"] .spark'), 'role', 'img');
  await page.locator('[data-k="figure change_failure_rate"]').getByRole('link').click();
  await page.locator('[data-k=why] tbody tr').first().waitFor();
  await says(page.locator('[data-k="figure change_failure_rate"]'), new RegExp(`${cfr.numerator} of ${cfr.denominator}`));
  await page.getByRole('button', { name: 'The last 90 days' }).click();
  await page.getByLabel('Window', { exact: true }).waitFor();
});

it('the executive lens in words and by team, each opens to its figure', async (open) => {
  const page = await open(full);
  await page.visit('/?lens=exec');
  await says(page.locator('[data-k=words]'), /^Deployment frequency (up|down|no sure change|with nothing to compare).*, lead time for changes not known, change failure rate/);
  assert.equal(await page.locator('[data-k=teams]').count(), 0, 'the catalogue names none');
  const list = (services) => fetch(`${full.url}/api/takt/delivery/catalogue`, { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ services }) });
  assert.equal((await list({ payments: { team: '=money' }, checkout: { team: 'web' } })).status, 200);
  await page.visit('/?lens=exec');
  const { measures } = await ask('measures?window=84d&team=web');
  const cfr = measures.find((m) => m.name === 'change_failure_rate');
  await says(page.locator('[data-k="team web"]'), new RegExp(`^web[\\s\\S]*${cfr.value * 100 >= 10 ? (cfr.value * 100).toFixed(1) : ''}`));
  const { rows } = await saved(page, () => page.getByRole('button', { name: 'Measures by team as csv' }).click());
  assert.deepEqual(rows.map((r) => r.split(',')[0]), ['team', `"'=money"`, 'web']);
  await checkAccess(page, 'by team');
  await page.locator('[data-k="team web"]').getByRole('link').nth(2).click();
  await until('the figure', () => query(page).get('team') === 'web' && query(page).get('why') === 'change_failure_rate');
  await says(page.locator('[data-k="figure change_failure_rate"]'), new RegExp(`${cfr.numerator} of ${cfr.denominator}`));
  assert.equal((await list({})).status, 200);
});

it('what holds the tempo back, with its evidence, where a change spends its time, and what cannot be known', async (open) => {
  const page = await open(full);
  const { headline, rules, modes, dimensions } = await ask('profile?window=90d');
  await page.visit('/delivery');
  await says(page.locator('[data-k=tempo]'), exactly(headline.text));
  await says(page.locator('[data-k=tempo]'), exactly(headline.evidence));
  await page.getByText(/^Maturity:/).click();
  const unknown = dimensions.find((d) => d.level === undefined);
  await says(page.locator(`[data-k="dimension ${unknown.name}"]`), /cannot know which of/);
  await page.getByText(/^Rules that hold/).click();
  assert.equal(await page.locator('[data-k=tempo] [data-k^="finding "]').count(), rules.length + modes.length);
  await says(page.locator('[data-k="finding no-owner"]'), exactly(rules.find((r) => r.name === 'no-owner').evidence));
  await checkAccess(page, 'the tempo, opened');
  await page.route('**/api/takt/delivery/measures?*', async (r) => {
    const answer = await (await r.fetch()).json();
    for (const m of answer.measures) if (['coding_time', 'review_time'].includes(m.name)) Object.assign(m, { value: 3600, n: 9 });
    return r.fulfill({ json: answer });
  });
  await page.visit('/delivery?service=payments');
  await says(page.locator('[data-k=stages]'), /Coding time[\s\S]*1 h[\s\S]*Time in review[\s\S]*1 h/);
  await page.locator('[data-k=stages]').getByRole('link', { name: 'Coding time' }).click();
  await until('the address says it', () => query(page).get('why') === 'coding_time');
  await page.visit('/delivery?as=fourkeys');
  assert.equal(await page.locator('[data-k=tempo]').count(), 0);
  await page.route('**/api/takt/delivery/profile?*', (r) => r.fulfill({ status: 500, body: 'broken' }));
  await page.visit('/delivery');
  await says(page.locator('main'), /What holds the tempo back could not be judged/);
});

it('trends are shown where the server tells them, as a picture and as a table', async (open) => {
  const page = await open(full);
  const week = 604_800_000_000_000n;
  await page.route('**/api/takt/delivery/trend?*', (r) => {
    const q = new URL(r.request().url()).searchParams;
    const from = BigInt(q.get('from')) * 1_000_000_000n;
    const points = [0.1, null, 0.3].map((value, i) => ({ from: String(from + BigInt(i) * week), to: String(from + BigInt(i + 1) * week), ...(value && { value, interval: [value / 2, value * 2] }), n: i + 1, partial: i === 2 }));
    return r.fulfill({ json: { name: q.get('measure'), points } });
  });
  for (const path of ['/?lens=exec', '/delivery?service=payments']) {
    await page.visit(path);
    await until('five pictures', async () => (await page.locator('.spark').count()) === 5);
    await has(page.locator('[data-k="figure change_failure_rate"] .spark'), 'aria-label', 'Change failure rate by week, from 10.0 % to 10.0 % over 2 weeks, without the one that is not over');
    await page.getByText('Week by week, as a table').click();
    await says(page.locator('[data-k=trends]'), /10\.0 % of 1[\s\S]*–[\s\S]*\(not whole\)[\s\S]*30\.0 % of 3/);
    await checkAccess(page, path);
  }
});

it('on call: recent deploys, and what fails now', async (open) => {
  const page = await open(full);
  await page.visit('/');
  await says(page.locator('[data-k=recent]'), /deploys? in 7 days[\s\S]*payments v142/);
  await says(page.locator('[data-k=failing]'), /with errors? in 30 min/);
  await page.getByRole('link', { name: 'Executive' }).click();
  await until('the lens', () => query(page).get('lens') === 'exec');
  await page.goBack();
  await page.locator('[data-k=recent]').waitFor();
});

it('on call: open incidents, the health of services, alerts of teams', async (open) => {
  const page = await open(full);
  const list = (services) => fetch(`${full.url}/api/takt/delivery/catalogue`, { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ services }) });
  assert.equal((await list({ payments: { team: 'money' } })).status, 200);
  await page.visit('/');
  await says(page.locator('[data-k=open]'), /^1 open incident\s+1 severity 2[\s\S]*payments answers late[\s\S]*v142/);
  const row = page.locator('[data-k="health payments"]');
  await says(row, /^payments\s+[\d.]+ %\s+was [\d.]+ %\s+[\d.]+ m?s was [\d.]+ m?s\s+\d+\s+v142 \d{4}-[\s\S]*failed in production\s+payments answers late, severity 2/);
  assert.equal(await page.locator('[data-k=health] tbody tr').first().getAttribute('data-k'), 'health payments', 'hurt ones stand first');
  await says(page.locator('[data-k="health catalog"]'), /none in 30 days[\s\S]*none open/);
  const catalog = page.locator('[data-k="health catalog"]');
  const asked = new URLSearchParams((await catalog.getByRole('link').first().getAttribute('href')).split('?')[1]);
  const counted = await (await fetch(`${full.url}/api/metrics/query?${new URLSearchParams({ q: '{ (kind = server || kind = consumer || nestedSetParent < 0) && resource.service.name = "catalog" } | count_over_time()', start: asked.get('start'), end: asked.get('end') })}`)).json();
  await says(catalog, new RegExp(`^catalog\\s+0 % was [\\s\\S]*ms\\s+${counted.series[0].value}\\s+none in`));
  const { teams } = await ask('alerts');
  assert.deepEqual(teams.map((t) => [t.team, t.weeks]), [['money', [12, 1, 1, 1, 1]], [undefined, [1, 0, 0, 0, 0]]]);
  await says(page.locator('[data-k="alerts money"]'), /money\s+12\s+1\s+\d+\s+1\s+12 times a usual week/);
  await says(page.locator('[data-k="alerts "]'), /no team is known\s+1\s+0/);
  await page.locator('[data-k="health payments"]').getByRole('link', { name: 'v142' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'payments v142' }).waitFor();
  await page.visit('/?lens=exec');
  await says(page.locator('[data-k=open]'), /^1 open incident\s+1 severity 2/);
  assert.equal(await page.locator('[data-k=open] table').count(), 0);
  assert.equal((await list({})).status, 200);
});

it('on call: errors that rose and a count that stopped early are said in words', async (open) => {
  const page = await open(full);
  let asked = 0;
  await page.route('**/api/metrics/query?*', (r) => {
    const q = new URL(r.request().url()).searchParams;
    if (!q.get('q').includes('count_over_time')) return r.fulfill({ json: { series: [] } });
    const later = BigInt(q.get('end')) > BigInt(Date.now() - 600_000) * 1_000_000n;
    asked++;
    const of = (status, value) => ({ labels: [{ key: 'resource.service.name', value: { stringValue: 'web' } }, { key: 'status', value: { stringValue: status } }], value });
    return r.fulfill({ json: { series: [of('unset', 100), ...(later ? [of('error', 20)] : [])], ...(later ? { status: 'PARTIAL', message: 'the deadline' } : {}) } });
  });
  await page.visit('/');
  assert.equal(asked, 2);
  await says(page.locator('[data-k=health]'), /services, 1 has more errors than before[\s\S]*Not all was counted: the deadline/);
  await says(page.locator('[data-k="health web"]'), /rose to 16\.7 % was 0 %\s+– was –\s+120/);
  await checkAccess(page, 'errors that rose');
  await page.unroute('**/api/metrics/query?*');
  await page.route('**/api/metrics/query?*', (r) => r.fulfill({ status: 503, body: 'busy' }));
  await page.visit('/');
  await says(page.getByRole('alert'), /health of the services could not be read[\s\S]*503: busy/);
});

it('what came in, and what was not taken', async (open) => {
  const page = await open(full);
  await fetch(`${full.url}/events`, { method: 'POST', headers: { 'content-type': 'application/cloudevents+json' }, body: '{' });
  const { refused_in_all: refused } = await ask('intake');
  await page.visit('/delivery');
  await says(page.locator('[data-k=intake]'), new RegExp(`${refused} requests? (was|were) refused[\\s\\S]*events`));
});

for (const viewport of widths)
  it(`breaks no rule of accessibility, ${viewport.width > 700 ? 'light or dark' : 'light'}, ${viewport.width} px wide`, async (open) => {
    const [none, page] = [await open(empty, { viewport }), await open(full, { viewport })];
    const one = `/deploys/${data.last.id}`;
    for (const [on, path] of [[none, '/delivery'], [none, '/deploys/0123456789abcdef'], [page, '/delivery?why=lead_time&levels=2021'], [page, '/delivery?why=change_failure_rate&service=checkout'], [page, '/delivery?when=hour&step=month'], [page, `${one}?latency=1`],
      [page, one], [page, `${one}?table=1`], [page, `/deploys/${data.undone.id}`], [page, '/'], [page, '/?lens=exec'], [page, '/traces']]) {
      await on.visit(path);
      await checkAccess(on, path);
    }
  });
