// SPDX-License-Identifier: Apache-2.0
// Attributes: every kind of value that OTLP knows, shown as what it is.
import type { ComponentChildren, JSX } from 'preact';
import { useSignal } from '@preact/signals';
import type { AnyValue, KeyValue } from '../base/api';
import { count, visible } from '../base/format';
import { Copy } from '../base/parts';

const LONG = 600; // characters shown before somebody asks for the rest

// As text, for one line and for copying: strings bare at the top, quoted inside lists.
export function valueText(v: AnyValue | undefined, inside = false): string {
  if (!v) return inside ? 'null' : '';
  if (v.stringValue !== undefined) return inside ? JSON.stringify(v.stringValue) : v.stringValue;
  if (v.boolValue !== undefined) return String(v.boolValue);
  if (v.intValue !== undefined) return String(v.intValue);
  if (v.doubleValue !== undefined) return String(v.doubleValue);
  if (v.bytesValue !== undefined) return `base64:${v.bytesValue}`;
  if (v.arrayValue) return `[${(v.arrayValue.values ?? []).map((x) => valueText(x, true)).join(', ')}]`;
  if (v.kvlistValue) return `{${(v.kvlistValue.values ?? []).map((x) => `${x.key}: ${valueText(x.value, true)}`).join(', ')}}`;
  return inside ? 'null' : '';
}

function kind(v: AnyValue | undefined): string {
  if (!v || v.stringValue !== undefined) return 'string';
  return v.boolValue !== undefined || v.intValue !== undefined || v.doubleValue !== undefined ? 'number' : 'other';
}

function Value({ value }: { value: AnyValue | undefined }): JSX.Element {
  const whole = useSignal(false);
  const text = valueText(value);
  if (text === '') return <span class="muted">{value && value.stringValue === '' ? '"" (empty)' : '(no value)'}</span>;
  const cut = text.length > LONG && !whole.value;
  return (
    <>
      <bdi class={`value ${kind(value)}`}>{multiline(cut ? text.slice(0, LONG) : text)}</bdi>
      {cut && <button type="button" class="quiet more" onClick={() => (whole.value = true)}>… all {count(text.length)} characters</button>}
    </>
  );
}

// Line breaks stay (stack traces), other invisible characters are shown.
const multiline = (text: string): string => text.split('\n').map((l) => visible(l, Infinity)).join('\n');

// Long keys break after a dot.
const breakable = (key: string): ComponentChildren => key.split(/(?<=[._])/).flatMap((part, i) => (i ? [<wbr key={i} />, part] : [part]));

export function Attributes({ list, dropped }: { list: KeyValue[] | undefined; dropped?: number | undefined }): JSX.Element | null {
  if (!list?.length && !dropped) return null;
  const sorted = [...(list ?? [])].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return (
    <>
      <dl class="attrs">
        {sorted.map((a, i) => (
          <div key={i}>
            <dt><bdi>{breakable(visible(a.key, 200))}</bdi></dt>
            <dd><Value value={a.value} /><Copy text={() => valueText(a.value)} label={`Copy the value of ${visible(a.key, 60)}`} /></dd>
          </div>
        ))}
      </dl>
      {!!dropped && <p class="small muted">{count(dropped)} more were dropped by the sender.</p>}
    </>
  );
}
