// SPDX-License-Identifier: Apache-2.0
// Conditions ↔ TraceQL. The text is the truth: fields and buttons only rewrite its first filter,
// `{ a && b }`, and read their values back from it. What they do not understand stays as it is.
// The language itself is the server's; this knows where tokens begin and end.

import { quote } from '../base/format';

export interface Piece {
  kind: 'word' | 'text' | 'number' | 'op' | 'unknown';
  from: number;
  to: number;
  text: string;
}

const SHAPES: [Piece['kind'] | 'space', RegExp][] = [
  ['space', /(?:\s+|\/\/.*|\/\*[^]*?\*\/)/y],
  ['text', /"(?:[^"\\]|\\.)*"|`[^`]*`/y],
  ['word', /[A-Za-z_.][^\s{}()|&=!<>~,"`+*^%]*(?:"(?:[^"\\]|\\.)*"[^\s{}()|&=!<>~,"`+*^%]*)*/y],
  ['number', /-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?:(?:ns|us|µs|μs|ms|s|m|h|d)(?:\d+(?:\.\d+)?)?)*/y],
  ['op', /&&|\|\||=~|!~|!=|>=|<=|>>|<<|[={}()|<>!~,+\-*/%^&]/y],
];

export function piecesOf(query: string): Piece[] {
  const out: Piece[] = [];
  for (let at = 0; at < query.length; ) {
    let kind: Piece['kind'] | 'space' = 'unknown';
    let to = at + 1;
    for (const [k, shape] of SHAPES) {
      shape.lastIndex = at;
      if (!shape.test(query) || shape.lastIndex === at) continue;
      [kind, to] = [k, shape.lastIndex];
      break;
    }
    if (kind !== 'space') out.push({ kind, from: at, to, text: query.slice(at, to) });
    at = to;
  }
  return out;
}

// One operand of the filter's chain of &&. Without a field it is only text.
export interface Condition {
  text: string;
  field?: string;
  op?: string;
  literal?: string;
}
export interface Filter {
  conditions: Condition[];
  rest: string; // what follows: stages, hints
}

const OPENS = '{(';
const CLOSES = '})';
const COMPARES = new Set(['=', '!=', '<', '<=', '>', '>=', '=~', '!~']);

// Runs of pieces between separators that lie in no bracket.
function split(pieces: readonly Piece[], separator: string): Piece[][] {
  const out: Piece[][] = [[]];
  let depth = 0;
  for (const p of pieces) {
    if (p.kind === 'op' && OPENS.includes(p.text)) depth++;
    if (p.kind === 'op' && CLOSES.includes(p.text)) depth--;
    if (depth === 0 && p.text === separator && p.kind === 'op') out.push([]);
    else out[out.length - 1]!.push(p);
  }
  return out;
}

const textOf = (query: string, run: readonly Piece[]): string => (run.length ? query.slice(run[0]!.from, run[run.length - 1]!.to) : '');

function conditionOf(query: string, run: readonly Piece[]): Condition {
  const text = textOf(query, run);
  const [field, op, literal] = run;
  if (run.length !== 3 || field!.kind !== 'word' || !COMPARES.has(op!.text) || literal!.kind === 'op' || literal!.kind === 'unknown') return { text };
  return { text, field: field!.text, op: op!.text, literal: literal!.text };
}

// The first filter of a query, or null when the query does not begin with one that stands alone
// (there is structure, or arithmetic between metrics, or it is not TraceQL).
export function readFilter(query: string): Filter | null {
  const pieces = piecesOf(query);
  if (!pieces.length) return { conditions: [], rest: '' };
  if (pieces[0]!.text !== '{' || pieces.some((p) => p.kind === 'unknown')) return null;
  let depth = 0;
  const end = pieces.findIndex((p) => {
    if (p.kind === 'op') depth += OPENS.includes(p.text) ? 1 : CLOSES.includes(p.text) ? -1 : 0;
    return depth === 0;
  });
  if (end < 0) return null;
  const next = pieces[end + 1];
  if (next && next.text !== '|' && next.text !== 'with') return null;
  const body = pieces.slice(1, end);
  const either = split(body, '||').length > 1;
  const runs = (either ? [body] : split(body, '&&')).filter((r) => r.length);
  return { conditions: runs.map((r) => conditionOf(query, r)), rest: query.slice(pieces[end]!.to).trim() };
}

export function writeFilter({ conditions, rest }: Filter): string {
  const several = conditions.length > 1;
  const text = conditions.map((c) => (several && split(piecesOf(c.text), '||').length > 1 ? `(${c.text})` : c.text)).join(' && ');
  if (!text && !rest) return '';
  return `{ ${text}${text ? ' ' : ''}}${rest ? ' ' + rest : ''}`;
}

// The literal that a field is compared with by this operator, as text; '' when it is not.
export function valueOf(filter: Filter | null, field: string, op: string): string {
  const c = filter?.conditions.find((x) => x.field === field && x.op === op);
  return c ? unquote(c.literal!) : '';
}

// The query with this condition in place of the one with the same field and operator, or with none
// of it (literal null).
export function setCondition(query: string, field: string, op: string, literal: string | null): string {
  const filter = readFilter(query);
  if (!filter) return literal === null ? query : addStage(query, `${field} ${op} ${literal}`);
  const at = filter.conditions.findIndex((c) => c.field === field && c.op === op);
  const made = literal === null ? [] : [{ text: `${field} ${op} ${literal}` }];
  if (at >= 0) filter.conditions.splice(at, 1, ...made);
  else filter.conditions.push(...made);
  return writeFilter(filter);
}

// The query with one condition more, unless it has it.
export function addCondition(query: string, text: string): string {
  const filter = readFilter(query);
  if (!filter) return addStage(query, text);
  const squeezed = (t: string): string => piecesOf(t).map((p) => p.text).join(' ');
  if (!filter.conditions.some((c) => squeezed(c.text) === squeezed(text))) filter.conditions.push({ text });
  return writeFilter(filter);
}

export function removeCondition(query: string, index: number): string {
  const filter = readFilter(query);
  if (!filter) return query;
  filter.conditions.splice(index, 1);
  return writeFilter(filter);
}

// Behind structure a condition becomes a stage of its own, in front of what only shows.
function addStage(query: string, text: string): string {
  const pieces = piecesOf(query);
  const stages = split(pieces, '|').map((run) => textOf(query, run));
  const at = stages.findIndex((s, i) => i > 0 && /^(select|by|coalesce|count|min|max|avg|sum)\b/.test(s));
  stages.splice(at < 0 ? stages.length : at, 0, `{ ${text} }`);
  return stages.join(' | ');
}

// --- literals and fields ----------------------------------------------------------------------------

const SIMPLE: Record<string, string> = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };
const ESCAPE = /((?:\\x[\da-fA-F]{2}|\\[0-3][0-7]{2})+)|\\u([\da-fA-F]{4})|\\U([\da-fA-F]{8})|\\([^])/g;

// \x.. and octal numbers are bytes of UTF-8, several of which may make a character.
const bytesOf = (escapes: string): string =>
  new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(escapes.split('\\').slice(1), (e) => (e[0] === 'x' ? parseInt(e.slice(1), 16) : parseInt(e, 8))));

export function unquote(literal: string): string {
  if (literal.startsWith('`')) return literal.slice(1, -1);
  if (!literal.startsWith('"')) return literal;
  return literal.slice(1, -1).replace(ESCAPE, (all, bytes?: string, short?: string, long?: string, c?: string) => {
    if (bytes) return bytesOf(bytes);
    const code = parseInt(short ?? long ?? '', 16);
    if (!Number.isNaN(code)) return code > 0x10ffff ? all : String.fromCodePoint(code);
    return SIMPLE[c!] ?? c!;
  });
}

// A value of an answer as TraceQL writes it; null when there is no literal for it (a list, bytes).
export function literalOf(value: string, type: string): string | null {
  switch (type) {
    case 'string': case '': return quote(value);
    case 'int': return /^-?\d+$/.test(value) ? value : null;
    case 'float': return /^-?\d/.test(value) ? (/[.e]/.test(value) ? value : value + '.0') : null;
    case 'bool': return value === 'true' || value === 'false' ? value : null;
    case 'duration': return /^-?\d+$/.test(value) ? durationLiteral(Number(value)) : /^-?[\d.]+(ns|us|µs|ms|s|m|h)/.test(value) ? value : null;
    case 'status': case 'kind': case 'keyword': return /^[a-z]+$/.test(value) ? value : null;
    case 'nil': return 'nil';
    default: return null;
  }
}

// Exact: 134217728 ns is 134.217728ms.
export function durationLiteral(ns: number): string {
  const [unit, digits] = ns >= 1e9 ? ['s', 9] : ns >= 1e6 ? ['ms', 6] : ns >= 1e3 ? ['us', 3] : ['ns', 0];
  const text = String(Math.round(ns)).padStart((digits as number) + 1, '0');
  const whole = text.slice(0, text.length - (digits as number));
  const fraction = text.slice(whole.length).replace(/0+$/, '');
  return `${whole}${fraction && '.' + fraction}${unit as string}`;
}

const GO_NS = { h: 3.6e12, m: 6e10, s: 1e9, ms: 1e6, us: 1e3, 'µs': 1e3, ns: 1 };

// A duration as answers write it, 1m30.5s, in ns; null: it is none.
export function durationOf(text: string): number | null {
  if (/^-?\d+$/.test(text)) return Number(text);
  if (!/^-?(\d+(\.\d+)?(h|ms|m|s|us|µs|ns))+$/.test(text)) return null;
  const sum = [...text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)/g)].reduce((n, m) => n + Number(m[1]) * GO_NS[m[2] as keyof typeof GO_NS], 0);
  return text.startsWith('-') ? -sum : sum;
}

