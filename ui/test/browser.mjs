// SPDX-License-Identifier: Apache-2.0
// What the tests in the browser and the screenshots share: a server (TAKT_URL and TAKT_OTLP, or
// build/takt with a directory and ports of its own), a Chromium, pages that tell of every error.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

export const repo = join(dirname(fileURLToPath(import.meta.url)), '../..');
const START_MS = 15_000;

async function freePorts(n) {
  const servers = [];
  for (let i = 0; i < n; i++) {
    const s = createServer();
    await new Promise((done) => s.listen(0, '127.0.0.1', done));
    servers.push(s);
  }
  const ports = servers.map((s) => s.address().port);
  await Promise.all(servers.map((s) => new Promise((done) => s.close(done))));
  return ports;
}

async function wait(what, ms, test) {
  const end = Date.now() + ms;
  for (;;) {
    if (await test()) return;
    if (Date.now() > end) throw new Error(`no ${what} within ${ms} ms`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

// An own server with an empty store; settings are flags.
export async function startTakt(settings = []) {
  const program = join(repo, 'build/takt');
  if (!existsSync(program)) throw new Error('build/takt is not there: run make build');
  const dir = await mkdtemp(join(tmpdir(), 'takt-ui-'));
  const [http, otlpHttp, otlpGrpc] = await freePorts(3);
  const child = spawn(program, ['serve', '--data', dir, '--http', `127.0.0.1:${http}`,
    '--otlp-http', `127.0.0.1:${otlpHttp}`, '--otlp-grpc', `127.0.0.1:${otlpGrpc}`, ...settings], { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.on('data', (text) => (log = (log + text).slice(-20_000)));
  const url = `http://127.0.0.1:${http}`;
  const stop = async () => {
    if (child.exitCode === null) {
      child.kill('SIGTERM');
      await new Promise((done) => child.once('exit', done));
    }
    await rm(dir, { recursive: true, force: true });
  };
  try {
    await wait(`answer from ${url}`, START_MS, async () => {
      if (child.exitCode !== null) throw new Error(`takt ended with ${child.exitCode}\n${log}`);
      return fetch(`${url}/ready`).then((a) => a.ok, () => false);
    });
  } catch (e) {
    await stop();
    throw new Error(`${e.message}\n${log}`);
  }
  return { url, otlp: `http://127.0.0.1:${otlpHttp}`, stop };
}

// A server with data, one without. From the environment, both may be given; settings are of the own ones.
export async function servers(settings = []) {
  const given = (name) => process.env[name] && { url: process.env[name], otlp: process.env[`${name}_OTLP`] ?? process.env[name], stop: async () => {} };
  return { full: given('TAKT_URL') || (await startTakt(settings)), empty: given('TAKT_EMPTY_URL') || (await startTakt(settings)) };
}

export async function startBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-quic', '--no-first-run', '--font-render-hinting=none'],
  });
}

// A fresh page of one origin. `trouble` collects all that must not happen: exceptions, messages of
// the browser (CSP among them), requests to elsewhere.
export async function openPage(browser, server, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1360, height: 860 }, colorScheme: 'light', ...options });
  const page = await context.newPage();
  page.trouble = [];
  page.on('pageerror', (e) => page.trouble.push(`exception: ${e.stack ?? e}`));
  page.on('console', (m) => {
    if (m.type() === 'error' && !/Failed to load resource/.test(m.text())) page.trouble.push(`console: ${m.text()}`);
  });
  page.on('request', (r) => {
    const url = new URL(r.url());
    if (url.origin !== new URL(server.url).origin && !['data:', 'blob:'].includes(url.protocol)) page.trouble.push(`request to ${r.url()}`);
  });
  page.visit = async (path) => {
    await page.goto(server.url + path);
    await page.locator('[data-ready]').waitFor();
    await settle(page); // what the data brings is drawn in the next frame
  };
  // One step through the history, as by the browser's buttons. Playwright's own goBack() waits for the
  // end of a navigation, and gives up when the page that it comes to changes its address meanwhile.
  const step = async (by) => {
    const from = page.url();
    await page.evaluate((by) => setTimeout(() => history.go(by)), by);
    await until(`another address than ${from}`, () => page.url() !== from);
    await page.locator('[data-ready]').waitFor();
    await settle(page);
  };
  page.back = () => step(-1);
  page.forward = () => step(1);
  return page;
}

// --- what the tests share ---------------------------------------------------------------------------------

