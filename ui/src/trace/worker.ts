// SPDX-License-Identifier: Apache-2.0
// Makes the model of a large trace beside the page, so that the page stays alive meanwhile.
import { buffersOf, makeModel } from './model';

const scope = self as unknown as {
  onmessage: (e: MessageEvent<ArrayBuffer>) => void;
  postMessage: (m: unknown, transfer?: Transferable[]) => void;
};

scope.onmessage = (e) => {
  try {
    const model = makeModel(e.data);
    scope.postMessage({ model }, buffersOf(model));
  } catch (error) {
    scope.postMessage({ error: error instanceof Error ? error.message : String(error) });
  }
};
