// SPDX-License-Identifier: Apache-2.0
// Why there is no figure, or how sure it is, and what to send so that it is known.
import type { JSX } from 'preact';
import type { Measure } from '../base/delivery';
import { count, plural } from '../base/format';

// What would make a figure known, or known better.
const REMEDY: Record<string, string> = {
  lead_time: 'Lead times need commits: takt import git PATH, or the pushes of GitHub and GitLab at /hooks/…; and a commit id with each deploy.',
  failed_deployment_recovery: 'Recovery needs the end of incidents, or rollbacks: takt event incident --id INC-31 --state resolved --resolved-at now.',
  change_failure_rate: 'Failures are known by incidents, rollbacks and traces: send incidents to /hooks/… or with takt event incident --service.',
};
export function weakOf(m: Measure): string[] {
  const out = m.left_out.map((x) => `${count(x.n)} left out: ${x.why}.`);
  if (m.immature) out.push(`${plural(m.immature, 'rollout is', 'rollouts are')} younger than a day and may yet be found to have failed.`);
  if (m.value === undefined) out.unshift(m.n ? `None of ${plural(m.n, 'row')} has a value.` : 'Nothing in this time counts.');
  else if (m.small) out.unshift(`${plural(m.n, 'row')} only: the next one may change much.`);
  if ((m.value === undefined || m.small) && REMEDY[m.name]) out.push(REMEDY[m.name]!);
  return out;
}

export function Weak({ m }: { m: Measure }): JSX.Element | null {
  const why = weakOf(m);
  if (!why.length) return null;
  return (
    <details class="weak small" data-k={`weak ${m.name}`}>
      <summary>{m.value === undefined ? 'Why there is no figure' : 'How sure it is'}</summary>
      <ul class="plain">{why.map((w) => <li key={w}>{w}</li>)}</ul>
    </details>
  );
}
