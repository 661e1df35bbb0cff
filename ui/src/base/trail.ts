// SPDX-License-Identifier: Apache-2.0
// The list that a trace was opened from, so that its page can go to the next one. Gone with a reload.
import { signal } from '@preact/signals';

export const trail = signal<readonly string[]>([]); // paths of traces, in the list's order
