// SPDX-License-Identifier: Apache-2.0
// The root. With facts of delivery: the lenses. Without: the traces, or the start page while nothing
// has been stored.
import type { ComponentType, JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { useSignal } from '@preact/signals';
import { getJson, type Status } from '../base/api';
import type { Scopes } from '../base/delivery';
import { Failed, Loading } from '../base/parts';
import { resource } from '../base/resource';
import { go } from '../base/router';

interface Known {
  spans: number;
  rollouts: boolean;
}
const known = resource<Known>();

function look(): void {
  void known.load(async (stop) => {
    const scopes = getJson<Scopes>('api/takt/delivery/services', stop).catch(() => ({ services: [] })); // it may be closed
    const status = await getJson<Status>('api/takt/status', stop);
    return { spans: status.store.spans, rollouts: (await scopes).services.length > 0 };
  }, false);
}

export default function Home(): JSX.Element {
  const lens = useSignal<{ page: ComponentType } | null>(null);
  useEffect(look, []);
  const { data, error } = known.state.value;
  useEffect(() => {
    if (!data) return;
    if (data.rollouts) void import('./lens').then((m) => (lens.value = { page: m.default }), () => go('traces', 'replace'));
    else go(data.spans ? 'traces' : 'start', 'replace');
  }, [data]);
  if (error) return <Failed top what="No answer from Takt" error={error} retry={look} />;
  const Page = lens.value?.page;
  return Page ? <Page /> : <Loading what="Loading" />;
}
