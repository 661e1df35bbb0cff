// SPDX-License-Identifier: Apache-2.0
// Data that is fetched: loading, ready or failed. While it is fetched again the old data stays.
import { signal, type ReadonlySignal } from '@preact/signals';
import { ApiError } from './api';

export interface Fetched<T> {
  readonly data: T | null;
  readonly error: ApiError | null;
  readonly busy: boolean;
}

export interface Resource<T> {
  readonly state: ReadonlySignal<Fetched<T>>;
  // Fetches with this; an earlier fetch still under way is given up. keep: the old data stays until
  // the new is there.
  load(fetcher: (signal: AbortSignal) => Promise<T>, keep?: boolean): Promise<void>;
  set(data: T): void;
  stop(): void;
}

export function resource<T>(): Resource<T> {
  const state = signal<Fetched<T>>({ data: null, error: null, busy: false });
  let running: AbortController | null = null;
  const stop = (): void => {
    running?.abort();
    running = null;
  };
  return {
    state,
    stop,
    set: (data) => (state.value = { data, error: null, busy: false }),
    async load(fetcher, keep = true) {
      stop();
      const mine = (running = new AbortController());
      state.value = { data: keep ? state.value.data : null, error: null, busy: true };
      try {
        const data = await fetcher(mine.signal);
        if (running === mine) state.value = { data, error: null, busy: false };
      } catch (e) {
        if (running !== mine) return;
        const error = e instanceof ApiError ? e : new ApiError(0, String(e));
        state.value = { data: state.value.data, error, busy: false };
      }
    },
  };
}

// Calls again and again, each time some ms after the last call ended, and only while the page is
// seen. Returns how to stop it.
export function repeat(ms: number, call: () => Promise<unknown>): () => void {
  let timer = 0;
  let stopped = false;
  const next = async (): Promise<void> => {
    clearTimeout(timer);
    if (stopped || document.hidden) return;
    await call();
    if (!stopped) timer = window.setTimeout(next, ms);
  };
  const onSeen = (): void => {
    if (!document.hidden) void next();
  };
  document.addEventListener('visibilitychange', onSeen);
  void next();
  return () => {
    stopped = true;
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', onSeen);
  };
}
