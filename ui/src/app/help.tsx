// SPDX-License-Identifier: Apache-2.0
// The list of shortcuts of the page that is open, and the switch for keys of one letter.
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { shortcuts } from '../base/keys';
import { singleKeys } from '../base/prefs';
import { Icon } from '../base/parts';

const nice: Record<string, string> = {
  ArrowUp: '↑', ArrowDown: '↓', ArrowLeft: '←', ArrowRight: '→', Escape: 'Esc', ' ': 'Space',
};

export function Help(): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const filled = useSignal(0); // the shortcuts depend on the page: read anew each time it opens
  useEffect(() => dialog.current!.addEventListener('fill', () => void filled.value++), []);
  void filled.value;
  return (
    <dialog id="help-dialog" ref={dialog} aria-labelledby="help-title">
      <header class="dialog-head">
        <h2 id="help-title">Keyboard shortcuts</h2>
        <button type="button" class="quiet icon" aria-label="Close" onClick={() => dialog.current!.close()}>
          <Icon name="close" />
        </button>
      </header>
      {[...shortcuts()].map(([group, list]) => (
        <section key={group}>
          <h3>{group}</h3>
          <dl class="keys">
            {list.map((s) => (
              <div key={s.keys}>
                <dt>{s.keys.split(' ').map((k) => <kbd key={k}>{nice[k] ?? k}</kbd>)}</dt>
                <dd>{s.what}</dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
      <label class="tick">
        <input type="checkbox" checked={singleKeys.value} onChange={(e) => (singleKeys.value = e.currentTarget.checked)} />
        Shortcuts of one letter
      </label>
    </dialog>
  );
}
