// SPDX-License-Identifier: Apache-2.0
// Screenshots of every page, light and dark, wide and narrow, into build/shots. To be looked at.
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { openPage, repo, servers, startBrowser } from './test/browser.mjs';
import { deep, hostile, send, shop, skewed, sparse, wide } from './test/data.mjs';

const out = join(repo, 'build/shots');

async function fill(server) {
  const now = BigInt(Date.now()) * 1_000_000n;
  const start = now - 60_000_000_000n;
  const named = {
    shop: shop({ now, minutes: 50 }),
    skewed: skewed({ start }),
    sparse: sparse({ start: start - 8n * 3_600_000_000_000n }),
    hostile: hostile({ start }),
    deep: deep({ n: 300, start }),
    wide: wide({ n: 20_000, start: start - 100_000_000_000n }),
  };
  for (const traces of Object.values(named)) await send(server.otlp, traces);
  await fetch(`${server.otlp}/v1/traces`, { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'hello' });
  return named;
}

const failing = (traces) => traces.findLast((t) => t.spans.some((s) => s.span.status?.code === 2) && t.spans.length > 12);

async function main() {
  const { full, empty } = await servers();
  const browser = await startBrowser();
  try {
    await rm(out, { recursive: true, force: true });
    await mkdir(out, { recursive: true });
    const data = await fill(full);
    const bad = failing(data.shop);
    const span = bad.spans.find((s) => s.span.name === 'POST /charge').span.spanId;
    const shots = [
      ['start-empty', empty, '/start'],
      ['start-container', empty, '/start?container=1&lang=Node'],
      ['traces-empty', empty, '/traces'],
      ['start-full', full, '/start'],
      ['traces', full, '/traces'],
      ['traces-nomatch', full, '/traces?service=nothing&min=abc'],
      ['trace', full, `/t/${bad.traceId}?span=${span}`],
      ['trace-critical', full, `/t/${bad.traceId}?critical=1`],
      ['trace-wide', full, `/t/${data.wide.traceId}?q=publish`],
      ['trace-deep', full, `/t/${data.deep.traceId}`],
      ['trace-skewed', full, `/t/${data.skewed.traceId}`],
      ['trace-sparse', full, `/t/${data.sparse.traceId}?gaps=1`],
      ['trace-hostile', full, `/t/${data.hostile.traceId}`],
      ['trace-missing', full, '/t/0123456789abcdef0123456789abcdef', '.empty'],
      ['about', full, '/settings/about'],
    ];
    for (const [look, options] of Object.entries({
      light: { colorScheme: 'light' },
      dark: { colorScheme: 'dark' },
      'narrow-light': { colorScheme: 'light', viewport: { width: 360, height: 740 } },
    })) {
      for (const [name, server, path, wait = '[data-ready]'] of shots) {
        const page = await openPage(browser, server, options);
        await page.goto(server.url + path);
        await page.locator(wait).first().waitFor();
        await page.waitForTimeout(250);
        await page.screenshot({ path: join(out, `${name}-${look}.png`), fullPage: !(await page.locator('body.fixed').count()) });
        if (page.trouble.length) console.error(name, look, page.trouble);
        await page.context().close();
      }
    }
    console.log(`screenshots are in ${out}`);
  } finally {
    await browser.close();
    await full.stop();
    await empty.stop();
  }
}

await main();
