// SPDX-License-Identifier: Apache-2.0
// The fields below the query: they show what its first filter says and rewrite it. Conditions that
// have no field of their own are chips, to be taken away.
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { getJson, type Services } from '../base/api';
import { quote, visible } from '../base/format';
import { Icon } from '../base/parts';
import { resource } from '../base/resource';
import { parseDuration } from '../base/time';
import type { Ask } from './ask';
import { draft, run } from './draft';
import { durationLiteral, readFilter, removeCondition, setCondition, valueOf, type Condition } from './filter';

interface FieldProps {
  id: string;
  label: string;
  value: string;
  list?: string;
  hint?: string;
  wrong?: (v: string) => string;
  onSet: (v: string) => void;
  onFocus?: () => void;
}

// A text field that takes effect on Enter, on leaving it, and on choosing from its list.
function Field({ id, label, value, list, hint, wrong, onSet, onFocus }: FieldProps): JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  const shown = useRef(''); // a field of one line shows a value of several lines without their ends
  useEffect(() => {
    input.current!.value = value;
    shown.current = input.current!.value;
    input.current!.setCustomValidity('');
  }, [value]);
  const commit = (): void => {
    if (input.current!.value === shown.current) return;
    const v = input.current!.value.trim();
    const said = v ? (wrong?.(v) ?? '') : '';
    input.current!.setCustomValidity(said);
    if (said) input.current!.reportValidity();
    else if (v !== value) onSet(v);
  };
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input id={id} ref={input} defaultValue={value} list={list} placeholder={hint ?? 'any'} autocomplete="off" spellcheck={false}
        onChange={commit} onFocus={onFocus} onKeyDown={(e) => e.key === 'Enter' && (e.preventDefault(), commit())} />
    </div>
  );
}

interface TagValues {
  tagValues?: { type: string; value: string }[];
}
const versions = resource<TagValues>();
const VERSION = 'resource.service.version';
const SERVICE = 'resource.service.name';

function loadVersions(service: string): void {
  const q = service ? `?${new URLSearchParams({ q: `{ ${SERVICE} = ${quote(service)} }` })}` : '';
  void versions.load((stop) => getJson(`api/v2/search/tag/${VERSION}/values${q}`, stop));
}

const OWN: [string, string][] = [[SERVICE, '='], ['name', '='], ['status', '='], ['duration', '>='], [VERSION, '=']];
const hasField = (c: Condition): boolean => OWN.some(([f, op]) => c.field === f && c.op === op);
const STATUS = ['error', 'ok', 'unset'];

function Chips({ ask, conditions }: { ask: Ask; conditions: readonly Condition[] }): JSX.Element | null {
  const shown = conditions.map((c, i) => ({ c, i })).filter(({ c }) => !hasField(c));
  if (!shown.length) return null;
  return (
    <ul class="chips" aria-label="Further conditions">
      {shown.map(({ c, i }) => (
        <li key={i + c.text} class="chip" data-k={`chip ${c.text}`}>
          <code><bdi>{visible(c.text, 160)}</bdi></code>
          <button type="button" class="quiet icon" aria-label={`Remove ${visible(c.text, 160)}`} onClick={() => run(ask, removeCondition(draft.value, i))}><Icon name="close" /></button>
        </li>
      ))}
    </ul>
  );
}

export function Fields({ ask, services }: { ask: Ask; services: Services['services'] }): JSX.Element {
  const ran = readFilter(ask.q);
  const filter = readFilter(draft.value) ?? ran; // half-written: as it was
  const at = (i: number): string => valueOf(filter, ...OWN[i]!);
  const set = (i: number) => (v: string) => run(ask, setCondition(draft.value, ...OWN[i]!, v ? quote(v) : null));
  const service = at(0);
  const operations = new Set(services.filter((s) => !service || s.name === service).flatMap((s) => s.operations));
  const status = at(2);
  return (
    <div class="fields" role="group" aria-label="Conditions">
      <Field id="f-service" label="Service" value={service} list="f-services" onSet={set(0)} />
      <Field id="f-operation" label="Operation" value={at(1)} list="f-operations" onSet={set(1)} />
      <div class="field short">
        <label for="f-status">Status</label>
        <select id="f-status" value={status} onChange={(e) => run(ask, setCondition(draft.value, 'status', '=', e.currentTarget.value || null))}>
          <option value="">any</option>
          {[...new Set([...STATUS, status])].filter(Boolean).map((s) => <option key={s} value={s}>{s}</option>)}
        </select>
      </div>
      <Field id="f-duration" label="Duration at least" value={at(3)} hint="250ms" wrong={(v) => (parseDuration(v) === null ? 'Like 250ms, 1.5s or 2m' : '')}
        onSet={(v) => run(ask, setCondition(draft.value, 'duration', '>=', v ? literalDuration(v) : null))} />
      <Field id="f-version" label="Version" value={at(4)} list="f-versions" onSet={set(4)} onFocus={() => loadVersions(service)} />
      <datalist id="f-services">{services.map((s) => <option key={s.name} value={s.name} />)}</datalist>
      <datalist id="f-operations">{[...operations].slice(0, 500).map((o) => <option key={o} value={o} />)}</datalist>
      <datalist id="f-versions">{(versions.state.value.data?.tagValues ?? []).slice(0, 500).map((v) => <option key={v.value} value={v.value} />)}</datalist>
      {ran || filter ? <Chips ask={ask} conditions={filter?.conditions ?? []} /> : <p class="muted small">These fields add to the query; what it says already is more than they can show.</p>}
    </div>
  );
}

// As it was typed when TraceQL reads it so, else exactly.
const literalDuration = (v: string): string => (/^\d+(\.\d+)?(ns|us|µs|ms|s|m|h)$/.test(v) ? v : durationLiteral(parseDuration(v)!));