const INTRINSICS = new Set(['status', 'kind', 'name', 'statusMessage', 'duration', 'rootName', 'rootServiceName', 'traceDuration', 'nestedSetParent', 'nestedSetLeft', 'nestedSetRight']);

// Names know two escapes only.
const quoteName = (name: string): string => `"${name.replace(/[\\"]/g, '\\$&')}"`;

const SCOPE = /^(?:parent\.)?(?:span|resource|event|link|instrumentation)?\./;

// The key of an attribute, as answers name it; '' when it is none.
function keyOf(field: string): string {
  const scope = SCOPE.exec(field);
  return scope ? field.slice(scope[0].length).replace(/"((?:[^"\\]|\\.)*)"/g, (_, part: string) => part.replace(/\\(["\\])/g, '$1')) : '';
}

// The field that a column of a query shows. Columns carry keys without their scope: it is the one that
// the query reads, where only one has that key.
export function fieldOf(column: string, query = ''): string {
  const by = /^by\((.*)\)$/.exec(column);
  if (by) return by[1]!;
  const read = new Set(piecesOf(query).flatMap((p) => (p.kind === 'word' && keyOf(p.text) === column ? [p.text] : [])));
  if (read.size === 1) return [...read][0]!;
  if (INTRINSICS.has(column) || /^(span|trace|event|link|instrumentation|resource):\w+$/.test(column)) return column;
  if (/^[a-z]+\(.*\)$/i.test(column)) return ''; // an aggregate
  return /^[\w.\-/:@]+$/.test(column) ? `.${column}` : `.${quoteName(column)}`;
}

