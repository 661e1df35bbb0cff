// SPDX-License-Identifier: Apache-2.0
// The query as it is being written. It becomes the address's when it is run; until then fields and
// buttons work on what is written.
import { signal } from '@preact/signals';
import { go } from '../base/router';
import { traceIdOf } from '../base/route';
import { noSelection, pathOf, type Ask } from './ask';
import { fromWords } from './filter';

export const draft = signal('');
export const runs = signal(0); // counted up to ask the same once more

// What a text asks, TraceQL or words.
export const queryOf = (text: string): string => (fromWords(text) ?? text).trim();

// Runs a query with the rest of the address as it is; another query has another selection.
export function run(ask: Ask, query: string): void {
  const id = /^[\s0-9a-fx"'-]+$/i.test(query) ? traceIdOf(query) : null;
  if (id) return go(`t/${id.trace}${id.span ? `?span=${id.span}` : ''}`);
  const q = queryOf(query);
  draft.value = q;
  if (q === ask.q) runs.value++;
  else go(pathOf({ ...ask, q, ...noSelection, at: '', tick: [] }));
}
