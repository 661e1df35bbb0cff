// SPDX-License-Identifier: Apache-2.0
// Rollouts and measures as the server tells them, and how they read everywhere.
import { count, plural, visible } from './format';
import { zone } from './prefs';
import { dateTime, duration } from './time';

interface Estimate {
  value?: number;
  interval?: [number, number];
}
export interface Measure extends Estimate {
  name: string;
  title: string;
  figure: string;
  unit: 'per day' | 'share' | 'seconds' | 'number' | 'days per week';
  n: number;
  p75?: number;
  p90?: number;
  p95?: number;
  numerator?: number;
  denominator?: number;
  small?: boolean;
  immature?: number;
  clamped?: number;
  target?: { at_most?: number; at_least?: number; verdict: 'met' | 'missed' | 'cannot know'; of?: string };
  level?: { best?: string; worst?: string; between?: boolean; insufficient?: boolean };
  left_out: { why: string; n: number }[];
}
export interface Measures {
  from: string;
  to: string;
  partial?: boolean; // the last period of the calendar is not over
  measures: Measure[];
}
export interface Rollout {
  id: string;
  service: string;
  environment: string;
  version?: string;
  sha?: string;
  digest?: string;
  kind: string;
  state: string;
  targets?: number;
  done_targets?: number;
  attempts?: number;
  started?: string;
  finished?: string;
  recovered?: string;
  failure?: string;
  before?: string;
  undoes?: string;
  reverts?: string;
  commits_state: string;
  commits: number;
  changes?: number;
  trigger?: string;
  actor?: string;
  url?: string;
  lead_ns?: string; // in lists: the middle one of its commits
  canary?: string; // in lists: the state of the last one of its version
}
export interface Rollouts {
  rollouts: Rollout[];
  all: number;
}
export interface Scopes {
  services: { service: string; environment: string; production?: boolean; rollouts: number }[];
}

export interface Catalogue {
  source: string;
  file?: string;
  problem?: string; // why the file was not read
  catalogue: { services: Record<string, Listed> };
  unlisted: { service: string; deploys: number; seen: string[] }[];
  dependencies: Need[];
  defaultBranches: { service: string; repository: string; branch: string }[];
  flagAgeDays: number;
}
export interface Listed {
  team?: string;
  product?: string;
  tier?: number;
  owner?: string;
  runbook?: string;
}
export interface Need {
  service: string;
  needs: string;
  listed?: boolean;
  inTraces?: boolean;
}

// The five of DORA, in their order.
export const FIRST = ['deployment_frequency', 'lead_time', 'change_failure_rate', 'failed_deployment_recovery', 'rework_rate'];

// The measures by what they are of, so that forty rows can be read; what no list names comes last.
const groups: [string, readonly string[]][] = [
  ['DORA', FIRST],
  ['Rollouts and recovery', ['restore_time', 'remediate_time', 'detect_time', 'acknowledge_time', 'rollback_rate', 'rollback_time', 'automatic_rollback_rate', 'deployment_success_rate', 'first_try_rate', 'automated_rate', 'batch_size', 'failed_time']],
  ['Flow of changes', ['change_lead_time', 'bot_change_lead_time', 'coding_time', 'pickup_time', 'review_time', 'review_rounds', 'unreviewed_rate', 'merge_wait', 'deploy_time', 'waiting_changes']],
  ['Pipelines', ['ci_time', 'ci_cost', 'pipeline_success_rate', 'pipeline_default_rate', 'pipeline_final_rate', 'queue_time', 'queue_ratio', 'flaky_pipeline_rate', 'wasted_run_rate', 'flaky_task_rate', 'flaky_test_rate']],
  ['Canaries and flags', ['canary_failure_rate', 'flag_frequency', 'stale_flag_rate']],
];

