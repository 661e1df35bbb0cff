// SPDX-License-Identifier: Apache-2.0
// The tests of the web app that need no browser: types, then the unit tests, bundled for Node.
// Prints TAP.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';

const ui = join(dirname(fileURLToPath(import.meta.url)), '..');
const repo = join(ui, '..');
const out = join(repo, 'build/ui-test');

const types = spawnSync(process.execPath, [join(ui, 'node_modules/typescript/bin/tsc'), '-p', ui], { encoding: 'utf8' });
console.log('TAP version 13');
if (types.stdout) console.log(types.stdout.replace(/^/gm, '# '));
console.log(`${types.status === 0 ? 'ok' : 'not ok'} 1 - types`);

await esbuild.build({
  absWorkingDir: ui,
  entryPoints: readdirSync(join(ui, 'test')).filter((f) => f.endsWith('.test.ts')).map((f) => `test/${f}`),
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node18',
  outdir: out,
  outExtension: { '.js': '.mjs' },
  sourcemap: 'inline',
  logLevel: 'warning',
});
const files = readdirSync(out).filter((f) => f.endsWith('.test.mjs')).map((f) => join(out, f));
let failed = types.status !== 0;
for (const file of files) failed = spawnSync(process.execPath, ['--enable-source-maps', '--test-reporter=tap', file], { cwd: repo, stdio: 'inherit' }).status !== 0 || failed;
process.exit(failed ? 1 : 0);
