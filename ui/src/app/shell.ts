// SPDX-License-Identifier: Apache-2.0
// Brings the bar on top to life: it was painted by index.html, before any script.
import { effect } from '@preact/signals';
import { h, render } from 'preact';
import { addShortcuts, onKey } from '../base/keys';
import { isDark, toggleTheme, zone } from '../base/prefs';
import { traceIdOf } from '../base/route';
import { go, place, route } from '../base/router';
import { zoneName } from '../base/time';
import { Help } from './help';

const get = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;

function startJump(): void {
  const input = get<HTMLInputElement>('jump');
  const note = get('jump-note');
  const jump = (complain: boolean): void => {
    const id = traceIdOf(input.value);
    note.textContent = id || !complain || !input.value ? '' : 'That is not a trace id: it has 32 hex digits.';
    if (!id) return;
    input.value = '';
    input.blur();
    go(`t/${id.trace}${id.span ? `?span=${id.span}` : ''}`);
  };
  input.form!.addEventListener('submit', (e) => {
    e.preventDefault();
    jump(true);
  });
  input.addEventListener('input', () => (note.textContent = ''));
  input.addEventListener('paste', () => setTimeout(() => jump(true)));
  input.addEventListener('keydown', (e) => {
    if (e.key === 'Escape') input.blur();
  });
}

// Pages that are reached from another, which is the one of the bar.
const belongs: Record<string, string> = { trace: 'traces', compare: 'traces', deploy: 'delivery' };

function startNavigation(): void {
  effect(() => {
    const page = belongs[route.value.page] ?? route.value.page;
    for (const link of document.querySelectorAll<HTMLElement>('[data-nav]')) {
      if (link.dataset['nav'] === page) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
  });
  // Coming back to the list keeps its filters: the link remembers them while a trace is looked at.
  effect(() => {
    if (route.value.page !== 'traces') return;
    document.querySelector('[data-nav=traces]')!.setAttribute('href', 'traces' + queryText(place.value.query));
  });
}

const queryText = (query: URLSearchParams): string => (query.size ? '?' + query.toString() : '');

function startButtons(): void {
  get('theme').addEventListener('click', toggleTheme);
  get('zone').addEventListener('click', () => (zone.value = zone.value === 'utc' ? 'local' : 'utc'));
  effect(() => {
    const name = zoneName(zone.value);
    get('zone').textContent = name;
    get('zone').setAttribute('aria-label', `Time zone: ${name}. Switch to ${zone.value === 'utc' ? 'local time' : 'UTC'}`);
    get('zone').title = zone.value === 'utc' ? 'Times are in UTC' : 'Times are in your local zone';
    get('theme').title = isDark.value ? 'Dark; switch to light' : 'Light; switch to dark';
  });
}

function startHelp(): void {
  const show = (): void => {
    const dialog = get<HTMLDialogElement>('help-dialog');
    dialog.dispatchEvent(new Event('fill'));
    dialog.showModal();
  };
  render(h(Help, {}), get('dialogs'));
  get('help').addEventListener('click', show);
  addShortcuts('Everywhere', [
    { keys: '/', what: 'Go to a trace id', run: () => get('jump').focus() },
    { keys: 'g t', what: 'Traces', run: () => go('traces') },
    { keys: 'g d', what: 'Delivery', run: () => go('delivery') },
    { keys: 'g s', what: 'Start page', run: () => go('start') },
    { keys: '?', what: 'This list', run: show },
  ]);
  document.addEventListener('keydown', onKey);
}

export function startShell(): void {
  startJump();
  startNavigation();
  startButtons();
  startHelp();
}
