// SPDX-License-Identifier: Apache-2.0
// Runs before the first paint, so that a chosen theme does not flash up in the other one.
try {
  const prefs = JSON.parse(localStorage.getItem('takt.prefs') ?? '{}') as { theme?: unknown };
  if (prefs.theme === 'light' || prefs.theme === 'dark') document.documentElement.dataset['theme'] = prefs.theme;
} catch {
  // Then the system's.
}
