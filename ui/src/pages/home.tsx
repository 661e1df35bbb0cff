// SPDX-License-Identifier: Apache-2.0
// The root: to the traces, or to the start page while nothing has been stored.
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { getJson, type Status } from '../base/api';
import { Failed, Loading } from '../base/parts';
import { resource } from '../base/resource';
import { go } from '../base/router';

const status = resource<Status>();

function look(): void {
  void status.load((signal) => getJson<Status>('api/takt/status', signal));
}

export default function Home(): JSX.Element {
  useEffect(look, []);
  const { data, error } = status.state.value;
  useEffect(() => {
    if (data) go(data.store.spans ? 'traces' : 'start', 'replace');
  }, [data]);
  return error ? <Failed top what="No answer from Takt" error={error} retry={look} /> : <Loading what="Loading" />;
}