export function groupsOf(measures: readonly Measure[]): { title: string; measures: Measure[] }[] {
  const named = groups.map(([title, names]) => ({ title, measures: names.flatMap((n) => measures.filter((m) => m.name === n)) }));
  const rest = measures.filter((m) => !groups.some(([, names]) => names.includes(m.name)));
  return [...named, { title: 'Others', measures: rest }].filter((g) => g.measures.length);
}

export function levelOf(m: Measure): string {
  if (!m.level) return '';
  const { best, worst, insufficient, between } = m.level;
  if (insufficient || !best) return 'insufficient data';
  const name = !worst || best === worst ? best : `${best} to ${worst}`;
  return between ? `${name}, between the report's levels` : name;
}

export const digits = (v: number): string => (v >= 100 ? v.toFixed(0) : v >= 10 ? v.toFixed(1) : String(Number(v.toPrecision(2))));

export function number(unit: Measure['unit'], v: number): string {
  if (unit === 'seconds') return duration(v * 1e9);
  if (unit === 'share') return `${digits(v * 100)} %`;
  return digits(v);
}

export const value = (m: Measure): string => (m.value === undefined ? 'no data' : number(m.unit, m.value) + (m.unit === 'per day' ? ' / day' : m.unit === 'days per week' ? ' days / week' : ''));
export const interval = (m: Measure): string => (m.interval ? `${number(m.unit, m.interval[0])} to ${number(m.unit, m.interval[1])}` : '');

// What stands beside the value: a far percentile of times, the counts of a share.
export function beside(m: Measure): string {
  if (m.p90 !== undefined) return `p90 ${number(m.unit, m.p90)}`;
  return m.denominator ? `${count(m.numerator!)} of ${count(m.denominator)}` : '';
}

// How many rows are behind it, where that is not said already; how many of them may yet change.
export function rowsOf(m: Measure): string {
  const few = m.small && m.value !== undefined ? 'few' : '';
  const young = m.immature ? `${count(m.immature)} younger than a day` : '';
  return [m.denominator === m.n && m.n ? '' : plural(m.n, 'row'), few, young].filter(Boolean).join(', ');
}

export const shortName = (r: { version?: string; sha?: string; digest?: string }): string => visible(r.version || r.sha?.slice(0, 9) || r.digest?.slice(0, 19) || '', 60);
// Where a rollout stands on a time axis, in ms since 1970.
export const momentOf = (r: Rollout): number => Number(BigInt(r.finished ?? r.started ?? '0') / 1_000_000n);
export const LISTED_MAX = 10_000; // rows that the server lists at most
export const deployPath = (id: string): string => `deploys/${id}`;
export const when = (ns: string | undefined): string => (ns ? dateTime(BigInt(ns), zone.value, 0) : '');
export const leadOf = (r: Rollout): number | undefined => (r.lead_ns === undefined ? undefined : Number(r.lead_ns));
export const between = (from: string | undefined, to: string | undefined): string => (from && to ? duration(Number(BigInt(to) - BigInt(from))) : '');
export const isBad = (r: { failure?: string; state: string }): boolean => !!r.failure || r.state === 'failed';

// The rules by which a failure is known (docs/delivery.md).
export const because: Record<string, string> = {
  said: 'somebody said so',
  version: 'an incident names it',
  remedy: 'rolled back or mended',
  flag: 'a flag was the cause',
  canary: 'its canary failed',
  traces: 'traces show it',
  near: 'an incident soon after',
};

// How a rollout ended, in a word.
export function verdictOf(r: Rollout): { word: string; good: boolean | null } {
  if (r.failure) return { word: 'failed in production', good: false };
  if (r.state === 'success') return { word: 'no failure known', good: true };
  return { word: r.state === 'open' ? 'under way' : r.state, good: r.state === 'failed' ? false : null };
}

// Against the time before, in percent of it; nothing where one of them is not known.
export function changeOf(now: number | undefined, before: number | undefined): string {
  if (now === undefined || before === undefined || before === 0) return '';
  const v = Math.round((now / before - 1) * 100);
  return `${v > 0 ? '+' : v < 0 ? '−' : '±'}${Math.abs(v)} %`;
}
