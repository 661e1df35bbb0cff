// SPDX-License-Identifier: Apache-2.0
// What the server answers, and how it is asked. Times in ns are text, because they do not fit a
// JavaScript number.

export interface Receiver {
  protocol: string;
  address: string;
  tls: boolean;
  spans_accepted: number;
  requests: number;
  refused_requests: number;
  refused_spans: number;
  first_seen_unix_ns: string | null;
  last_seen_unix_ns: string | null;
}
export interface Refusal {
  time_unix_ns: string;
  protocol: string;
  peer: string;
  reason: string;
  text: string;
  count: number;
}
export interface Status {
  version: string;
  started_unix_ns: string;
  now_unix_ns: string;
  data_dir: string;
  receivers: Receiver[];
  refusals: Refusal[];
  store: {
    spans: number;
    traces: number; // of blocks: those in memory only are not among them
    blocks: number;
    bytes: number;
    oldest_unix_ns: string | null;
    newest_unix_ns: string | null;
    head_spans: number;
    wal_bytes: number;
  };
}
export interface TraceRow {
  traceId: string;
  rootService: string | null; // null: the root has not come
  rootName: string | null;
  startUnixNano: string;
  durationNano: string;
  spans: number;
  errors: number;
  services: { name: string; spans: number; errors: number }[];
}
export interface TraceList {
  traces: TraceRow[];
  total: number;
  complete: boolean;
  cursor: string | null;
}
export interface Services {
  services: { name: string; operations: string[] }[];
}
export interface AnyValue {
  stringValue?: string;
  boolValue?: boolean;
  intValue?: string | number;
  doubleValue?: number | string;
  arrayValue?: { values?: AnyValue[] };
  kvlistValue?: { values?: KeyValue[] };
  bytesValue?: string;
}
export interface KeyValue {
  key: string;
  value?: AnyValue;
}
export interface SpanDetails {
  row: number;
  resource: { attributes?: KeyValue[]; droppedAttributesCount?: number };
  resourceSchemaUrl?: string;
  scope: { name?: string; version?: string; attributes?: KeyValue[] };
  span: {
    traceId: string;
    spanId: string;
    parentSpanId?: string;
    traceState?: string;
    flags?: number;
    name?: string;
    kind?: number | string;
    startTimeUnixNano?: string;
    endTimeUnixNano?: string;
    attributes?: KeyValue[];
    droppedAttributesCount?: number;
    events?: { timeUnixNano?: string; name?: string; attributes?: KeyValue[]; droppedAttributesCount?: number }[];
    droppedEventsCount?: number;
    links?: { traceId: string; spanId: string; traceState?: string; attributes?: KeyValue[] }[];
    droppedLinksCount?: number;
    status?: { code?: number | string; message?: string };
  };
}

// A failure to get an answer. `status` 0: the server was not reached.
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

const TIMEOUT_MS = 30_000;

export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const signals = [AbortSignal.timeout(TIMEOUT_MS), ...(init.signal ? [init.signal] : [])];
  let answer: Response;
  try {
    answer = await fetch(path, { ...init, signal: AbortSignal.any(signals) });
  } catch (e) {
    if (init.signal?.aborted) throw e;
    const late = e instanceof DOMException && e.name === 'TimeoutError';
    throw new ApiError(0, late ? `No answer within ${TIMEOUT_MS / 1000} s.` : 'The server cannot be reached.');
  }
  if (answer.ok) return answer;
  const text = (await answer.text().catch(() => '')).trim().slice(0, 500);
  throw new ApiError(answer.status, text || answer.statusText || `The server answered ${answer.status}.`);
}

export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  const answer = await request(path, signal ? { signal } : {});
  try {
    return (await answer.json()) as T;
  } catch (e) {
    if (signal?.aborted) throw e;
    throw new ApiError(answer.status, 'The answer of the server could not be read.');
  }
}
