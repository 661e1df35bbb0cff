// SPDX-License-Identifier: Apache-2.0
// What the server says in words, where traces are named by their ids: those open.
import type { JSX } from 'preact';
import { visible } from './format';

export function Told({ text, max }: { text: string; max: number }): JSX.Element {
  const parts = visible(text, max).split(/\btrace ([0-9a-f]{32})\b/);
  return <bdi>{parts.map((part, i) => (i % 2 ? <a key={i} href={`t/${part}`} title={part}>trace {part.slice(0, 8)}</a> : part))}</bdi>;
}
