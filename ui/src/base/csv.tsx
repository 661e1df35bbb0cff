// SPDX-License-Identifier: Apache-2.0
// A table as a file for spreadsheets (RFC 4180). A text that a spreadsheet would take for a formula gets a
// ' before it: names come from outside. Numbers are written as they are, whatever their sign.
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { visible } from './format';

export type CsvCell = string | number | undefined;

const FORMULA = /^[\s\u0000-\u001f\u200b\u200e\u200f\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20|]/;

function cell(v: CsvCell): string {
  if (v === undefined) return '';
  if (typeof v === 'number') return Number.isFinite(v) ? String(v) : '';
  const text = FORMULA.test(v) || /^[\t\r\n]/.test(v) ? `'${v}` : v;
  return /[",;\r\n\t']|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export const csvOf = (rows: readonly (readonly CsvCell[])[]): string => rows.map((r) => r.map(cell).join(',') + '\r\n').join('');

function save(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob(['\ufeff', text], { type: 'text/csv;charset=utf-8' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = `${name.replace(/[^\w.-]+/g, '-')}.csv`;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

interface Props {
  name: string; // of the file
  of: string; // what is in it, for its label
  rows: () => readonly (readonly CsvCell[])[] | Promise<readonly (readonly CsvCell[])[]>; // the first is the head
}

export function Csv({ name, of, rows }: Props): JSX.Element {
  const said = useSignal('');
  const busy = useSignal(false);
  const run = async (): Promise<void> => {
    busy.value = true;
    said.value = '';
    try {
      save(name, csvOf(await rows()));
    } catch (e) {
      said.value = `No file: ${visible((e as Error).message, 200)}`;
    }
    busy.value = false;
  };
  return (
    <span class="csv">
      <button type="button" class="quiet" disabled={busy.value} aria-label={`${of} as csv`} title={`${of} as csv`} onClick={() => void run()}>csv</button>
      <span class="small bad" role="status">{said.value}</span>
    </span>
  );
}
