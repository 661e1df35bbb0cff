// SPDX-License-Identifier: Apache-2.0
// Builds the web app into ui/dist: one bundle per page, hashed names, the shell for each depth of
// path. Fails when a page is over its budget or a folder imports what it may not. Same input,
// same bytes.
import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import * as esbuild from 'esbuild';

const ui = dirname(fileURLToPath(import.meta.url));
const dist = join(ui, 'dist');
const BUDGET_ROUTE = 72 * 1024; // script and style of any one page, compressed
const BUDGET_ALL = 250 * 1024;
const DEPTHS = ['./', '../', '../../']; // how far a page's path is from the root: / , /t/x , /a/b/c

// Folder of src/: the folders whose modules it may import.
const MAY_IMPORT = {
  base: ['base'],
  trace: ['base', 'trace'],
  search: ['base', 'search'],
  pages: ['base', 'trace', 'search', 'pages'],
  app: ['base', 'pages', 'app'],
};

const common = {
  absWorkingDir: ui,
  bundle: true,
  minify: true,
  target: 'es2022',
  outdir: dist,
  entryNames: 'assets/[name]-[hash]',
  chunkNames: 'assets/[name]-[hash]',
  metafile: true,
  write: false,
  legalComments: 'none',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  logLevel: 'warning',
};

const hashed = (name, bytes, ext) =>
  `assets/${name}-${createHash('sha256').update(bytes).digest('hex').slice(0, 8).toUpperCase()}${ext}`;
const outputsOf = (result) =>
  new Map(result.outputFiles.map((f) => [relative(dist, f.path), Buffer.from(f.contents)]));
const entryOf = (meta, source) =>
  relative('dist', Object.entries(meta.outputs).find(([, o]) => o.entryPoint === source)[0]);

// The licences of what is shipped to the browser.
async function notice() {
  let text = 'The web app of Takt contains these libraries:\n';
  for (const name of ['preact', '@preact/signals', '@preact/signals-core']) {
    const home = join(ui, 'node_modules', name);
    const { version } = JSON.parse(await readFile(join(home, 'package.json'), 'utf8'));
    text += `\n${name} ${version}\n\n${(await readFile(join(home, 'LICENSE'), 'utf8')).trim()}\n`;
  }
  return Buffer.from(text);
}

function checkImports(meta) {
  const folder = (path) => /^src\/([a-z]+)\//.exec(path)?.[1];
  for (const [path, input] of Object.entries(meta.inputs)) {
    for (const { path: to } of input.imports) {
      const from = folder(path);
      if (from && folder(to) && !MAY_IMPORT[from]?.includes(folder(to)))
        throw new Error(`${path} imports ${to}: ${from} may import only ${MAY_IMPORT[from]}`);
    }
  }
}

// Everything that a page loads: the entry, the page's own chunk, and what those import at once.
function reach(meta, entries) {
  const seen = new Set();
  const visit = (file) => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const i of meta.outputs[file].imports) if (i.kind === 'import-statement') visit(i.path);
  };
  entries.forEach(visit);
  return seen;
}

function checkBudget(meta, files, shared) {
  const gz = (path) => gzipSync(files.get(relative('dist', path)), { level: 9 }).length;
  const base = shared.reduce((sum, path) => sum + gz('dist/' + path), 0);
  const main = 'dist/' + entryOf(meta, 'src/app/main.tsx');
  const pages = Object.keys(meta.outputs).filter((f) => meta.outputs[f].entryPoint?.startsWith('src/pages/'));
  for (const page of pages) {
    const size = base + [...reach(meta, [main, page])].reduce((sum, f) => sum + gz(f), 0);
    const name = meta.outputs[page].entryPoint.replace(/.*\/|\.tsx$/g, '');
    console.log(`  ${name.padEnd(8)} ${(size / 1024).toFixed(1).padStart(5)} KB of ${BUDGET_ROUTE / 1024} KB compressed`);
    if (size > BUDGET_ROUTE) throw new Error(`page ${name} is over its budget of ${BUDGET_ROUTE} bytes`);
  }
  const all = [...files.keys()].filter((f) => /\.(js|css)$/.test(f)).reduce((sum, f) => sum + gz('dist/' + f), 0);
  if (all > BUDGET_ALL) throw new Error(`the scripts and styles together are over ${BUDGET_ALL} bytes`);
}

async function build() {
  const files = new Map();
  const put = (name, bytes, ext) => {
    const path = hashed(name, bytes, ext);
    files.set(path, bytes);
    return path;
  };
  const take = (result) => outputsOf(result).forEach((bytes, path) => files.set(path, bytes));

  const worker = await esbuild.build({ ...common, format: 'iife', entryPoints: ['src/trace/worker.ts'] });
  const boot = await esbuild.build({ ...common, format: 'iife', entryPoints: ['src/app/boot.ts'] });
  const style = await esbuild.build({ ...common, entryPoints: ['src/style/app.css'] });
  [worker, boot, style].forEach(take);
  const main = await esbuild.build({
    ...common,
    format: 'esm',
    splitting: true,
    entryPoints: ['src/app/main.tsx'],
    define: {
      TAKT_WORKER: JSON.stringify(entryOf(worker.metafile, 'src/trace/worker.ts')),
      TAKT_NOTICE: JSON.stringify(put('notice', await notice(), '.txt')),
    },
  });
  take(main);
  [main, worker, boot].forEach((r) => checkImports(r.metafile));

  const entry = entryOf(main.metafile, 'src/app/main.tsx');
  const words = {
    icon: put('icon', await readFile(join(ui, 'icon.svg')), '.svg'),
    boot: entryOf(boot.metafile, 'src/app/boot.ts'),
    style: entryOf(style.metafile, 'src/style/app.css'),
    main: entry,
    preload: [...reach(main.metafile, ['dist/' + entry])]
      .map((f) => relative('dist', f))
      .filter((f) => f !== entry)
      .map((f) => `<link rel="modulepreload" href="${f}">`)
      .join('\n'),
  };
  const shell = await readFile(join(ui, 'index.html'), 'utf8');
  DEPTHS.forEach((base, depth) => {
    const html = shell.replace(/{{(\w+)}}/g, (_, word) => (word === 'base' ? base : words[word]));
    files.set(depth ? `index-${depth}.html` : 'index.html', Buffer.from(html));
  });
  checkBudget(main.metafile, files, [words.boot, words.style]);

  await rm(dist, { recursive: true, force: true });
  await mkdir(join(dist, 'assets'), { recursive: true });
  for (const [path, bytes] of files) await writeFile(join(dist, path), bytes);
}

await build();
