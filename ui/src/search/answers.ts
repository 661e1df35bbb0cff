// SPDX-License-Identifier: Apache-2.0
// What the server answers to searches, metrics and explanations. Times in ns are text.
import type { AnyValue, KeyValue, TraceRow } from '../base/api';
import { duration } from '../base/time';
import { durationOf } from './filter';

export interface FoundSpan {
  spanId: string;
  name?: string | null; // where the query reads it
  startUnixNano: string;
  durationNano: string;
  error?: boolean;
  attributes: FoundAttribute[];
}
export interface FoundAttribute {
  key: string;
  type?: string;
  value: unknown; // its text, or as OTLP/JSON has it
}
export interface FoundSet {
  attributes: FoundAttribute[];
  matched: number;
  spans: FoundSpan[];
}
export interface FoundTrace extends TraceRow {
  sets?: FoundSet[]; // absent in the plain list of traces
}
// A search, or the plain list of traces, which knows less.
export interface Found {
  traces: FoundTrace[];
  columns?: string[];
  total?: number | null;
  matchedSpans?: number | null;
  exact?: boolean; // the total is no estimate
  complete: boolean;
  why?: string | null;
  cursor: string | null;
  scan?: { traces?: number; spans?: number; bytes?: number; blocks?: number; groups?: number };
}

export interface Token {
  from: number;
  to: number;
  class: string;
}
export interface Diagnostic {
  from: number;
  to: number;
  line: number;
  column: number;
  severity: string;
  message: string;
}
export interface Suggestion {
  text: string;
  kind: string;
  detail?: string | null;
}
export interface Analysis {
  kind: 'search' | 'metrics' | 'invalid';
  canonical?: string | null;
  tokens: Token[];
  diagnostics: Diagnostic[];
  completion?: { from: number; to: number; items: Suggestion[] } | null;
}

export interface Exemplar {
  labels: KeyValue[];
  value?: number | string;
  timestampMs: string;
}
export interface Series {
  labels?: KeyValue[];
  samples?: { timestampMs: string; value?: number | string }[];
  exemplars?: Exemplar[];
  value?: number | string; // of a query for one moment
}
export interface SeriesAnswer {
  series?: Series[];
  status?: string;
  message?: string;
}

export interface Difference {
  field: string;
  value: unknown;
  type: string;
  selection: number;
  selectionTotal: number;
  selectionMost?: number; // spans of the selection that share one value: the most
  rest: number;
  restTotal: number;
  diff: number;
}
export interface Explanation {
  selection: number;
  rest: number;
  attributes: Difference[];
  complete?: boolean;
  why?: string | null;
}

// The text of a value, plain or as OTLP/JSON has it.
export function plain(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value !== 'object') return String(value);
  if (Array.isArray(value)) return `[${value.map(plain).join(', ')}]`;
  const v = value as AnyValue;
  if (v.arrayValue) return `[${(v.arrayValue.values ?? []).map(plain).join(', ')}]`;
  if (v.kvlistValue) return `{${(v.kvlistValue.values ?? []).map((p) => `${p.key}: ${plain(p.value)}`).join(', ')}}`;
  const one = v.stringValue ?? v.boolValue ?? v.intValue ?? v.doubleValue ?? v.bytesValue;
  return one === undefined ? '' : String(one);
}

export const typeOf = (a: FoundAttribute): string => {
  if (a.type) return a.type;
  const v = a.value as Record<string, unknown> | null;
  return v && typeof v === 'object' ? (Object.keys(v)[0] ?? '').replace('Value', '').replace('double', 'float') : typeof a.value === 'number' ? 'float' : typeof a.value === 'boolean' ? 'bool' : 'string';
};

// Lists and the like come as the text of their OTLP/JSON.
function listText(text: string): string {
  try {
    return plain(JSON.parse(text));
  } catch {
    return text;
  }
}

export function shown(a: FoundAttribute): string {
  const text = plain(a.value);
  if (typeOf(a) === 'any') return listText(text);
  const ns = typeOf(a) === 'duration' ? durationOf(text) : null;
  return ns === null ? text : duration(ns);
}
