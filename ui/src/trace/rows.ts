// SPDX-License-Identifier: Apache-2.0
// The rows of the waterfall that are on screen, as elements that are used again: text and roles
// for readers, mice and keyboards. Bars are painted on the canvas behind them.
import { visible } from '../base/format';
import { duration } from '../base/time';
import { hasChildren } from './display';
import { ENDS_BEFORE, EVENTS, LINKS, LOOP, MISSING_PARENT, NO_TIME, SAME_ID, STATUS_ERROR } from './skeleton';
import { endOf, outside } from './tree';
import type { TraceView } from './view';

const INDENT_PX = 14;
const INDENT_MAX = 24; // levels; deeper rows say their depth instead of moving on

const CHEVRON = 'M7 4l6 6-6 6';
const CHEVRON_OPEN = 'M16 7l-6 6-6-6';
const SVG = 'http://www.w3.org/2000/svg';

function make(tag: string, className: string, parent: Element, role = ''): HTMLElement {
  const e = document.createElement(tag);
  e.className = className;
  if (role) e.setAttribute('role', role);
  parent.append(e);
  return e;
}

// An element with one text, and that text: writing to it keeps its layout where `textContent` makes a new one.
function text(tag: string, className: string, parent: Element): Text {
  return make(tag, className, parent).appendChild(new Text());
}

function write(to: Text, value: string): void {
  if (to.data !== value) to.data = value;
}

function icon(parent: Element, path: string, className: string): SVGElement {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 20 20');
  svg.setAttribute('class', className);
  svg.setAttribute('aria-hidden', 'true');
  const p = document.createElementNS(SVG, 'path');
  p.setAttribute('d', path);
  for (const [k, v] of Object.entries({ fill: 'none', stroke: 'currentColor', 'stroke-width': '1.8', 'stroke-linecap': 'round', 'stroke-linejoin': 'round' }))
    p.setAttribute(k, v);
  svg.append(p);
  parent.append(svg);
  return svg;
}

// What is odd about a span, in words; "" if nothing.
export function oddities(view: TraceView, row: number): string[] {
  const f = view.s.flags[row]!;
  const out: string[] = [];
  if (f & MISSING_PARENT) out.push('missing parent');
  if (f & LOOP) out.push('own ancestor: link cut');
  if (f & NO_TIME) out.push(view.s.start[row] === 0 && !view.s.duration[row] ? 'start or end not set' : 'no end');
  if (f & ENDS_BEFORE) out.push(`ends ${duration(view.s.duration[row]!)} before it starts`);
  if (f & SAME_ID) out.push('span id not unique');
  const { before } = outside(view.s, row);
  if (before > 0 && !(f & NO_TIME)) out.push(`starts ${duration(before)} before its parent`);
  return out;
}

export class RowElement {
  readonly el: HTMLElement;
  node = -1;
  place = -1; // in the list of visible rows
  private shown = true;
  private y = NaN; // px from the sheet's top
  private readonly name: HTMLElement;
  private readonly fold: HTMLButtonElement;
  private readonly chevron: Element;
  private readonly dot: HTMLElement;
  private readonly service: Text;
  private readonly operation: Text;
  private readonly notes: HTMLElement;
  private readonly cross: SVGElement;
  private readonly time: HTMLElement;
  private readonly took: Text;
  private readonly period: HTMLElement;
  private open: boolean | null | undefined;
  private noted = '';
  private pointed = false; // at the row, once: it has titles

  constructor(private readonly view: TraceView, parent: Element, slot: number) {
    this.el = make('div', 'wf-row', parent, 'row');
    this.el.id = `wf-row-${slot}`;
    this.name = make('div', 'wf-name', this.el, 'gridcell');
    this.fold = make('button', 'wf-fold', this.name) as HTMLButtonElement;
    this.fold.type = 'button';
    this.fold.tabIndex = -1;
    this.chevron = icon(this.fold, CHEVRON, 'ico').firstElementChild!;
    this.dot = make('i', 'dot', this.name);
    this.cross = icon(this.name, 'M5 5l10 10M15 5L5 15', 'ico wf-cross');
    this.service = text('bdi', 'wf-service', this.name);
    this.operation = text('bdi', 'wf-op', this.name);
    this.notes = make('span', 'wf-notes', this.name);
    this.time = make('div', 'wf-time', this.el, 'gridcell');
    this.took = this.time.appendChild(new Text());
    this.period = make('div', 'wf-cell', this.el, 'gridcell');
  }

  show(on: boolean): void {
    if (this.shown === on) return;
    this.shown = on;
    this.el.hidden = !on;
    if (on) this.mark();
    else this.el.removeAttribute('aria-selected');
  }

  move(y: number): void {
    if (y === this.y) return;
    this.y = y;
    this.el.style.top = `${y}px`;
  }

