// SPDX-License-Identifier: Apache-2.0
// Shortcuts. Keys of one letter can be switched off, and never fire while somebody types.
import { singleKeys } from './prefs';

export interface Shortcut {
  keys: string; // as KeyboardEvent.key, or two of them in a row: "g t"
  what: string; // for the list of shortcuts
  run?: () => void; // absent: told in the list, handled elsewhere
}

const groups = new Map<string, Shortcut[]>();
let before = '';
let beforeAt = 0;

// Returns how to take them away again.
export function addShortcuts(group: string, list: Shortcut[]): () => void {
  groups.set(group, list);
  return () => void (groups.get(group) === list && groups.delete(group));
}

export const shortcuts = (): ReadonlyMap<string, Shortcut[]> => groups;

function typing(target: EventTarget | null): boolean {
  return target instanceof Element && !!target.closest('input, textarea, select, [contenteditable]');
}

export function onKey(e: KeyboardEvent): void {
  if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey || !singleKeys.value || typing(e.target)) return;
  if (document.querySelector('dialog[open]')) return;
  const pair = e.timeStamp - beforeAt < 1000 ? `${before} ${e.key}` : '';
  before = e.key;
  beforeAt = e.timeStamp;
  for (const list of groups.values()) {
    const hit = list.find((s) => s.run && (s.keys === e.key || s.keys === pair));
    if (!hit) continue;
    e.preventDefault();
    before = '';
    hit.run!();
    return;
  }
}
