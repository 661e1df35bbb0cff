// SPDX-License-Identifier: Apache-2.0
// Small parts that every page uses.
import { useSignal } from '@preact/signals';
import type { ComponentChildren, JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import type { ApiError } from './api';
import { visible } from './format';

// One icon per meaning; drawn, so that no font is needed.
const shapes = {
  error: 'M10 2.5 18 17H2zM10 8v4M10 14.3v.4',
  check: 'M4 10.5l4 4 8-9',
  copy: 'M7 7V3.5h9.5V13H13M3.5 7H13v9.5H3.5z',
  close: 'M5 5l10 10M15 5L5 15',
  warn: 'M10 2.8 17.8 10 10 17.2 2.2 10zM10 6.5v4M10 13v.4',
  left: 'M12.5 4l-6 6 6 6',
  right: 'M7.5 4l6 6-6 6',
  up: 'M4 12.5l6-6 6 6',
  down: 'M4 7.5l6 6 6-6',
  live: 'M10 6.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7z',
  link: 'M8.5 11.5a3.5 3.5 0 0 0 5 0l2.5-2.5a3.5 3.5 0 0 0-5-5L9.8 5.2M11.5 8.5a3.5 3.5 0 0 0-5 0L4 11a3.5 3.5 0 0 0 5 5l1.2-1.2',
} as const;
type IconName = keyof typeof shapes;

export function Icon({ name, label }: { name: IconName; label?: string }): JSX.Element {
  const named = label ? { role: 'img' as const, 'aria-label': label } : { 'aria-hidden': 'true' as const };
  return (
    <svg class={`ico ico-${name}`} viewBox="0 0 20 20" {...named}>
      <path d={shapes[name]} fill="none" stroke="currentColor" stroke-width="1.6" stroke-linejoin="round" stroke-linecap="round" />
    </svg>
  );
}

export function useTitle(title: string): void {
  useEffect(() => void (document.title = title ? `${title} · Takt` : 'Takt'), [title]);
}

// The clipboard needs a secure page; where there is none, the old way still works.
async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement('textarea');
    area.value = text;
    area.className = 'offscreen';
    document.body.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    return done;
  }
}

interface CopyProps {
  text: string | (() => string);
  label: string;
  children?: ComponentChildren;
}
export function Copy({ text, label, children }: CopyProps): JSX.Element {
  const said = useSignal('');
  const copy = async (): Promise<void> => {
    said.value = (await copyText(typeof text === 'string' ? text : text())) ? 'Copied' : 'Could not copy';
    setTimeout(() => (said.value = ''), 1500);
  };
  return (
    <button type="button" class="quiet copy" aria-label={said.value || label} title={label} onClick={copy}>
      <Icon name={said.value === 'Copied' ? 'check' : 'copy'} />
      {children}
      <span class="offscreen" role="status">{said.value}</span>
    </button>
  );
}

// Nothing is there yet, nothing matched, or something failed: each looks and reads differently.
// `top`: it is all there is on the page.
export function Empty({ title, top, children }: { title: string; top?: boolean; children?: ComponentChildren }): JSX.Element {
  return (
    <div class="empty" role="status">
      {top ? <h1>{title}</h1> : <h2>{title}</h2>}
      {children}
    </div>
  );
}

export function Failed({ what, error, top, retry }: { what: string; error: ApiError; top?: boolean; retry: () => void }): JSX.Element {
  const title = <><Icon name="error" /> {what}</>;
  return (
    <div class="empty failed" role="alert">
      {top ? <h1>{title}</h1> : <h2>{title}</h2>}
      <p class="reason">{error.status ? `${error.status}: ` : ''}{visible(error.message, 500)}</p>
      <button type="button" onClick={retry}>Try again</button>
    </div>
  );
}

export function Loading({ what }: { what: string }): JSX.Element {
  return <p class="loading" role="status">{what}</p>;
}

// A table that may be wider than the page; scrolls by itself, by keyboard too.
export function Scroll({ label, children }: { label: string; children: ComponentChildren }): JSX.Element {
  return <div class="scroll-x" role="region" aria-label={label} tabIndex={0}>{children}</div>;
}

// A part of a page under its own heading.
export function Card({ id, title, k, children }: { id: string; title: string; k?: string; children: ComponentChildren }): JSX.Element {
  return <section class="card" aria-labelledby={id} data-k={k ?? id}><h2 id={id}>{title}</h2>{children}</section>;
}

// Opens a popover below what it belongs to, inside of the window. Its size is known once it is shown.
export function showBelow(menu: HTMLElement, anchor: Element): void {
  const r = anchor.getBoundingClientRect();
  menu.showPopover();
  const left = r.left + menu.offsetWidth > innerWidth - 8 ? r.right - menu.offsetWidth : r.left;
  menu.style.left = `${Math.max(8, Math.min(innerWidth - menu.offsetWidth - 8, left))}px`;
  menu.style.top = `${Math.max(8, Math.min(innerHeight - menu.offsetHeight - 8, r.bottom + 4))}px`;
}

// A service: its colour and its name, never the colour alone.
export function Service({ name, colour }: { name: string; colour: number }): JSX.Element {
  return (
    <span class="service">
      <i class="dot" style={{ background: `var(--c${colour})` }} aria-hidden="true" />
      <bdi>{visible(name, 60) || '(no service)'}</bdi>
    </span>
  );
}
