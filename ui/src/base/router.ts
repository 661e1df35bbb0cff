// SPDX-License-Identifier: Apache-2.0
// The address bar as the only state: `place` is what it says, `go` changes it. Back and forward
// are the browser's own.
import { batch, computed, signal } from '@preact/signals';
import { matchPath } from './route';

const root = new URL('.', document.baseURI);
// The base was relative to the first page's address; from here on it must not follow the address.
document.querySelector('base')!.href = root.href;

interface Place {
  readonly path: string; // without the root
  readonly query: URLSearchParams;
}

function read(): Place {
  const path = location.pathname.startsWith(root.pathname) ? location.pathname.slice(root.pathname.length) : '';
  return { path: decodeURI(path), query: new URLSearchParams(location.search) };
}

export const place = signal<Place>(read());
export const route = computed(() => matchPath(place.value.path));
// Counts moves to another page (not changes within one), for focus and scroll.
export const arrivals = signal(0);

function arrive(): void {
  batch(() => {
    const before = place.value.path;
    place.value = read();
    if (before !== place.value.path) arrivals.value++;
  });
}

let waiting = 0;

// To a path below the root, with its query: go('traces?errors=1').
export function go(to: string, how: 'push' | 'replace' = 'push'): void {
  clearTimeout(waiting);
  delete document.documentElement.dataset['late'];
  const url = new URL(to, root);
  if (url.href === location.href) return;
  if (how === 'push') history.pushState(null, '', url);
  else history.replaceState(null, '', url);
  arrive();
}

// Like replace, but only once the hand rests: browsers refuse too many changes in a row.
export function goSoon(to: string): void {
  clearTimeout(waiting);
  document.documentElement.dataset['late'] = ''; // the address does not say yet what is seen
  waiting = window.setTimeout(() => go(to, 'replace'), 200);
}

// The whole address of a path below the root, to be given to somebody else.
export const addressOf = (to: string): string => new URL(to, root).href;

function onClick(e: MouseEvent): void {
  if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
  const link = (e.target as Element | null)?.closest?.('a');
  if (!link || link.target || link.hasAttribute('download')) return;
  const raw = link.getAttribute('href') ?? '';
  if (raw.startsWith('#')) {
    e.preventDefault(); // with a base element, a fragment would leave the page
    document.getElementById(raw.slice(1))?.focus();
    return;
  }
  const url = new URL(link.href);
  if (url.origin !== root.origin || !url.pathname.startsWith(root.pathname)) return;
  const path = url.pathname.slice(root.pathname.length);
  if (path && matchPath(path).page === 'unknown') return;
  e.preventDefault();
  go(path + url.search);
}

export function startRouter(): void {
  addEventListener('popstate', arrive);
  document.addEventListener('click', onClick);
}
