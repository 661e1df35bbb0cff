// SPDX-License-Identifier: Apache-2.0
// How many spans lie on each pixel of a picture of the whole trace.
import type { Axis } from './axis';
import { STATUS_ERROR, type Skeleton } from './skeleton';
import { endOf } from './tree';

// Counts of spans per cell, as differences along each line: linear in spans, however long they are.
export function density(s: Skeleton, axis: Axis, width: number, height: number, errorsOnly: boolean): Uint32Array {
  const cells = new Int32Array((width + 1) * height);
  for (let row = 0; row < s.n; row++) {
    if (errorsOnly && s.status[row] !== STATUS_ERROR) continue;
    const y = Math.floor((row * height) / Math.max(height, s.n));
    const a = Math.min(width - 1, Math.max(0, Math.floor(axis.x(s.start[row]!))));
    const b = Math.min(width, Math.max(a + 1, Math.ceil(axis.x(endOf(s, row)))));
    cells[y * (width + 1) + a]!++;
    cells[y * (width + 1) + b]!--;
  }
  const out = new Uint32Array(width * height);
  for (let y = 0; y < height; y++)
    for (let x = 0, sum = 0; x < width; x++) out[y * width + x] = sum += cells[y * (width + 1) + x]!;
  return out;
}
