// SPDX-License-Identifier: Apache-2.0
// Numbers and bytes as people read them.

// 5,213: the same in every browser, whatever its language.
export const count = (n: number): string => String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ',');

export function bytes(n: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let i = 0;
  while (n >= 1000 && i < units.length - 1) n /= 1000, i++;
  return `${i && n < 99.5 ? n.toFixed(1) : Math.round(n)} ${units[i]}`;
}

export const plural = (n: number, one: string, many = one + 's'): string => `${count(n)} ${n === 1 ? one : many}`;

// A name from outside, for one line: invisible and direction-changing characters are shown as
// what they are, so that a hostile name cannot dress up as another.
export function visible(text: string, max = 300): string {
  if (text && !text.trim()) return '␣'.repeat(Math.min(text.length, 8));
  const cut = text.length > max ? text.slice(0, max) + '…' : text;
  return cut.replace(UNSEEN, (c) =>
    c === '\n' ? '↵' : c === '\t' ? '→' : c < ' ' ? String.fromCharCode(0x2400 + c.charCodeAt(0)) : '·',
  );
}

// A text as TraceQL writes it. What cannot be seen is written by its number, so that the query shows it.
export const quote = (text: string): string => `"${text.replace(/[\\"]/g, '\\$&').replace(UNSEEN, escaped)}"`;

const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
const NAMED: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };
const hex = (c: string, digits: number): string => c.charCodeAt(0).toString(16).padStart(digits, '0');
const escaped = (c: string): string => NAMED[c] ?? (c < '\u0080' ? `\\x${hex(c, 2)}` : `\\u${hex(c, 4)}`);
