// SPDX-License-Identifier: Apache-2.0
// Searches that somebody gave a name, kept in this browser. What is kept is an address: a range that
// follows the clock goes on following it.
import { computed, signal } from '@preact/signals';
import { noSelection, pathOf, type Ask } from './ask';

export interface Saved {
  name: string;
  path: string; // of the page
}

const KEY = 'takt.searches';
export const NAME_MAX = 80; // characters
export const SAVED_MAX = 100;

// What was stored, as far as it is ours: somebody may have written anything there.
export function readSaved(text: string | null): Saved[] {
  try {
    const list = JSON.parse(text ?? '[]') as unknown;
    if (!Array.isArray(list)) return [];
    const ours = (s: unknown): s is Saved => {
      const { name, path } = (s ?? {}) as Partial<Record<keyof Saved, unknown>>;
      return typeof name === 'string' && name.trim() !== '' && name.length <= NAME_MAX && typeof path === 'string' && /^traces(\?|$)/.test(path);
    };
    return list.filter(ours).map(({ name, path }) => ({ name, path })).slice(0, SAVED_MAX);
  } catch {
    return [];
  }
}

const byName = (a: Saved, b: Saved): number => a.name.localeCompare(b.name);
export const withSaved = (list: readonly Saved[], one: Saved): Saved[] => [...list.filter((s) => s.name !== one.name), one].sort(byName);

// The question without what was only looked at: ticks; and, on a range that moves on, the selection.
export const pathToSave = (a: Ask, q: string): string =>
  pathOf({ ...a, q, tick: [], at: '', ...(a.range === 'between' || a.range === 'all' ? {} : noSelection) });

const list = signal<readonly Saved[]>([]);
export const saved = computed(() => list.value);

const reload = (): void => {
  try {
    list.value = readSaved(localStorage.getItem(KEY));
  } catch {
    // No storage: nothing is kept.
  }
};
const onStorage = (e: StorageEvent): void => void ((e.key === KEY || e.key === null) && reload()); // another window saved or deleted

// Reads what is kept, and follows it. Returns how to stop.
export function follow(): () => void {
  reload();
  addEventListener('storage', onStorage);
  return () => removeEventListener('storage', onStorage);
}

// False: the browser does not keep it. The list is read anew first, for another window may have written it.
function change(to: (have: readonly Saved[]) => Saved[]): boolean {
  reload();
  try {
    const next = to(list.value);
    localStorage.setItem(KEY, JSON.stringify(next));
    list.value = next;
    return true;
  } catch {
    return false;
  }
}

export const save = (one: Saved): boolean => change((have) => withSaved(have, one));
export const forget = (name: string): boolean => change((have) => have.filter((s) => s.name !== name));
