// SPDX-License-Identifier: Apache-2.0
// All that is computed from a skeleton before the first picture. Large ones are made in a worker.
import { idleGaps, type Gap } from './axis';
import { criticalPath, type Critical } from './critical';
import { displayOf, type Display } from './display';
import { readSkeleton, type Skeleton } from './skeleton';
import { treeOf, type Tree } from './tree';

export interface Model {
  skeleton: Skeleton;
  tree: Tree;
  grouped: Display;
  critical: Critical;
  gaps: Gap[];
}

declare const TAKT_WORKER: string;
const WORKER_BYTES = 8 << 20; // about 200,000 spans; below, starting a worker costs more than it saves

export function makeModel(buffer: ArrayBuffer): Model {
  const skeleton = readSkeleton(buffer);
  const tree = treeOf(skeleton);
  return {
    skeleton,
    tree,
    grouped: displayOf(skeleton, tree, true),
    critical: criticalPath(skeleton, tree),
    gaps: idleGaps(skeleton, tree),
  };
}

export function loadModel(buffer: ArrayBuffer): Promise<Model> {
  if (buffer.byteLength < WORKER_BYTES) return new Promise((done) => done(makeModel(buffer)));
  return new Promise((done, fail) => {
    const worker = new Worker(TAKT_WORKER);
    worker.onmessage = (e: MessageEvent<{ model?: Model; error?: string }>) => {
      worker.terminate();
      if (e.data.model) done(e.data.model);
      else fail(new Error(e.data.error));
    };
    worker.onerror = (e) => {
      worker.terminate();
      fail(new Error(e.message));
    };
    worker.postMessage(buffer, [buffer]);
  });
}

// The buffers of a model, each once, to be handed over instead of copied.
export function buffersOf(m: Model): ArrayBuffer[] {
  const out = new Set<ArrayBuffer>();
  for (const part of [m.skeleton, m.tree, m.grouped, m.critical])
    for (const v of Object.values(part) as unknown[]) if (ArrayBuffer.isView(v)) out.add(v.buffer as ArrayBuffer);
  for (const g of m.grouped.groups) out.add(g.members.buffer as ArrayBuffer);
  return [...out];
}
