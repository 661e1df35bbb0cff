// SPDX-License-Identifier: Apache-2.0
// The app: the shell of index.html is there already; this fills <main> with the page of the route.
import { effect, signal } from '@preact/signals';
import { render, type ComponentType, type JSX } from 'preact';
import { Empty, Failed, Loading } from '../base/parts';
import { ApiError } from '../base/api';
import { palette } from '../base/colour';
import { startPrefs } from '../base/prefs';
import { arrivals, route, startRouter } from '../base/router';
import { startShell } from './shell';

type Page = ComponentType<{ id: string }>;

// Each page is a chunk of its own.
const pages: Record<string, () => Promise<{ default: Page }>> = {
  home: () => import('../pages/home'),
  start: () => import('../pages/start'),
  traces: () => import('../pages/traces'),
  trace: () => import('../pages/trace'),
  compare: () => import('../pages/compare'),
  delivery: () => import('../pages/delivery'),
  deploy: () => import('../pages/deploy'),
  about: () => import('../pages/about'),
};

const loaded = signal<{ name: string; page: Page | null; error: ApiError | null }>({ name: '', page: null, error: null });

async function load(name: string): Promise<void> {
  const importer = pages[name];
  let page: Page | null = null;
  let error: ApiError | null = null;
  try {
    if (importer) page = (await importer()).default;
  } catch {
    error = new ApiError(0, 'The page could not be loaded; the server may have been replaced by another version.');
  }
  if (route.value.page === name) loaded.value = { name, page, error };
}

function Main(): JSX.Element {
  const at = route.value;
  const { name, page: Page, error } = loaded.value;
  if (at.page === 'unknown')
    return (
      <div class="page">
        <Empty top title="There is no such page">
          <p><a class="button" href="traces">Traces</a></p>
        </Empty>
      </div>
    );
  if (error) return <Failed top what="The page did not load" error={error} retry={() => location.reload()} />;
  if (name !== at.page || !Page) return <Loading what="Loading" />;
  const id = at.page === 'trace' || at.page === 'deploy' ? at.id : '';
  return <Page key={at.page + id} id={id} />;
}

palette.forEach(([light, dark], i) =>
  document.documentElement.style.setProperty(`--c${i}`, `light-dark(${light}, ${dark})`),
);
startPrefs();
startRouter();
startShell();
effect(() => void load(route.value.page));

const main = document.getElementById('main')!;
main.textContent = '';
render(<Main />, main);

// On another page a reader begins at its top.
let first = true;
effect(() => {
  void arrivals.value;
  if (!first) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
  }
  first = false;
});
