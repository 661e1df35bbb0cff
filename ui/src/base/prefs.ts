// SPDX-License-Identifier: Apache-2.0
// What a person prefers, kept in this browser. A link never changes these.
import { computed, effect, signal } from '@preact/signals';

export const theme = signal<'auto' | 'light' | 'dark'>('auto');
export const zone = signal<'utc' | 'local'>('utc');
export const singleKeys = signal(true); // shortcuts of one letter (WCAG 2.1.4 wants them to be optional)

const KEY = 'takt.prefs';

function load(): void {
  try {
    const p = JSON.parse(localStorage.getItem(KEY) ?? '{}') as Record<string, unknown>;
    if (p['theme'] === 'light' || p['theme'] === 'dark') theme.value = p['theme'];
    if (p['zone'] === 'local') zone.value = 'local';
    if (p['keys'] === 'off') singleKeys.value = false;
  } catch {
    // No storage, or not ours: the defaults are fine.
  }
}

export function startPrefs(): void {
  load();
  let first = true;
  effect(() => {
    const p = { theme: theme.value, zone: zone.value, keys: singleKeys.value ? 'on' : 'off' };
    if (theme.value === 'auto') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme.value;
    if (!first) save(p);
    first = false;
  });
}

function save(p: object): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(p));
  } catch {
    // Not kept then; it holds for this page.
  }
}

// Outside of a browser, as in unit tests, the system wants nothing.
const system = globalThis.matchMedia?.('(prefers-color-scheme: dark)');
const systemDark = signal(system?.matches ?? false);
system?.addEventListener('change', () => (systemDark.value = system.matches));
export const isDark = computed(() => (theme.value === 'auto' ? systemDark.value : theme.value === 'dark'));

// To the other of light and dark; where that is what the system wants, follow the system again.
export function toggleTheme(): void {
  const dark = !isDark.value;
  theme.value = dark === systemDark.value ? 'auto' : dark ? 'dark' : 'light';
}