  fill(node: number, place: number): void {
    const { view } = this;
    this.node = node;
    this.place = place;
    const d = view.display.peek();
    const row = view.rowOf(node);
    const group = view.group(node);
    const depth = d.depth[node]!;
    const errors = group ? group.errors : view.s.status[row] === STATUS_ERROR ? 1 : 0;
    this.el.setAttribute('aria-level', String(depth + 1));
    this.el.setAttribute('aria-rowindex', String(place + 2));
    this.unfold(hasChildren(d, node) ? !view.folded[node] : null);
    this.el.dataset['k'] = view.keyOf(node);
    this.el.classList.toggle('bad', errors > 0);
    this.el.classList.toggle('group', !!group);
    this.name.style.paddingInlineStart = `${Math.min(depth, INDENT_MAX) * INDENT_PX + 4}px`;
    this.dot.style.background = `var(--c${view.colourOf(row)})`;
    this.cross.style.display = errors ? '' : 'none';
    write(this.service, visible(view.serviceOf(row), 60) || '(no service)');
    write(this.operation, visible(view.nameOf(row), 160) || '(no name)');
    write(this.took, duration(group ? group.sum : view.s.flags[row]! & ENDS_BEFORE ? -view.s.duration[row]! : view.s.duration[row]!));
    this.period.setAttribute('aria-label', `from ${duration(group ? group.start : view.s.start[row]!)} to ${duration(group ? group.end : endOf(view.s, row))}`);
    this.note(row, node, errors, depth);
    if (this.pointed) this.title();
    this.mark();
  }

  // null: there is nothing to fold.
  private unfold(open: boolean | null): void {
    if (open === this.open) return;
    this.open = open;
    if (open === null) this.el.removeAttribute('aria-expanded');
    else this.el.setAttribute('aria-expanded', String(open));
    this.fold.style.visibility = open === null ? 'hidden' : '';
    this.fold.setAttribute('aria-label', open ? 'Fold' : 'Unfold');
    this.chevron.setAttribute('d', open ? CHEVRON_OPEN : CHEVRON);
  }

  private note(row: number, node: number, errors: number, depth: number): void {
    const { view } = this;
    const group = view.group(node);
    const parts: [string, string][] = [];
    if (group) {
      parts.push(['count', `×${group.members.length}`]);
      parts.push(['', `p50 ${duration(group.p50)} · p95 ${duration(group.p95)}`]);
      if (errors) parts.push(['bad', `${errors} failed`]);
    } else {
      const message = view.strings.get(view.s.message[row]!);
      if (errors) parts.push(['bad', message ? visible(message, 80) : 'error']);
      for (const o of oddities(view, row)) parts.push(['odd', o]);
      const hidden = view.folded[node] ? view.t.errorsBefore[view.t.end[row]!]! - view.t.errorsBefore[row + 1]! : 0;
      if (view.folded[node]) parts.push(['', `+${view.t.end[row]! - row - 1}`]);
      if (hidden) parts.push(['bad', hidden === 1 ? '1 error inside' : `${hidden} errors inside`]);
      if (view.s.flags[row]! & EVENTS) parts.push(['', 'events']);
      if (view.s.flags[row]! & LINKS) parts.push(['', 'links']);
      if (depth > INDENT_MAX) parts.push(['', `level ${depth + 1}`]);
    }
    const noted = parts.join('\n');
    if (noted === this.noted) return;
    this.noted = noted;
    this.notes.replaceChildren(
      ...parts.map(([kind, text]) => {
        const e = document.createElement('span');
        e.className = `note-${kind || 'plain'}`;
        e.textContent = text;
        return e;
      }),
    );
  }

  // For the pointer that has come to the row. Most rows are filled many times and never pointed at.
  point(): void {
    if (this.pointed) return;
    this.pointed = true;
    this.title();
  }

  private title(): void {
    const { view } = this;
    const row = view.rowOf(this.node);
    const group = view.group(this.node);
    this.name.title = `${view.serviceOf(row).slice(0, 200)} · ${view.nameOf(row).slice(0, 300)}`;
    this.time.title = group ? `sum of ${group.members.length}` : '';
  }

  // Selected, found, on the critical path: what changes without the row changing.
  mark(): void {
    const { view } = this;
    const selected = this.node === view.selected.peek();
    this.el.setAttribute('aria-selected', String(selected));
    const q = view.query.peek().trim().toLowerCase();
    const row = view.display.peek().row[this.node]!;
    const found = !!q && row >= 0 && isIn(view.matches.peek(), row);
    this.el.classList.toggle('found', found);
    this.el.classList.toggle('off-path', view.critical.peek() && row >= 0 && !view.criticalRows.has(row));
  }
}

function isIn(sorted: Uint32Array, value: number): boolean {
  let lo = 0;
  let hi = sorted.length;
  while (lo < hi) {
    const mid = (lo + hi) >> 1;
    if (sorted[mid]! < value) lo = mid + 1;
    else hi = mid;
  }
  return sorted[lo] === value;
}
