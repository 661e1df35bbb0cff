// SPDX-License-Identifier: Apache-2.0
import { useSignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useLayoutEffect } from 'preact/hooks';

// The width of an element in px, followed.
export function useWidth(of: RefObject<HTMLElement>): number {
  const width = useSignal(0);
  useLayoutEffect(() => {
    const see = new ResizeObserver(() => (width.value = of.current?.clientWidth ?? 0));
    width.value = of.current!.clientWidth;
    see.observe(of.current!);
    return () => see.disconnect();
  }, []);
  return width.value;
}