// --- what kind of query, and parts of it --------------------------------------------------------------

const METRICS = /^(rate|count_over_time|min_over_time|max_over_time|avg_over_time|sum_over_time|quantile_over_time|histogram_over_time|compare)$/;

const functionsOf = (query: string): string[] => {
  const p = piecesOf(query);
  return p.flatMap((x, i) => (x.kind === 'word' && METRICS.test(x.text) && p[i - 1]?.text === '|' && p[i + 1]?.text === '(' ? [x.text] : []));
};

export const isMetrics = (query: string): boolean => functionsOf(query).length > 0;
export const isComparison = (query: string): boolean => functionsOf(query)[0] === 'compare';

// Is the metric made of others, or of one and a number? Then its unit is another, or none.
export function isCalculated(query: string): boolean {
  let depth = 0; // of braces: arithmetic in a filter is of spans
  return functionsOf(query).length > 1 || piecesOf(query).some((p) => {
    if (p.kind !== 'op') return false;
    depth += p.text === '{' ? 1 : p.text === '}' ? -1 : 0;
    return depth === 0 && /^[-+*/]$/.test(p.text);
  });
}

// The spans that a search is about, without what only shows or groups them; for counting them in
// other ways. Null: there is no such part.
export function spansOf(query: string): string | null {
  const pieces = piecesOf(query);
  if (!pieces.length) return '{}';
  if (isMetrics(query)) return null;
  const hint = pieces.findIndex((p, i) => p.text === 'with' && p.kind === 'word' && pieces[i + 1]?.text === '(');
  const stages = split(hint < 0 ? pieces : pieces.slice(0, hint), '|')
    .map((run) => textOf(query, run))
    .filter((s) => s && !/^select\s*\(/.test(s));
  while (/^(by|coalesce)\s*\(/.test(stages[stages.length - 1] ?? '')) stages.pop(); // in front of others they decide what is found
  return stages.join(' | ') || '{}';
}

// A search that shows these fields too.
export function withFields(query: string, fields: string): string {
  const pieces = piecesOf(query);
  if (!pieces.length) return `{} | select(${fields})`;
  const hint = pieces.findIndex((p, i) => p.text === 'with' && p.kind === 'word' && pieces[i + 1]?.text === '(');
  const at = hint < 0 ? query.length : pieces[hint]!.from;
  return `${query.slice(0, at).trimEnd()} | select(${fields})${hint < 0 ? '' : ' ' + query.slice(at)}`;
}

// What people type who do not write TraceQL: words of an operation's name, key=value.
// Null: it is TraceQL, or nothing.
export function fromWords(text: string): string | null {
  if (!text.trim() || /[{}()|]/.test(text)) return null;
  const terms = text.match(/[^\s="]+\s*=\s*(?:"[^"]*"|[^\s"]+)|"[^"]*"|\S+/g) ?? [];
  const conditions = terms.map((term) => {
    const pair = /^([^\s="]+)\s*=\s*"?([^"]*)"?$/.exec(term);
    if (!pair) return `name =~ ${quote(`(?i).*${term.replace(/^"|"$/g, '').replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}.*`)}`;
    const [, key, value] = pair as unknown as [string, string, string];
    const field = { service: 'resource.service.name', version: 'resource.service.version', operation: 'name' }[key] ?? (INTRINSICS.has(key) || /^(span|resource|event|link|instrumentation)[.:]/.test(key) ? key : `.${key}`);
    const bare = key === 'status' || key === 'kind' || /^(-?\d+(\.\d+)?|true|false)$/.test(value) || (/[dD]uration$/.test(key) && /^\d/.test(value));
    return `${field} = ${bare ? value : quote(value)}`;
  });
  return `{ ${conditions.join(' && ')} }`;
}
