// SPDX-License-Identifier: Apache-2.0
// What runs here, and the licences of what the page is made of.
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { getJson, request } from '../base/api';
import { Failed, Loading, useTitle } from '../base/parts';
import { isDark, singleKeys, theme, toggleTheme, zone } from '../base/prefs';
import { resource } from '../base/resource';

declare const TAKT_NOTICE: string;

const build = resource<Record<string, string>>();
const notice = resource<string>();

const loadBuild = (): void => void build.load((signal) => getJson('api/status/buildinfo', signal));
const loadNotice = (): void =>
  void notice.load(async (signal) => (await request(TAKT_NOTICE, { signal })).text());

function Build(): JSX.Element {
  const { data, error } = build.state.value;
  if (error) return <Failed what="The version is not known" error={error} retry={loadBuild} />;
  if (!data) return <Loading what="Asking for the version" />;
  const known = ['version', 'revision', 'branch', 'buildDate'].filter((k) => data[k]);
  return (
    <dl class="facts" data-k="build">
      {known.map((k) => (
        <div key={k}><dt>{k === 'buildDate' ? 'built' : k}</dt><dd class="mono">{data[k]}</dd></div>
      ))}
    </dl>
  );
}

export default function About(): JSX.Element {
  useTitle('About');
  useEffect(() => {
    loadBuild();
    loadNotice();
  }, []);
  const { data, error } = notice.state.value;
  return (
    <div class="page narrow" data-ready={data && build.state.value.data ? '' : undefined}>
      <h1>About Takt</h1>
      <section class="card" aria-labelledby="about-build">
        <h2 id="about-build">This server</h2>
        <Build />
      </section>
      <section class="card" aria-labelledby="about-prefs">
        <h2 id="about-prefs">In this browser</h2>
        <label class="tick">
          <input type="checkbox" checked={theme.value === 'auto'} onChange={(e) => {
            theme.value = e.currentTarget.checked ? 'auto' : isDark.value ? 'dark' : 'light';
          }} />
          Light and dark as the system has it
        </label>
        <label class="tick">
          <input type="checkbox" checked={isDark.value} onChange={toggleTheme} />
          Dark
        </label>
        <label class="tick">
          <input type="checkbox" checked={zone.value === 'local'} onChange={(e) => (zone.value = e.currentTarget.checked ? 'local' : 'utc')} />
          Times in the local zone instead of UTC
        </label>
        <label class="tick">
          <input type="checkbox" checked={singleKeys.value} onChange={(e) => (singleKeys.value = e.currentTarget.checked)} />
          Shortcuts of one letter
        </label>
      </section>
      <section class="card" aria-labelledby="about-notice">
        <h2 id="about-notice">Licences</h2>
        <p>Takt is free software under the Apache License 2.0.</p>
        {error ? <Failed what="The notice did not load" error={error} retry={loadNotice} />
          : <pre class="notice" tabIndex={0} aria-label="Licences of the parts">{data ?? ''}</pre>}
      </section>
    </div>
  );
}
