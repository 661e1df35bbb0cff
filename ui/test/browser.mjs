// SPDX-License-Identifier: Apache-2.0
// What the tests in the browser and the screenshots share: a server (TAKT_URL and TAKT_OTLP, or
// build/takt with a directory and ports of its own), a Chromium, pages that tell of every error.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
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

async function until(what, ms, test) {
  const end = Date.now() + ms;
  for (;;) {
    if (await test()) return;
    if (Date.now() > end) throw new Error(`no ${what} within ${ms} ms`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

// An own server with an empty store.
export async function startTakt() {
  const program = join(repo, 'build/takt');
  if (!existsSync(program)) throw new Error('build/takt is not there: run make build');
  const dir = await mkdtemp(join(tmpdir(), 'takt-ui-'));
  const [http, otlpHttp, otlpGrpc] = await freePorts(3);
  const child = spawn(program, ['serve', '--data', dir, '--http', `127.0.0.1:${http}`,
    '--otlp-http', `127.0.0.1:${otlpHttp}`, '--otlp-grpc', `127.0.0.1:${otlpGrpc}`], { stdio: ['ignore', 'ignore', 'pipe'] });
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
    await until(`answer from ${url}`, START_MS, async () => {
      if (child.exitCode !== null) throw new Error(`takt ended with ${child.exitCode}\n${log}`);
      return fetch(`${url}/ready`).then((a) => a.ok, () => false);
    });
  } catch (e) {
    await stop();
    throw new Error(`${e.message}\n${log}`);
  }
  return { url, otlp: `http://127.0.0.1:${otlpHttp}`, stop };
}

// A server with data, one without. From the environment, both may be given.
export async function servers() {
  const given = (name) => process.env[name] && { url: process.env[name], otlp: process.env[`${name}_OTLP`] ?? process.env[name], stop: async () => {} };
  return { full: given('TAKT_URL') || (await startTakt()), empty: given('TAKT_EMPTY_URL') || (await startTakt()) };
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
  };
  return page;
}
