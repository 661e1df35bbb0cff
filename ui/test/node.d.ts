// The little of Node that the unit tests use; the app itself knows no Node.
declare module 'node:test' {
  export default function test(name: string, body: () => void | Promise<void>): void;
}
declare module 'node:assert/strict' {
  const assert: {
    (value: unknown, message?: string): asserts value;
    equal(a: unknown, b: unknown, message?: string): void;
    deepEqual(a: unknown, b: unknown, message?: string): void;
    throws(f: () => unknown, message?: RegExp): void;
  };
  export default assert;
}
declare module 'node:fs' {
  export function readFileSync(path: string): Uint8Array<ArrayBuffer>;
}
declare module '*/skeleton.mjs' {
  interface Entry { resource: unknown; span: Record<string, unknown> }
  export function encodeSkeleton(traceId: string, spans: Entry[], serviceOf: (s: Entry) => string, known?: number): { bytes: Uint8Array<ArrayBuffer>; order: number[] };
}
