// What outlives a restart, who may read it, and what never comes back.
import { chmodSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { compileFiles, remember } from './compile-files.ts';
import { StateFolder } from './state.ts';
import {
  accepted,
  documents,
  GATEWAY,
  generatedKey,
  importedKey,
  NOW,
  TOKEN,
  UPSTREAM,
  VALUE,
  virtualKey,
  workspace,
  type Workspace,
} from './testing.ts';

let space: Workspace;
const base = documents(GATEWAY, UPSTREAM);

beforeEach(() => {
  space = workspace();
});

afterEach(() => space.remove());

const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8);
const stateFile = (): string => join(space.state, 'state.json');

describe('the folder', () => {
  test('[SEC-21] only its owner can read it, whatever the umask', () => {
    const before = process.umask(0);
    try {
      space.load(documents(base, generatedKey('ci')));
    } finally {
      process.umask(before);
    }
    expect(mode(space.state)).toBe('700');
    expect(mode(stateFile())).toBe('600');
    expect(mode(join(space.state, 'keys'))).toBe('700');
    expect(mode(join(space.state, 'keys/default'))).toBe('700');
    expect(mode(join(space.state, 'keys/default/ci-key.env'))).toBe('600');
  });

  test('[SEC-21] a state file that others could read is closed to them when it is written again', () => {
    space.load(base);
    chmodSync(stateFile(), 0o644);
    space.load(documents(base, importedKey('a', VALUE)));
    expect(mode(stateFile())).toBe('600');
  });

  test('[SEC-21] it holds hashes, never a key value or a provider credential', () => {
    space.load(documents(base, importedKey('a', VALUE)));
    const text = readFileSync(stateFile(), 'utf8');
    expect(text).not.toContain(VALUE);
    expect(text).not.toContain(TOKEN);
  });

  test('the pepper is made once', () => {
    space.load(base);
    const first = new StateFolder(space.state).pepper.reveal();
    expect(first).toMatch(/^[0-9a-f]{64}$/);
    space.load(documents(base, generatedKey('ci')));
    expect(new StateFolder(space.state).pepper.reveal()).toBe(first);
  });

  test('nothing is written when nothing changed', () => {
    space.load(base);
    const { ino, mtimeMs } = statSync(stateFile());
    space.load(base);
    expect(statSync(stateFile())).toMatchObject({ ino, mtimeMs });
  });

  test.each([
    ['no JSON', '{"version":1,'],
    ['empty', ''],
    ['another version', '{"version":2,"pepper":"00"}'],
    ['parts missing', `{"version":1,"pepper":"${'0'.repeat(64)}"}`],
    ['a weak pepper', '{"version":1,"pepper":"","created":[],"live":{},"tombstones":{}}'],
  ])('a state file that is broken (%s) gives advice and stays as it is', (_name, text) => {
    mkdirSync(space.state);
    writeFileSync(stateFile(), text);
    expect(() => space.load(base)).toThrow(/state\.json is not a state file .* move it away to start afresh/s);
    expect(readFileSync(stateFile(), 'utf8')).toBe(text);
  });
});

describe('creation times', () => {
  test('a ttl counts from when the object was first seen, over restarts and edits', () => {
    const key = (spec: string): string => documents(base, importedKey('a', VALUE, spec));
    const end = (text: string, now: number): number | undefined =>
      space.load(text, now).gateways.get('default/claude')!.keys[0]!.expiresAt;
    expect(end(key('ttl: 1h'), NOW)).toBe(NOW + 3_600_000);
    expect(end(key('ttl: 1h'), NOW + 1_800_000)).toBe(NOW + 3_600_000);
    expect(end(key('ttl: 2h'), NOW + 3_000_000)).toBe(NOW + 7_200_000);
  });

  test('a name used again after the object was gone starts anew', () => {
    const text = documents(base, generatedKey('a', 'ttl: 1h'));
    space.load(text, NOW);
    space.load(base, NOW + 1000);
    const status = space.load(text, NOW + 2000).statuses.find(({ name }) => name === 'a');
    expect(status?.fields['expiresAt']).toBe(new Date(NOW + 2000 + 3_600_000).toISOString());
  });

  test('a creation time in the manifest wins', () => {
    const text = documents(base, importedKey('a', VALUE, 'ttl: 1h')).replace(
      'metadata: {name: a}',
      'metadata: {name: a, creationTimestamp: "2026-05-01T00:00:00Z"}',
    );
    const [key] = space.load(text).gateways.get('default/claude')!.keys;
    expect(key!.expiresAt).toBe(Date.parse('2026-05-01T01:00:00Z'));
  });
});

