// SPDX-License-Identifier: Apache-2.0
// What is different since the version before, in a line whose figures open, and the command that takes it back.
import type { JSX } from 'preact';
import { between, deployPath, shortName, when, type Rollout } from '../base/delivery';
import { count, plural, visible } from '../base/format';
import { Copy, Scroll } from '../base/parts';
import type { Impact } from './impact';
import { KindTable, type Kind } from './kinds';

export interface Rollback {
  by?: 'catalogue' | 'suggestion';
  tool?: string;
  command?: string;
  why?: string;
  unset?: boolean; // in the catalogue, where one would be shown
}
type How = 'changed' | 'added' | 'removed';
interface Part {
  name?: string;
  how: How;
  old?: string; // versions of a dependency
  new?: string;
}
interface File {
  path: string;
  how: How;
  parts?: Part[]; // keys of configuration, dependencies
  parts_n?: number;
  parts_why?: string; // they are not told
}
export interface Changed {
  rollout: string;
  before?: { id: string; version?: string; sha?: string; finished?: string };
  files: { state: 'known' | 'cut' | 'unknown'; by?: 'git' | 'pushes'; why?: string; n: number; commits_told?: number; kinds: { kind: string; n: number; files: File[] }[] };
  rollouts: { id: string; change: string; version?: string; state: string; finished?: string }[];
  rollouts_n: number;
  flags: { key: string; flag?: string; action?: string; actor?: string; at?: string }[];
  flags_n: number;
}

// --- back -----------------------------------------------------------------------------------------------

const example = (service: string): string => `services:
  ${/^[\w.-]+$/.test(service) ? service : JSON.stringify(service)}:
    rollback: helm rollback {service} --namespace {environment}`;

function HowToSet({ service }: { service: string }): JSX.Element {
  return (
    <details class="how">
      <summary>How to set it</summary>
      <p>In the catalogue of services (a file, or the API), as the command of this service. What stands in braces is put in: {'{service}, {environment}, {version}, {previous}, {sha}, {previous_sha}'}.</p>
      <pre><code>{example(service)}</code></pre>
    </details>
  );
}

export function RollbackLine({ service, rollback }: { service: string; rollback: Rollback | undefined }): JSX.Element | null {
  if (!rollback) return null;
  const { command, by, tool, why } = rollback;
  return (
    <div class="rollback" data-k="rollback">
      <div class="row small">
        <span class="muted">To roll it back:</span>
        {command ? <><code class="command">{command}</code><Copy text={command} label="Copy rollback command"> Copy rollback command</Copy></> : <span>no command: {visible(why ?? '', 200)}</span>}
        {by === 'suggestion' && <span class="tag">a suggestion: what {tool} has for it</span>}
      </div>
      {rollback.unset && <HowToSet service={service} />}
    </div>
  );
}

// --- what changed -----------------------------------------------------------------------------------------

const kinds: Record<string, [string, string]> = {
  config: ['configuration file', 'configuration files'],
  dependency: ['dependency file', 'dependency files'],
  migration: ['migration', 'migrations'],
  test: ['test file', 'test files'],
  build: ['build file', 'build files'],
  document: ['document', 'documents'],
  code: ['file of code', 'files of code'],
  other: ['other file', 'other files'],
};

function Parts({ f }: { f: File }): JSX.Element | null {
  if (!f.parts) return f.parts_why ? <span class="muted">not compared: <bdi>{visible(f.parts_why, 160)}</bdi></span> : null;
  return (
    <ul class="plain">
      {f.parts.map((p, i) => <li key={i}><code><bdi>{visible(p.name ?? '', 120)}</bdi></code> {p.old || p.new ? <bdi>{[p.old, p.new].map((v) => (v ? visible(v, 40) : '–')).join(' → ')}</bdi> : <span class="muted">{p.how}</span>}</li>)}
      {f.parts.length < (f.parts_n ?? 0) && <li class="muted">{count(f.parts.length)} of {count(f.parts_n!)}</li>}
    </ul>
  );
}

function Shown({ shown, n }: { shown: number; n: number }): JSX.Element | null {
  return shown < n ? <p class="muted small">{count(shown)} of {count(n)} are shown.</p> : null;
}

function Files({ files, n, label }: { files: readonly File[]; n: number; label: string }): JSX.Element {
  const inside = files.some((f) => f.parts || f.parts_why);
  return (
    <>
      <Scroll label={label}>
        <table class="grid">
          <thead><tr><th>File</th><th>It was</th>{inside && <th>In it</th>}</tr></thead>
          <tbody>{files.map((f) => <tr key={f.path}><th scope="row" class="mono wrap"><bdi>{visible(f.path, 300)}</bdi></th><td>{f.how}</td>{inside && <td class="wrap"><Parts f={f} /></td>}</tr>)}</tbody>
        </table>
      </Scroll>
      <Shown shown={files.length} n={n} />
    </>
  );
}

function RolloutList({ rollouts, n }: { rollouts: Changed['rollouts']; n: number }): JSX.Element {
  const cut = rollouts.length < n; // then its figure says no kind
  return (
    <>
      <ul class="plain">{rollouts.map((r) => <li key={r.id}>{cut && `${visible(r.change, 40)} `}<a href={deployPath(r.id)}>{visible(r.version || r.id.slice(0, 8), 60)}</a> <span class="muted">{r.state} {when(r.finished)}</span></li>)}</ul>
      <Shown shown={rollouts.length} n={n} />
    </>
  );
}

