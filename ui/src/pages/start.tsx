// SPDX-License-Identifier: Apache-2.0
// The first minutes with Takt: how to send, what arrives, what was refused and why.
import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { ApiError, getJson, request, type Receiver, type Status } from '../base/api';
import { bytes, count, plural, visible } from '../base/format';
import { Copy, Failed, Icon, Loading, Scroll, useTitle } from '../base/parts';
import { zone } from '../base/prefs';
import { flag, readQuery, text, writeQuery } from '../base/query';
import { repeat, resource } from '../base/resource';
import { go, place } from '../base/router';
import { ago, dateTime, zoneName } from '../base/time';
import { snippets, type Endpoint } from './snippets';

const schema = { lang: text('curl'), container: flag() };
const POLL_MS = 2000;

const status = resource<Status>();
const poll = (): Promise<void> => status.load((signal) => getJson<Status>('api/takt/status', signal));

const test = signal<{ id: string; error: ApiError | null; busy: boolean }>({ id: '', error: null, busy: false });

async function sendTest(): Promise<void> {
  test.value = { id: '', error: null, busy: true };
  try {
    const answer = await request('api/takt/test-span', { method: 'POST' });
    test.value = { id: ((await answer.json()) as { traceId: string }).traceId, error: null, busy: false };
    void poll();
  } catch (e) {
    test.value = { id: '', error: e instanceof ApiError ? e : new ApiError(0, String(e)), busy: false };
  }
}

const isLoopback = (host: string): boolean => /^(127\.|\[?::1\]?$|localhost$)/.test(host);

function receiverOf(list: readonly Receiver[], protocol: string): { host: string; port: string; tls: boolean } | null {
  const r = list.find((x) => x.protocol === protocol);
  const m = /^(?:https?:\/\/)?(.*):(\d+)$/.exec(r?.address ?? '');
  return r && m ? { host: m[1]!, port: m[2]!, tls: r.tls } : null;
}

function endpoints(list: readonly Receiver[], container: boolean): Endpoint {
  const host = container ? 'host.docker.internal' : location.hostname || 'localhost';
  const http = receiverOf(list, 'otlp_http');
  const grpc = receiverOf(list, 'otlp_grpc');
  return {
    http: `${http?.tls ? 'https' : 'http'}://${host}:${http?.port ?? 4318}`,
    grpc: `${host}:${grpc?.port ?? 4317}`,
  };
}

// What keeps senders elsewhere from reaching us, and what to do about it.
function ReachNote({ list, container }: { list: readonly Receiver[]; container: boolean }): JSX.Element | null {
  const http = receiverOf(list, 'otlp_http');
  const away = container || !isLoopback(location.hostname);
  if (!away || !http || !isLoopback(http.host)) return null;
  const command = `takt serve --otlp-grpc 0.0.0.0:${receiverOf(list, 'otlp_grpc')?.port ?? 4317} --otlp-http 0.0.0.0:${http.port}`;
  return (
    <div class="note warn">
      <Icon name="warn" />
      <div>
        <p>Takt listens on {http.host}, where {container ? 'containers' : 'other machines'} cannot reach it. Start it with</p>
        <div class="command"><code>{command}</code><Copy text={command} label="Copy the command" /></div>
        {container && <p>On Linux also give the container <code>--add-host=host.docker.internal:host-gateway</code>.</p>}
      </div>
    </div>
  );
}

function Send({ list }: { list: readonly Receiver[] }): JSX.Element {
  const values = readQuery(schema, place.value.query);
  const at = Math.max(0, snippets.findIndex((s) => s.name === values.lang));
  const snippet = snippets[at]!;
  const code = snippet.code(endpoints(list, values.container));
  const pick = (i: number): void => {
    const next = snippets[(i + snippets.length) % snippets.length]!;
    go('start' + writeQuery(schema, { ...values, lang: next.name }), 'replace');
    document.getElementById(`tab-${next.name}`)?.focus();
  };
  const onKey = (e: KeyboardEvent): void => {
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: snippets.length - 1 }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    pick(to);
  };
  return (
    <section class="card step" aria-labelledby="send">
      <h2 id="send"><span class="num" aria-hidden="true">1</span> Send</h2>
      <div class="tabs" role="tablist" aria-label="Language" onKeyDown={onKey}>
        {snippets.map((s, i) => (
          <button key={s.name} id={`tab-${s.name}`} type="button" role="tab" aria-selected={i === at} aria-controls="snippet"
            tabIndex={i === at ? 0 : -1} onClick={() => pick(i)}>{s.name}</button>
        ))}
      </div>
      <div id="snippet" role="tabpanel" aria-labelledby={`tab-${snippet.name}`} data-k={`snippet ${snippet.name}`}>
        <p class="muted">{snippet.note}</p>
        <div class="code"><pre tabIndex={0} aria-label={`Commands for ${snippet.name}`}>{code}</pre><Copy text={code} label="Copy" /></div>
      </div>
      <label class="tick">
        <input type="checkbox" checked={values.container}
          onChange={(e) => go('start' + writeQuery(schema, { ...values, container: e.currentTarget.checked }), 'replace')} />
        The sender runs in a container
      </label>
      <ReachNote list={list} container={values.container} />
    </section>
  );
}

