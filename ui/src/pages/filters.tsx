// SPDX-License-Identifier: Apache-2.0
// The filters of the list of traces: what the address says, what the server is asked, the form.
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Services } from '../base/api';
import { Icon } from '../base/parts';
import { zone } from '../base/prefs';
import { choice, flag, integer, text, writeQuery, type Values } from '../base/query';
import { go } from '../base/router';
import { fromInput, parseDuration, toInput, zoneName } from '../base/time';

export const ranges = ['1h', '15m', '6h', '24h', 'all', 'between'] as const;
const rangeNames = { '15m': 'Last 15 min', '1h': 'Last hour', '6h': 'Last 6 h', '24h': 'Last 24 h', all: 'All time', between: 'Between …' };

export const schema = {
  service: text(),
  operation: text(),
  min: text(),
  max: text(),
  errors: flag(),
  range: choice(...ranges),
  start: text(), // ns since 1970, when range is between
  end: text(),
  limit: integer(50, 1, 500),
  live: flag(),
};
export type TraceFilter = Values<typeof schema>;

// The question to the server. What cannot be read as a duration or time is left out; the form says so.
export function listPath(f: TraceFilter, cursor: string | null): string {
  const q = new URLSearchParams();
  const add = (key: string, value: string | null): void => void (value && q.set(key, value));
  const ns = (t: string): string | null => {
    const v = parseDuration(t);
    return v === null ? null : `${Math.round(v)}ns`;
  };
  add('service', f.service);
  add('operation', f.operation);
  add('minDuration', ns(f.min));
  add('maxDuration', ns(f.max));
  add('errors', f.errors ? '1' : null);
  if (f.range === 'between') {
    add('start', /^\d+$/.test(f.start) ? f.start : null);
    add('end', /^\d+$/.test(f.end) ? f.end : null);
  } else if (f.range !== 'all') add('since', f.range);
  add('limit', String(f.limit));
  add('cursor', cursor);
  return `api/takt/traces?${q}`;
}

const set = (f: TraceFilter, change: Partial<TraceFilter>): void => go('traces' + writeQuery(schema, { ...f, ...change }));

interface FieldProps {
  id: string;
  label: string;
  value: string;
  list?: string;
  hint?: string;
  wrong?: string;
  onSet: (v: string) => void;
}

// A text field that takes effect on Enter, on leaving it, and on choosing from its list.
function Field({ id, label, value, list, hint, wrong, onSet }: FieldProps): JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    input.current!.value = value;
  }, [value]);
  const commit = (): void => {
    const v = input.current!.value.trim();
    if (v !== value) onSet(v);
  };
  return (
    <div class={`field ${wrong ? 'wrong' : ''}`}>
      <label for={id}>{label}</label>
      <input id={id} ref={input} defaultValue={value} list={list} placeholder={hint} autocomplete="off" spellcheck={false}
        aria-invalid={!!wrong} aria-describedby={wrong ? `${id}-wrong` : undefined}
        onChange={commit} onKeyDown={(e) => e.key === 'Enter' && (e.preventDefault(), commit())} />
      {wrong && <p id={`${id}-wrong`} class="wrong-text">{wrong}</p>}
    </div>
  );
}

const wrongDuration = (t: string): string => (t && parseDuration(t) === null ? 'Like 250ms, 1.5s or 2m' : '');

function Between({ f }: { f: TraceFilter }): JSX.Element {
  const field = (which: 'start' | 'end', label: string): JSX.Element => (
    <div class="field">
      <label for={`f-${which}`}>{label} ({zoneName(zone.value)})</label>
      <input id={`f-${which}`} type="datetime-local" step="1"
        value={/^\d+$/.test(f[which]) ? toInput(BigInt(f[which]), zone.value) : ''}
        onChange={(e) => set(f, { [which]: String(fromInput(e.currentTarget.value, zone.value) ?? '') })} />
    </div>
  );
  return <>{field('start', 'From')}{field('end', 'To')}</>;
}

export function Filters({ filter: f, services }: { filter: TraceFilter; services: Services['services'] }): JSX.Element {
  const operations = new Set(services.filter((s) => !f.service || s.name === f.service).flatMap((s) => s.operations));
  const pickRange = (range: TraceFilter['range']): void => {
    const now = BigInt(Math.floor(Date.now() / 1000)) * 1_000_000_000n;
    if (range !== 'between') set(f, { range, start: '', end: '' });
    else set(f, { range, start: String(now - 3_600_000_000_000n), end: String(now) });
  };
  return (
    <form class="filters" aria-label="Filters" onSubmit={(e) => e.preventDefault()}>
      <Field id="f-service" label="Service" value={f.service} list="f-services" hint="any" onSet={(service) => set(f, { service })} />
      <Field id="f-operation" label="Operation" value={f.operation} list="f-operations" hint="any" onSet={(operation) => set(f, { operation })} />
      <div class="field-pair">
        <Field id="f-min" label="At least" value={f.min} hint="250ms" wrong={wrongDuration(f.min)} onSet={(min) => set(f, { min })} />
        <Field id="f-max" label="At most" value={f.max} hint="2s" wrong={wrongDuration(f.max)} onSet={(max) => set(f, { max })} />
      </div>
      <div class="field">
        <label for="f-range">Started</label>
        <select id="f-range" value={f.range} onChange={(e) => pickRange(e.currentTarget.value as TraceFilter['range'])}>
          {(['15m', '1h', '6h', '24h', 'all', 'between'] as const).map((r) => <option key={r} value={r}>{rangeNames[r]}</option>)}
        </select>
      </div>
      {f.range === 'between' && <Between f={f} />}
      <div class="field-row">
        <label class="tick"><input type="checkbox" checked={f.errors} onChange={(e) => set(f, { errors: e.currentTarget.checked })} />
          <Icon name="error" /> Errors only</label>
        <label class="tick"><input type="checkbox" checked={f.live} onChange={(e) => go('traces' + writeQuery(schema, { ...f, live: e.currentTarget.checked }), 'replace')} />
          <Icon name="live" /> Live</label>
      </div>
      <datalist id="f-services">{services.map((s) => <option key={s.name} value={s.name} />)}</datalist>
      <datalist id="f-operations">{[...operations].slice(0, 500).map((o) => <option key={o} value={o} />)}</datalist>
    </form>
  );
}