// Tests with pages that are looked through and closed at their end. getBrowser: there is none yet
// when the tests are named. What fails is tried a second time, from a fresh page, and that is told: a
// browser on a busy machine drops a frame or a navigation now and then, a defect fails twice. A page that
// threw, or asked for what it must not, has failed at once.
export function pageTests(getBrowser) {
  const pages = [];
  const look = () => assert.deepEqual(pages.flatMap((p) => p.trouble), []);
  const closeAll = () => Promise.all(pages.splice(0).map((p) => p.context().close()));
  let troubled = false;
  const once = async (body, t) => {
    try {
      await body(async (server, options) => {
        const page = await openPage(getBrowser(), server, options);
        pages.push(page);
        return page;
      }, t);
      look();
    } finally {
      troubled = pages.some((p) => p.trouble.length > 0);
      await closeAll();
    }
  };
  const it = (name, body) =>
    test(name, async (t) => {
      try {
        await once(body, t);
      } catch (e) {
        if (troubled) throw e;
        t.diagnostic(`SECOND TRY of "${name}" after: ${e.stack ?? e}`);
        await once(body, t);
      }
    });
  return { it };
}

export const settle = (page) => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(done)))));
export const until = async (what, ask, ms = 10_000) => {
  const end = Date.now() + ms;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    assert(Date.now() < end, `never: ${what}`);
    await new Promise((done) => setTimeout(done, 30));
  }
};
// Pages follow the hand within a frame or two, so what they say is asked for until it is right.
export const says = async (locator, wanted) => {
  let text = '';
  await until(`${wanted}`, async () => wanted.test((text = await locator.innerText({ timeout: 5000 }).catch(() => '')))).catch(() => assert.match(text, wanted));
};
export const has = (locator, name, wanted) => until(`${name}=${wanted}`, async () => (await locator.getAttribute(name)) === wanted);
// Parts of a page are loaded after its list, and its address follows the hand a little later: until then
// what it shows is not all of it.
export const whole = (page) => until('nothing is being loaded', () => page.evaluate(() => !document.querySelector('[aria-busy=true], .busy.on, .loading, html[data-late]')));
// What a page shows, as text: every marked part, and what is pressed, selected, unfolded.
export async function digest(page) {
  await settle(page);
  await whole(page);
  return page.evaluate(() => [...document.querySelectorAll('[data-k], [aria-pressed], #find, #q, .fields :is(input, select), .range :is(input, select)')].filter((e) => e.checkVisibility()).map((e) =>
    [e.dataset.k, e.getAttribute('aria-selected'), e.getAttribute('aria-expanded'), e.getAttribute('aria-pressed'), e.className.replace(/ ?picked/, ''), e.value, e.checked, e.innerText.replace(/(just now|in .*|\d.* ago)$/gm, 'ago')].join('|')).sort());
}
export async function sameView(page, other) {
  const want = await digest(page);
  await until(`the same view at ${page.url()}`, async () => JSON.stringify(await digest(other)) === JSON.stringify(want)).catch(async (e) => {
    assert.deepEqual(await digest(other), want, page.url());
    throw e;
  });
}

let axeSource;
const RULES = { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] };
const COLOUR_RULES = { type: 'rule', values: ['color-contrast', 'link-in-text-block'] };
// within: only this part, for one that lies over the rest of the page.
export async function axeProblems(page, within = null, runOnly = RULES) {
  axeSource ??= readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axeSource);
  return page.evaluate(async ([within, runOnly]) => {
    const { violations } = await window.axe.run(within ?? document, { runOnly });
    return violations.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => `${n.target} ${n.failureSummary}`).join(' | ')}`);
  }, [within, runOnly]);
}

// A view in both themes, on one visit: the rules that look at colours run in each, the others, which
// see no colour, once. Colours do not depend on the width: a narrow page is looked at in one theme. Nor
// may it be wider than the window.
export async function checkAccess(page, what, within = null) {
  const at = `${what} at ${page.viewportSize().width}`;
  for (const colorScheme of page.viewportSize().width > 700 ? ['light', 'dark'] : ['light']) {
    await page.emulateMedia({ colorScheme });
    await settle(page);
    assert.deepEqual(await axeProblems(page, within, colorScheme === 'light' ? RULES : COLOUR_RULES), [], `${at}, ${colorScheme}`);
  }
  await page.emulateMedia({ colorScheme: 'light' });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert(wide <= 0, `${at} is ${wide} px wider than the window`);
}
export const widths = [{ width: 1360, height: 860 }, { width: 360, height: 740 }];
