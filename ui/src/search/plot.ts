// SPDX-License-Identifier: Apache-2.0
// What the pictures share: ink from the theme, a canvas that is sharp.
// A colour of the theme as the canvas takes it: light-dark() is resolved by a real element.
export function inks<K extends string>(element: HTMLElement, names: Record<K, string>): Record<K, string> {
  const probe = document.createElement('i');
  element.append(probe);
  const out = {} as Record<K, string>;
  for (const k in names) {
    probe.style.color = `var(${names[k]})`;
    out[k] = getComputedStyle(probe).color;
  }
  probe.remove();
  return out;
}

export function sharp(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D {
  const ratio = devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const c = canvas.getContext('2d')!;
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  c.clearRect(0, 0, width, height);
  return c;
}