describe('tombstones', () => {
  const imported = (spec = ''): string => documents(base, importedKey('a', VALUE, spec));

  test('[KEY-10] the value of a deleted key is never imported again, under any name', () => {
    expect(space.keyState('a', space.load(imported()))).toBe('Active');
    space.load(base);
    for (const name of ['a', 'b']) {
      const again = space.load(documents(base, importedKey(name, VALUE)));
      expect(space.keyState(name, again)).toBeUndefined();
      expect(accepted('VirtualKey', name, again)).toBe('Tombstoned');
    }
  });

  test('[KEY-10] a generated key that was deleted does not come back with its file', () => {
    const text = documents(base, generatedKey('a'));
    space.load(text);
    space.load(base);
    expect(accepted('VirtualKey', 'a', space.load(text))).toBe('Tombstoned');
  });

  test('[KEY-10] disabled is undone by an edit', () => {
    expect(space.keyState('a', space.load(imported()))).toBe('Active');
    expect(space.keyState('a', space.load(imported('state: Disabled')))).toBe('Disabled');
    expect(space.keyState('a', space.load(imported()))).toBe('Active');
  });

  test('[KEY-10] revoked is final, even when the manifest says Active again', () => {
    space.load(imported());
    expect(space.keyState('a', space.load(imported('state: Revoked')))).toBe('Revoked');
    for (const spec of ['', 'state: Disabled']) {
      const again = space.load(imported(spec));
      expect(space.keyState('a', again)).toBeUndefined();
      expect(accepted('VirtualKey', 'a', again)).toBe('Tombstoned');
    }
  });

  test('[KEY-10] a key revoked together with its Secret does not come back with it', () => {
    space.load(imported());
    const credential = '{type: Imported, imported: {secretRef: {name: a-value, key: value}}}';
    space.load(documents(base, virtualKey('a', credential, 'state: Revoked')));
    expect(accepted('VirtualKey', 'a', space.load(imported()))).toBe('Tombstoned');
  });

  test('[KEY-10] a key that was never seen alive is final as well once it was revoked', () => {
    space.load(imported('state: Revoked'));
    expect(accepted('VirtualKey', 'a', space.load(imported()))).toBe('Tombstoned');
  });

  test.each<[string, string]>([
    ['a field', imported('sate: Active')],
    ['the kind', imported().replace('VirtualKey', 'VirtualKye')],
    ['the group', imported().replace(/portcullis\.dev(?=\S+\nkind: VirtualKey)/, 'portcullis.de')],
    ['the name', imported().replace('{name: a}', '{name: A}')],
    ['the Gateway it belongs to', imported().replace(/name: claude\}\n {2}owner/, 'name: clade}\n  owner')],
    ['the Secret', imported().replace('{name: a-value}', '{name: a-valu}')],
    ['the syntax', imported().replace('owner: {', 'owner: {{')],
    ['an own value that is weak', imported().replace(VALUE, 'weak')],
  ])('[OPS-05] a typing error in %s does not bury a key', (_name, broken) => {
    space.load(imported());
    expect(space.keyState('a', space.load(broken))).toBeUndefined();
    expect(space.keyState('a', space.load(imported()))).toBe('Active');
  });

  test('[OPS-05] a file that cannot be read does not bury a key', () => {
    const parts = [space.write('base.yaml', base), space.write('keys.yaml', importedKey('a', VALUE))];
    const load = (paths: readonly string[]) => {
      const state = new StateFolder(space.state);
      const compiled = compileFiles({ paths, environment: {}, state, now: () => NOW });
      remember(compiled, state);
      return compiled;
    };
    load(parts);
    renameSync(parts[1]!, space.path('elsewhere.yaml'));
    expect(() => load(parts)).toThrow('ENOENT');
    renameSync(space.path('elsewhere.yaml'), parts[1]!);
    expect(space.keyState('a', load(parts))).toBe('Active');
  });

  test('a renamed object keeps its value', () => {
    space.load(imported());
    const renamed = documents(base, importedKey('b', VALUE));
    expect(space.keyState('b', space.load(renamed))).toBe('Active');
    expect(space.keyState('b', space.load(renamed))).toBe('Active');
  });

  test('a value that was changed and changed back works', () => {
    space.load(imported());
    space.load(documents(base, importedKey('a', `${VALUE}-two`)));
    expect(space.keyState('a', space.load(imported()))).toBe('Active');
  });
});
