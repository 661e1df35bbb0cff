// SPDX-License-Identifier: Apache-2.0
// Screenshots of every page, or of those whose name matches the argument, light and dark, wide and
// narrow, into build/shots. To be looked at.
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { openPage, repo, servers, startBrowser } from './test/browser.mjs';
import { deep, hostile, send, sendDelivery, shop, skewed, sparse, wide } from './test/data.mjs';

const out = join(repo, 'build/shots');

async function fill(server) {
  const now = BigInt(Date.now()) * 1_000_000n;
  const start = now - 60_000_000_000n;
  const named = {
    shop: shop({ now, minutes: 50 }),
    skewed: skewed({ start }),
    sparse: sparse({ start: start - 20n * 3_600_000_000_000n }),
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
    await sendDelivery(full);
    const { rollouts } = await (await fetch(`${full.url}/api/takt/delivery/deploys`)).json();
    const shipped = (version) => rollouts.find((r) => r.service === 'payments' && r.version === version).id;
    const bad = failing(data.shop);
    const good = data.shop.findLast((t) => t.spans.length > 12 && t !== bad && !t.spans.some((s) => s.span.status?.code === 2));
    const q = encodeURIComponent;
    const span = bad.spans.find((s) => s.span.name === 'POST /charge').span.spanId;
    const now = BigInt(Date.now());
    const cohorts = `/compare?q=${q('{ resource.service.name = "payments" }')}&start=${now - 7_200_000n}000000&end=${now}000000&box=${now - 7_200_000n}-${now},1500000000-60000000000`;
    const wanted = new RegExp(process.argv[2] ?? '');
    const shots = [
      ['delivery-empty', empty, '/delivery'],
      ['delivery', full, '/delivery?levels=2023'],
      ['delivery-hours', full, '/delivery?when=hour&step=month&window=365d'],
      ['delivery-other', full, '/delivery?as=fourkeys'],
      ['delivery-why', full, '/delivery?why=change_failure_rate', '[data-k=why] table'],
      ['home-oncall', full, '/'],
      ['home-executive', full, '/?lens=exec'],
      ['deploy', full, `/deploys/${shipped('v142')}`],
      ['deploy-undone', full, `/deploys/${rollouts.find((r) => r.failure === 'remedy').id}`],
      ['deploy-missing', full, '/deploys/0123456789abcdef'],
      ['start-empty', empty, '/start'],
      ['start-container', empty, '/start?container=1&lang=Node'],
      ['traces-empty', empty, '/traces'],
      ['start-full', full, '/start'],
      ['traces', full, '/traces'],
      ['traces-nomatch', full, `/traces?q=${q('{ name = "nothing" }')}`],
      ['traces-elsewhere', full, `/traces?range=15m&q=${q('{ name = "reserve" }')}`],
      ['traces-invalid', full, `/traces?q=${q('{ resource.service.name = && status = error }')}`],
      ['traces-query', full, `/traces?q=${q('{ resource.service.name = "payments" && status = error } | select(span.http.route, span.payment.provider)')}&tick=${bad.traceId}`],
      ['traces-spans', full, `/traces?rows=spans&sort=slowest&q=${q('{ status = error && duration > 100ms }')}`],
      ['traces-complete', full, '/traces', '[data-ready]', async (p) => {
        await p.locator('#q').click();
        await p.keyboard.type('{ resource.service.name = "');
        await p.locator('.suggest li').first().waitFor();
        await p.keyboard.press('ArrowDown');
      }],
      ['traces-explain', full, `/traces?q=${q('{ resource.service.name = "payments" }')}`, '.heat canvas', async (p) => {
        await p.locator('.heat').focus();
        for (const key of ['Home', 'PageUp', 'PageUp', 'PageUp', 'Shift+End', 'Shift+ArrowDown', 'Enter']) await p.keyboard.press(key);
        await p.locator('[data-k=explain]').waitFor();
      }],
      ['traces-value', full, `/traces?q=${q('{ status = error } | select(span.http.route)')}`, '.value-cell', async (p) => p.locator('.value-cell').nth(1).click()],
      ['traces-heat-table', full, `/traces?table=1&q=${q('{ resource.service.name = "payments" }')}`, '[data-k=heat-table]'],
      ['metrics-rate', full, `/traces?q=${q('{ resource.service.name =~ "web|checkout|payments|catalog" } | rate() by (resource.service.name)')}`, '.chart'],
      ['metrics-quantile', full, `/traces?q=${q('{ name = "POST /pay" } | quantile_over_time(duration, 0.5, 0.95)')}`, '.chart', async (p) => {
        await p.locator('.chart').focus();
        for (let i = 0; i < 60; i++) await p.keyboard.press('ArrowRight');
      }],
      ['metrics-table', full, `/traces?table=1&q=${q('{ status = error } | count_over_time() by (resource.service.name)')}`, '[data-k=chart-table]'],
      ['compare', full, `/compare?a=${good.traceId}&b=${bad.traceId}`, '.cmp'],
      ['compare-choose', full, '/compare'],
      ['compare-cohorts', full, cohorts, '.cmp'],
      ['trace', full, `/t/${bad.traceId}?span=${span}`],
      ['trace-critical', full, `/t/${bad.traceId}?critical=1`],
      ['trace-wide', full, `/t/${data.wide.traceId}?q=publish`],
      ['trace-deep', full, `/t/${data.deep.traceId}`],
      ['trace-skewed', full, `/t/${data.skewed.traceId}`],
      ['trace-sparse', full, `/t/${data.sparse.traceId}?gaps=1`],
      ['trace-hostile', full, `/t/${data.hostile.traceId}`],
      ['trace-missing', full, '/t/0123456789abcdef0123456789abcdef', '.empty'],
      ['about', full, '/settings/about'],
    ].filter(([name]) => wanted.test(name));
    for (const [look, options] of Object.entries({
      light: { colorScheme: 'light', viewport: { width: 1280, height: 860 } },
      dark: { colorScheme: 'dark', viewport: { width: 1280, height: 860 } },
      'narrow-light': { colorScheme: 'light', viewport: { width: 360, height: 740 } },
      'narrow-dark': { colorScheme: 'dark', viewport: { width: 360, height: 740 } },
    })) {
      for (const [name, server, path, wait = '[data-ready]', act] of shots) {
        const page = await openPage(browser, server, options);
        await page.goto(server.url + path);
        await page.locator(wait).first().waitFor();
        await page.waitForTimeout(250);
        await act?.(page);
        await page.waitForTimeout(act ? 250 : 0);
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
