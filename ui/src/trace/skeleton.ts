// SPDX-License-Identifier: Apache-2.0
// Reads the skeleton of a trace (docs/formats/skeleton.md). The columns stay where they lie; only
// times become plain numbers, in ns since the base: exact up to 104 days, close enough beyond.

export const NONE = 0xffffffff;
export const VERSION = 1;
const HEADER_BYTES = 80;

export const MISSING_PARENT = 1;
export const LOOP = 2;
export const EVENTS = 4;
export const LINKS = 8;
export const ENDS_BEFORE = 16;
export const NO_TIME = 32;
export const SAME_ID = 64;
export const STATUS_ERROR = 2;

// Plain data, so that a worker can hand it over.
export interface Skeleton {
  n: number;
  known: number; // spans of the trace that the server knows
  traceId: string;
  base: bigint; // ns since 1970
  length: number; // ns from the base to the end of the last span
  root: number; // row, or NONE
  parent: Uint32Array;
  start: Float64Array; // ns since the base
  duration: Float64Array; // ns; with ENDS_BEFORE how far before
  name: Uint32Array; // string
  resource: Uint32Array;
  message: Uint32Array; // string
  kind: Uint8Array;
  status: Uint8Array;
  flags: Uint8Array;
  ids: Uint8Array; // 8 bytes per row
  service: Uint32Array; // by resource: string
  ends: Uint32Array; // by string: where it ends
  bytes: Uint8Array;
}

export class SkeletonError extends Error {}

const HIGH = 2 ** 32;
const pad4 = (n: number): number => (n + 3) & ~3;

function joined(low: Uint32Array, high: Uint32Array): Float64Array {
  const out = new Float64Array(low.length);
  for (let i = 0; i < out.length; i++) out[i] = low[i]! + high[i]! * HIGH;
  return out;
}

export const hex = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');

function below(column: Uint32Array, limit: number, what: string): void {
  for (let i = 0; i < column.length; i++) if (column[i]! >= limit) throw new SkeletonError(`row ${i}: ${what}`);
}

function check(s: Skeleton): void {
  for (let i = 0; i < s.n; i++)
    if (s.parent[i]! !== NONE && s.parent[i]! >= i) throw new SkeletonError(`row ${i}: parent`);
  below(s.name, s.ends.length, 'name');
  below(s.message, s.ends.length, 'message');
  below(s.resource, s.service.length, 'resource');
  below(s.service, s.ends.length, 'service');
  let end = 0;
  for (const e of s.ends) {
    if (e < end || e > s.bytes.length) throw new SkeletonError('strings');
    end = e;
  }
  if (s.root !== NONE && s.root >= s.n) throw new SkeletonError('root');
}

export function readSkeleton(buffer: ArrayBuffer): Skeleton {
  if (buffer.byteLength < HEADER_BYTES) throw new SkeletonError('cut short');
  const view = new DataView(buffer);
  if (view.getUint32(0) !== 0x544b534b) throw new SkeletonError('not a skeleton');
  const version = view.getUint32(4, true);
  if (version !== VERSION) throw new SkeletonError(`version ${version}; reload the page`);
  const [n, known, nResources, nStrings, textBytes] = [8, 12, 52, 56, 60].map((at) => view.getUint32(at, true)) as
    [number, number, number, number, number];
  const size = HEADER_BYTES + n * 40 + 3 * pad4(n) + 4 * (nResources + nStrings) + textBytes;
  if (size !== buffer.byteLength) throw new SkeletonError(`${buffer.byteLength} bytes where ${size} are needed`);

  let at = HEADER_BYTES;
  const u32 = (count: number): Uint32Array => {
    at += count * 4;
    return new Uint32Array(buffer, at - count * 4, count);
  };
  const u8 = (count: number): Uint8Array => {
    const column = new Uint8Array(buffer, at, count);
    at += pad4(count);
    return column;
  };
  const parent = u32(n);
  const start = joined(u32(n), u32(n));
  const duration = joined(u32(n), u32(n));
  const s: Skeleton = {
    n,
    known,
    traceId: hex(new Uint8Array(buffer, 16, 16)),
    base: view.getBigUint64(32, true),
    length: Number(view.getBigUint64(40, true)),
    root: view.getUint32(48, true),
    parent,
    start,
    duration,
    name: u32(n),
    resource: u32(n),
    message: u32(n),
    kind: u8(n),
    status: u8(n),
    flags: u8(n),
    ids: u8(n * 8),
    service: u32(nResources),
    ends: u32(nStrings),
    bytes: u8(textBytes),
  };
  check(s);
  return s;
}

const decoder = new TextDecoder();

// The strings, decoded when somebody asks.
export class Strings {
  private readonly cache: (string | undefined)[];
  constructor(private readonly s: Skeleton) {
    this.cache = new Array(s.ends.length);
  }
  get count(): number {
    return this.s.ends.length;
  }
  get(i: number): string {
    const from = i ? this.s.ends[i - 1]! : 0;
    return (this.cache[i] ??= decoder.decode(this.s.bytes.subarray(from, this.s.ends[i]!)));
  }
}

export const idOf = (s: Skeleton, row: number): string => hex(s.ids.subarray(row * 8, row * 8 + 8));

// The first row with this span id, or -1.
export function rowOfId(s: Skeleton, id: string): number {
  const wanted = /^[0-9a-f]{16}$/.exec(id) && Uint8Array.from(id.match(/../g)!, (h) => parseInt(h, 16));
  if (!wanted) return -1;
  for (let row = 0, at = 0; row < s.n; row++, at += 8) {
    let k = 0;
    while (k < 8 && s.ids[at + k] === wanted[k]) k++;
    if (k === 8) return row;
  }
  return -1;
}