function FlagList({ flags, n }: { flags: Changed['flags']; n: number }): JSX.Element {
  return (
    <>
      <ul class="plain">{flags.map((f) => <li key={f.key}><bdi>{visible(f.flag || f.key, 80)}</bdi> {f.action} <span class="muted">{[f.actor && visible(f.actor, 40), when(f.at)].filter(Boolean).join(', ')}</span></li>)}</ul>
      <Shown shown={flags.length} n={n} />
    </>
  );
}

interface Figure {
  key: string;
  label: string;
  body: () => JSX.Element | null;
}

function figuresOf(c: Changed, impact: Impact | null): Figure[] {
  const out: Figure[] = c.files.kinds.map((k) => {
    const [one, many] = kinds[k.kind] ?? [`${k.kind} file`, `${k.kind} files`];
    const parts = k.files.reduce((sum, f) => sum + (f.parts_n ?? 0), 0);
    const inside = parts ? ` (${k.kind === 'config' ? plural(parts, 'key') : plural(parts, 'dependency', 'dependencies')})` : '';
    return { key: k.kind, label: plural(k.n, one, many) + inside, body: () => <Files files={k.files} n={k.n} label={`Table: ${many}`} /> };
  });
  if (c.rollouts.length < c.rollouts_n) // of which kinds those are that are left out is not told
    out.push({ key: 'rollouts', label: plural(c.rollouts_n, 'other rollout'), body: () => <RolloutList rollouts={c.rollouts} n={c.rollouts_n} /> });
  else
    for (const change of [...new Set(c.rollouts.map((r) => r.change))]) {
      const of = c.rollouts.filter((r) => r.change === change);
      out.push({ key: `rollouts-${change}`, label: plural(of.length, `${change} rollout`), body: () => <RolloutList rollouts={of} n={of.length} /> });
    }
  if (c.flags.length)
    out.push({ key: 'flags', label: plural(c.flags_n, 'change of flags', 'changes of flags'), body: () => <FlagList flags={c.flags} n={c.flags_n} /> });
  const calls = impact?.calls;
  const operations = impact?.operations;
  const differs = (k: Kind): boolean => k.state === 'new' || k.state === 'gone';
  if (impact && calls && calls.new + calls.gone)
    out.push({
      key: 'calls', label: [calls.new && `${plural(calls.new, 'dependency', 'dependencies')} more`, calls.gone && `${plural(calls.gone, 'dependency', 'dependencies')} less`].filter(Boolean).join(', '),
      body: () => <><p class="muted small">As traces show it: what the service calls in one version and not in the other.</p><KindTable d={impact} kinds={calls} label="Table of what it calls" only={differs} /></>,
    });
  // Of what both call.
  const others = (k: Kind): boolean => differs(k) && !calls?.kinds.some((c) => c.to === k.to && differs(c));
  const n = operations?.kinds.filter(others).length ?? 0;
  if (impact && operations && n)
    out.push({ key: 'operations', label: `${plural(n, 'call', 'calls')} of another kind`, body: () => <KindTable d={impact} kinds={operations} label="Table of the operations that it calls" only={others} /> });
  return out;
}

// What is not known is said, with the way to it.
function Doubt({ files, known }: { files: Changed['files']; known: boolean }): JSX.Element | null {
  if (files.state === 'known') return null;
  return (
    <p class="muted small" data-k="files-doubt">
      {files.state === 'cut' ? 'Not all files: ' : 'Which files changed is not known: '}{visible(files.why ?? '', 200)}.
      {files.state === 'unknown' && known && <> Files are known of a repository on the server's machine after <code>takt import git PATH --service SERVICE</code>, or from webhooks of pushes.</>}
    </p>
  );
}

function toCommits(): void {
  const title = document.getElementById('brought');
  title?.scrollIntoView({ block: 'start' });
  title?.setAttribute('tabindex', '-1');
  title?.focus({ preventScroll: true });
}

interface LineProps {
  r: Rollout;
  changed: Changed;
  impact: Impact | null;
  open: string;
  show: (key: string) => void;
}
export function WhatChanged({ r, changed: c, impact, open, show }: LineProps): JSX.Element {
  const figures = figuresOf(c, impact);
  const shown = figures.find((f) => f.key === open);
  return (
    <section class="changed" aria-label="What changed" data-k="changed">
      <p class="row small">
        <span class="muted">What changed:</span>
        {r.commits > 0 && <button type="button" class="quiet" onClick={toCommits}>{plural(r.commits, 'commit')}</button>}
        {figures.map((f) => <button key={f.key} type="button" class="quiet" aria-expanded={f.key === open} data-k={`changed ${f.key}`} onClick={() => show(f.key === open ? '' : f.key)}>{f.label}</button>)}
        {!r.commits && !figures.length && c.files.state === 'known' && <span>no file</span>}
        {c.before && <span class="muted">since <a href={deployPath(c.before.id)}>{shortName(c.before) || c.before.id.slice(0, 8)}</a>{between(c.before.finished, r.finished) && ` (${between(c.before.finished, r.finished)})`}</span>}
      </p>
      {shown && <div class="opened" data-k="opened">{shown.body()}</div>}
      <Doubt files={c.files} known={!!c.before} />
    </section>
  );
}
