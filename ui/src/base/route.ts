// SPDX-License-Identifier: Apache-2.0
// Paths of the app and the pages they name. Paths are relative to the root of the app and have no
// slash in front, so that it works below any prefix.

export type Route =
  | { page: 'home' }
  | { page: 'start' }
  | { page: 'traces' }
  | { page: 'trace'; id: string }
  | { page: 'compare' }
  | { page: 'delivery' }
  | { page: 'deploy'; id: string }
  | { page: 'about' }
  | { page: 'unknown' };

export function matchPath(path: string): Route {
  const parts = path.replace(/\/+$/, '').split('/');
  if (parts.length === 1) {
    if (parts[0] === '') return { page: 'home' };
    if (parts[0] === 'start' || parts[0] === 'traces' || parts[0] === 'compare' || parts[0] === 'delivery') return { page: parts[0] };
  }
  if (parts.length === 2) {
    if (parts[0] === 'deploys' && parts[1]) return { page: 'deploy', id: parts[1] };
    if (parts[0] === 'settings' && parts[1] === 'about') return { page: 'about' };
    const id = parts[0] === 't' ? traceIdOf(parts[1]!) : null;
    if (id) return { page: 'trace', id: id.trace };
  }
  return { page: 'unknown' };
}

// What people paste as a trace id: 32 hex digits, fewer (leading zeros left out), with dashes, or
// a whole traceparent header, which names a span as well.
export function traceIdOf(pasted: string): { trace: string; span: string | null } | null {
  const text = pasted.trim().toLowerCase().replace(/^["']|["',;]$/g, '');
  const parent = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/.exec(text);
  if (parent) return { trace: parent[1]!, span: parent[2]! };
  const hex = text.replace(/^0x/, '').replaceAll('-', '');
  if (!/^[0-9a-f]{1,32}$/.test(hex) || /^0+$/.test(hex)) return null;
  if (hex.length < 8) return null; // more likely a word than an id
  return { trace: hex.padStart(32, '0'), span: null };
}