const names: Record<string, string> = { otlp_http: 'OTLP/HTTP', otlp_grpc: 'OTLP/gRPC' };

function Listening({ data }: { data: Status }): JSX.Element {
  const now = BigInt(data.now_unix_ns);
  return (
    <section class="card step" aria-labelledby="listening">
      <h2 id="listening"><span class="num" aria-hidden="true">2</span> Listening</h2>
      <Scroll label="Receivers"><table class="grid" data-k="receivers">
        <thead><tr><th scope="col">Receiver</th><th scope="col">Address</th><th scope="col" class="n">Spans</th>
          <th scope="col" class="n">Refused</th><th scope="col">Last seen</th></tr></thead>
        <tbody>
          {data.receivers.map((r) => (
            <tr key={r.protocol}>
              <th scope="row"><i class={`pulse ${r.last_seen_unix_ns ? 'on' : ''}`} aria-hidden="true" />{names[r.protocol] ?? r.protocol}</th>
              <td class="mono">{r.address}{r.tls ? ' · TLS' : ''}</td>
              <td class="n">{count(r.spans_accepted)}</td>
              <td class={`n ${r.refused_spans + r.refused_requests ? 'bad' : ''}`}>{refused(r)}</td>
              <td class="nowrap">{r.last_seen_unix_ns ? ago(BigInt(r.last_seen_unix_ns), now) : <span class="muted">waiting for the first span</span>}</td>
            </tr>
          ))}
        </tbody>
      </table></Scroll>
      <p class="muted small">
        {data.store.spans
          ? `Stored: ${plural(data.store.spans, 'span')}, ${bytes(data.store.bytes + data.store.wal_bytes)} in `
          : 'Nothing is stored yet. Data goes to '}
        <code>{visible(data.data_dir)}</code>
      </p>
    </section>
  );
}

function refused(r: Receiver): string {
  const parts = [];
  if (r.refused_spans) parts.push(plural(r.refused_spans, 'span'));
  if (r.refused_requests) parts.push(plural(r.refused_requests, 'request'));
  return parts.join(', ') || '0';
}

function FirstTrace({ data }: { data: Status }): JSX.Element {
  const { id, error, busy } = test.value;
  return (
    <section class="card step" aria-labelledby="first">
      <h2 id="first"><span class="num" aria-hidden="true">3</span> Look</h2>
      <p class="muted">Without any of the above: let Takt send one span to itself, through the same door as everyone’s.</p>
      <p class="row">
        <button type="button" class={data.store.spans ? '' : 'primary'} disabled={busy} onClick={() => void sendTest()}>Send a test span</button>
        {id && <a class="button primary" href={`t/${id}`} data-k="open">Open your trace</a>}
        {!id && data.store.spans > 0 && <a class="button primary" href="traces?range=all">Open your traces</a>}
      </p>
      {error && <Failed what="The test span was not stored" error={error} retry={() => void sendTest()} />}
      <p class="offscreen" role="status">{id ? 'The test span is stored.' : ''}</p>
    </section>
  );
}

function Refused({ data }: { data: Status }): JSX.Element | null {
  if (!data.refusals.length) return null;
  return (
    <section class="card" aria-labelledby="refused">
      <h2 id="refused"><Icon name="warn" /> Refused, and why</h2>
      <Scroll label="Refusals"><table class="grid" data-k="refusals">
        <thead><tr><th scope="col">Last ({zoneName(zone.value)})</th><th scope="col">Receiver</th><th scope="col">From</th>
          <th scope="col">Reason</th><th scope="col" class="n">Times</th></tr></thead>
        <tbody>
          {data.refusals.map((r, i) => (
            <tr key={i}>
              <td class="mono nowrap">{dateTime(BigInt(r.time_unix_ns), zone.value, 0)}</td>
              <td class="nowrap">{names[r.protocol] ?? r.protocol}</td>
              <td class="mono">{visible(r.peer)}</td>
              <td class="why"><b class="tag">{visible(r.reason)}</b> <bdi>{visible(r.text)}</bdi></td>
              <td class="n">{count(r.count)}</td>
            </tr>
          ))}
        </tbody>
      </table></Scroll>
    </section>
  );
}

export default function Start(): JSX.Element {
  useTitle('Start');
  useEffect(() => repeat(POLL_MS, poll), []);
  const { data, error } = status.state.value;
  return (
    <div class="page narrow" data-ready={data ? '' : undefined}>
      <h1>Send traces to Takt</h1>
      {error && <Failed what="The state of the receivers is not known" error={error} retry={() => void poll()} />}
      <Send list={data?.receivers ?? []} />
      {data ? <><Listening data={data} /><FirstTrace data={data} /><Refused data={data} /></> : !error && <Loading what="Asking the receivers" />}
    </div>
  );
}
