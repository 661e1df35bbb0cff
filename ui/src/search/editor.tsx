// SPDX-License-Identifier: Apache-2.0
// The query: a text area that grows, over a mirror of its text. Colours, errors and completions come
// with a part of their own, loaded after the page; without it one can still write and run.
import { useSignal } from '@preact/signals';
import type { ComponentChildren, ComponentType, JSX, RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Ask, Stretch } from './ask';
import { draft, run } from './draft';

export interface AssistProps {
  area: RefObject<HTMLTextAreaElement>;
  stretch: () => Stretch | null;
}
interface Assist {
  Mirror: ComponentType<AssistProps>;
  Notes: ComponentType;
}

const HINT = '{ resource.service.name = "checkout" && status = error }';

// side: what stands beside the button that runs it.
export function Editor({ ask, stretch, side }: { ask: Ask; stretch: () => Stretch | null; side?: ComponentChildren }): JSX.Element {
  const area = useRef<HTMLTextAreaElement>(null);
  const assist = useSignal<Assist | null>(null);
  useEffect(() => void (draft.value = ask.q), [ask.q]);
  useEffect(() => void import('./assist').then((m) => (assist.value = m), () => undefined), []);
  const onKeyDown = (e: KeyboardEvent): void => {
    if (e.defaultPrevented || e.isComposing) return;
    if (e.key === 'Enter' && !e.shiftKey) {
      e.preventDefault();
      run(ask, draft.value);
    }
  };
  const parts = assist.value;
  return (
    <form class="ask" role="search" aria-label="Search traces" onSubmit={(e) => (e.preventDefault(), run(ask, draft.value))}>
      <div class="ask-line">
        <div class={`ask-box ${parts ? 'assisted' : ''}`}>
          {parts ? <parts.Mirror area={area} stretch={stretch} /> : <pre class="mirror" aria-hidden="true">{draft.value + ' '}</pre>}
          <textarea id="q" ref={area} rows={1} value={draft.value} placeholder={HINT} aria-label="Query, TraceQL" aria-describedby="q-notes"
            aria-keyshortcuts="q" autocomplete="off" autocapitalize="off" spellcheck={false}
            onInput={(e) => (draft.value = e.currentTarget.value)} onKeyDown={onKeyDown} />
        </div>
        <button type="submit" class="primary" title="Run (Enter)">Run</button>
        {side}
      </div>
      <div id="q-notes" class="ask-notes">{parts && <parts.Notes />}</div>
    </form>
  );
}
