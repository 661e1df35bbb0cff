// SPDX-License-Identifier: Apache-2.0
// The button that keeps a search under a name, and the list of those that are kept.
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { plural, visible } from '../base/format';
import { addShortcuts } from '../base/keys';
import { Icon, showBelow } from '../base/parts';
import { readQuery } from '../base/query';
import { rangeNames, schema, type Ask } from './ask';
import { draft, queryOf } from './draft';
import { follow, forget, NAME_MAX, pathToSave, save, saved, SAVED_MAX, type Saved } from './saved';

const askOf = (s: Saved): Ask => readQuery(schema, new URLSearchParams(s.path.slice('traces'.length)));

function Entry({ one, here, onGo, onForget }: { one: Saved; here: string; onGo: () => void; onForget: () => void }): JSX.Element {
  const of = useMemo(() => askOf(one), [one.path]); // not anew while one types
  return (
    <li class="saved" data-k={`saved ${one.name}`}>
      <a href={one.path} aria-current={one.path === here ? 'page' : undefined} onClick={onGo} onKeyDown={(e) => e.key === 'Delete' && (e.preventDefault(), onForget())}>
        <b><bdi>{visible(one.name, NAME_MAX)}</bdi></b>
        <span class="muted small"><code><bdi>{visible(of.q || 'all traces', 120)}</bdi></code> · {rangeNames[of.range]}</span>
      </a>
      <button type="button" class="quiet icon" aria-label={`Delete ${visible(one.name, NAME_MAX)}`} title="Delete" onClick={onForget}><Icon name="close" /></button>
    </li>
  );
}

export function Save({ ask }: { ask: Ask }): JSX.Element {
  const button = useRef<HTMLButtonElement>(null);
  const menu = useRef<HTMLDivElement>(null);
  const input = useRef<HTMLInputElement>(null);
  const name = useSignal('');
  const said = useSignal('');
  const open = useSignal(false);
  const here = pathToSave(ask, ask.q);
  const path = pathToSave(ask, queryOf(draft.value));
  const list = saved.value;
  const replaces = list.some((s) => s.name === name.value.trim());
  const full = list.length >= SAVED_MAX && !replaces;
  const show = (): void => {
    said.value = '';
    name.value = list.find((s) => s.path === here)?.name ?? '';
    showBelow(menu.current!, button.current!);
    input.current!.focus();
    input.current!.select();
  };
  const close = (): void => menu.current!.hidePopover();
  const keep = (): void => {
    const as = name.value.trim();
    if (!as) return void (said.value = 'Give it a name.');
    if (full) return void (said.value = `There are ${SAVED_MAX} already; delete one first.`);
    if (!save({ name: as, path })) return void (said.value = 'This browser does not keep it.');
    said.value = `Saved as ${as}.`;
  };
  const drop = (one: Saved): void => {
    said.value = forget(one.name) ? `Deleted ${one.name}.` : 'This browser does not let go of it.';
    input.current!.focus();
  };
  useEffect(follow, []);
  useEffect(() => addShortcuts('Saved searches', [{ keys: 's', what: 'Save the search, or open a saved one; Del deletes', run: show }]), [ask, list]);
  return (
    <>
      <button type="button" ref={button} class="save" aria-haspopup="dialog" aria-expanded={open.value} title="Save the search, or open a saved one (s)" onClick={show}>Save{list.length ? <span class="muted"> {list.length}</span> : ''}</button>
      <div class="menu saves" popover="auto" ref={menu} role="dialog" aria-label="Saved searches" onToggle={(e) => (open.value = (e as unknown as ToggleEvent).newState === 'open')}>
        <div class="row">
          <label for="save-name" class="offscreen">Name of this search</label>
          <input id="save-name" ref={input} value={name.value} maxLength={NAME_MAX} placeholder="Name of this search" autocomplete="off" spellcheck={false} onInput={(e) => (name.value = e.currentTarget.value)} onKeyDown={(e) => e.key === 'Enter' && (e.preventDefault(), keep())} />
          <button type="button" class="primary" onClick={keep}>{replaces ? 'Replace' : 'Save'}</button>
        </div>
        <p class="small muted" role="status">{said.value ? visible(said.value, 200) : list.length ? `${plural(list.length, 'search', 'searches')} kept in this browser` : 'Kept in this browser; the address of the page is its link.'}</p>
        {list.length > 0 && <ul aria-label="Saved searches">{list.map((s) => <Entry key={s.name} one={s} here={here} onGo={close} onForget={() => drop(s)} />)}</ul>}
      </div>
    </>
  );
}
