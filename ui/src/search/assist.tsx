// SPDX-License-Identifier: Apache-2.0
// Help while one writes a query: colours, errors where they are, completions with the names and
// values that are there. All of it is the server's answer to the text as it stands; an answer to an
// older text is dropped, and when there is none, the text is only text.
import { computed, effect, signal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { getJson } from '../base/api';
import { plural, visible } from '../base/format';
import { Icon } from '../base/parts';
import { resource } from '../base/resource';
import type { Analysis, Diagnostic, Suggestion } from './answers';
import { analyzePath, bytesOf, QUERY_MAX } from './ask';
import { draft } from './draft';
import type { AssistProps } from './editor';
import { fromWords } from './filter';
import { moveTokens, placeOf, runsOf } from './mirror';

const DEBOUNCE_MS = 120;
const REST_MS = 900;
const COLOURED_MAX = 20_000; // characters; what is longer has one colour, and its errors

interface Checked extends Analysis {
  text: string;
}
const checked = resource<Checked>();
const open = signal(false);
const resting = signal(true); // nothing was typed for a moment: only then errors are told
let rest = 0;
const active = signal(-1); // of the list; -1: none
const place = signal<{ left: number; top: number }>({ left: 0, top: 0 });
let wanted = false; // the list is to open with the next answer
let timer = 0;

const current = computed(() => {
  const c = checked.state.value;
  return c.data?.text === draft.value && !c.error ? c.data : null;
});
const items = computed<Suggestion[]>(() => (open.value && current.value?.completion?.items) || []);

function offer(a: Checked): void {
  const c = a.completion;
  if (!wanted || !c?.items.length || document.activeElement?.id !== 'q') return void (open.value = false);
  const [from, to] = placeOf(a.text, c, c.items[0]!.text);
  const typed = a.text.slice(from, to);
  const only = c.items.length === 1 && c.items[0]!.text === typed;
  open.value = !only;
  // A word that is begun takes the first suggestion with Enter; elsewhere Enter runs the query.
  active.value = typed && c.items[0]!.text !== typed ? 0 : -1;
}

// What the server would say of a text that is too long to be sent to it.
function tooLong(text: string): Analysis {
  const message = `the query has ${bytesOf(text)} bytes; at most ${QUERY_MAX} are read`;
  return { kind: 'invalid', tokens: [], diagnostics: [{ from: 0, to: 0, line: 1, column: 1, severity: 'error', message }] };
}

function check(area: HTMLTextAreaElement, stretch: AssistProps['stretch'], ms: number): void {
  clearTimeout(timer);
  timer = window.setTimeout(() => {
    const text = area.value;
    if (bytesOf(text) > QUERY_MAX) {
      checked.stop();
      return checked.set({ text, ...tooLong(text) });
    }
    const path = analyzePath(text, area.selectionStart, stretch());
    void checked.load(async (stop) => ({ text, ...(await getJson<Analysis>(path, stop)) })).then(() => {
      const { data, error } = checked.state.value;
      if (data && !error && data.text === area.value) offer(data);
    });
  }, ms);
}

function close(): void {
  wanted = false;
  open.value = false;
  active.value = -1;
}

// Puts a suggestion in place of what was typed, so that the browser's undo takes it back.
function accept(area: HTMLTextAreaElement, item: Suggestion): void {
  const c = current.value?.completion;
  if (!c) return;
  const [from, to] = placeOf(area.value, c, item.text);
  area.focus();
  area.setSelectionRange(from, to);
  if (!document.execCommand('insertText', false, item.text)) {
    area.setRangeText(item.text, from, to, 'end');
    area.dispatchEvent(new Event('input', { bubbles: true }));
  }
}

function onKey(area: HTMLTextAreaElement, stretch: AssistProps['stretch'], e: KeyboardEvent): void {
  if (e.key === ' ' && e.ctrlKey) {
    e.preventDefault();
    wanted = true;
    return check(area, stretch, 0);
  }
  const list = items.value;
  if (!list.length || e.isComposing) return;
  const step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
  const chosen = list[active.value] ?? (e.key === 'Tab' ? list[0] : undefined);
  if (step) active.value = active.value < 0 ? (step > 0 ? 0 : list.length - 1) : (active.value + step + list.length) % list.length;
  else if ((e.key === 'Enter' || e.key === 'Tab') && chosen && !e.shiftKey && !e.ctrlKey && !e.metaKey) accept(area, chosen);
  else if (e.key === 'Escape') close();
  else if (e.key === 'Enter') return close();
  else return;
  e.preventDefault();
}

function listen({ area, stretch }: AssistProps): () => void {
  const a = area.current!;
  const on = new AbortController();
  const { signal: stop } = on;
  let caret = a.selectionStart;
  const onRest = (): void => {
    clearTimeout(rest);
    resting.value = true;
  };
  a.addEventListener('input', () => {
    wanted = true;
    open.value = false;
    resting.value = false;
    clearTimeout(rest);
    rest = window.setTimeout(onRest, REST_MS);
    check(a, stretch, DEBOUNCE_MS);
  }, { signal: stop });
  a.addEventListener('keydown', (e) => onKey(a, stretch, e), { capture: true, signal: stop });
  a.addEventListener('blur', () => (onRest(), close()), { signal: stop });
  a.addEventListener('keyup', () => {
    if (open.value && a.selectionStart !== caret && current.value && (a.selectionStart < current.value.completion!.from || a.selectionStart > current.value.completion!.to)) close();
    caret = a.selectionStart;
  }, { signal: stop });
  // A long text scrolls, and its mirror with it.
  const scroll = (): void => {
    const mirror = a.parentElement?.querySelector('.mirror');
    if (mirror) mirror.scrollTop = a.scrollTop;
  };
  a.addEventListener('scroll', () => (scroll(), close()), { signal: stop });
  // The text may also be changed by fields and by the address.
  const stopDraft = effect(() => {
    if (draft.value !== checked.state.peek().data?.text) check(a, stretch, DEBOUNCE_MS);
  });
  const stopAria = effect(() => {
    const at = items.value.length ? active.value : -2;
    a.setAttribute('aria-autocomplete', 'list');
    a.setAttribute('aria-haspopup', 'listbox');
    if (at === -2) a.removeAttribute('aria-controls');
    else a.setAttribute('aria-controls', 'q-list');
    if (at < 0) a.removeAttribute('aria-activedescendant');
    else a.setAttribute('aria-activedescendant', `q-item-${at}`);
    a.setAttribute('aria-invalid', String(shownErrors.value.some((d) => d.severity === 'error')));
  });
  return () => {
    on.abort();
    stopDraft();
    stopAria();
    clearTimeout(timer);
    onRest();
    checked.stop();
    close();
  };
}

const shownErrors = computed<Diagnostic[]>(() => (!resting.value || fromWords(draft.value) !== null || !draft.value.trim() ? [] : (current.value?.diagnostics ?? [])));

// Where the list goes: below the character that a completion begins with.
function spotIn(mirror: HTMLElement, offset: number): { left: number; top: number } {
  const range = document.createRange();
  let left = offset;
  for (const node of mirror.children) {
    const text = node.firstChild;
    if (!text || left > text.textContent!.length) {
      left -= text?.textContent?.length ?? 0;
      continue;
    }
    range.setStart(text, left);
    range.setEnd(text, Math.min(left + 1, text.textContent!.length));
    break;
  }
  const own = mirror.getBoundingClientRect();
  const rects = range.getClientRects();
  const r = rects[0];
  return r && r.height ? { left: r.left - own.left, top: r.bottom - own.top } : { left: 12, top: own.height };
}

function List({ area }: { area: AssistProps['area'] }): JSX.Element {
  const list = useRef<HTMLUListElement>(null);
  const at = active.value;
  useEffect(() => list.current?.querySelector('[aria-selected=true]')?.scrollIntoView({ block: 'nearest' }), [at]);
  const { left, top } = place.value;
  return (
    <ul id="q-list" class="suggest" role="listbox" aria-label="Completions" ref={list} tabIndex={0} onMouseDown={(e) => e.preventDefault()} style={{ '--left': `${left}px`, top: `${top + 6}px` }}>
      {items.value.map((item, i) => (
        <li key={item.kind + item.text} id={`q-item-${i}`} role="option" aria-selected={i === at}
          onMouseDown={() => accept(area.current!, item)}>
          <bdi class={`tk-${item.kind}`}>{visible(item.text, 120)}</bdi>
          <span class="muted">{visible(item.detail || item.kind, 60)}</span>
        </li>
      ))}
    </ul>
  );
}

export function Mirror(props: AssistProps): JSX.Element {
  const mirror = useRef<HTMLPreElement>(null);
  useEffect(() => listen(props), []);
  const text = draft.value;
  const data = checked.state.value.data;
  const tokens = data && text.length <= COLOURED_MAX ? moveTokens(data.tokens, data.text, text) : [];
  const n = items.value.length;
  const from = current.value?.completion?.from ?? 0;
  useLayoutEffect(() => {
    if (n) place.value = spotIn(mirror.current!, from);
  }, [n, from, text]);
  return (
    <>
      <pre class="mirror" aria-hidden="true" ref={mirror}>
        {runsOf(text, tokens, shownErrors.value).map((r) => <span key={r.from} class={`${r.class && `tk-${r.class}`} ${r.bad ? 'bad-spot' : ''}`}>{r.text}</span>)}
        <span> </span>
      </pre>
      {n > 0 && <List area={props.area} />}
      <span class="offscreen" role="status">{n > 0 ? `${plural(n, 'completion')}, arrow keys to choose` : ''}</span>
    </>
  );
}

export function Notes(): JSX.Element {
  const words = fromWords(draft.value);
  const errors = shownErrors.value;
  const failed = resting.value && draft.value.trim() ? checked.state.value.error : null;
  const a = current.value;
  const go = (d: Diagnostic): void => {
    const area = document.getElementById('q') as HTMLTextAreaElement;
    area.focus();
    area.setSelectionRange(d.from, d.to);
  };
  return (
    <div role="status">
      {words !== null && <p class="muted small">Runs as <code>{visible(words, 400)}</code></p>}
      {failed && <p class="muted small">Not checked: {visible(failed.message, 200)}</p>}
      {errors.slice(0, 3).map((d) => (
        <p key={`${d.from} ${d.message}`} class={`ask-note ${d.severity === 'error' ? 'bad' : 'odd'}`}>
          <Icon name={d.severity === 'error' ? 'error' : 'warn'} />
          <button type="button" class="link" onClick={() => go(d)}>Line {d.line}, column {d.column}</button>
          <span>{visible(d.message, 400)}</span>
        </p>
      ))}
      {words === null && !errors.length && a && a.kind !== 'invalid' && draft.value.trim() && (
        <p class="ask-note ok"><Icon name="check" /> <span>valid{a.kind === 'metrics' ? ', a metrics query' : ''}</span></p>
      )}
    </div>
  );
}
