// Files to a compiled Gateway: the part that `run` and `check` share.
import { identity } from './load.ts';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { compileFiles } from './compile-files.ts';
import { StateFolder } from './state.ts';
import {
  documents,
  GATEWAY,
  generatedKey,
  importedKey,
  NOW,
  TOKEN,
  UPSTREAM,
  VALUE,
  workspace,
  type Workspace,
} from './testing.ts';

let space: Workspace;
const good = documents(GATEWAY, UPSTREAM, importedKey('ci', VALUE));

beforeEach(() => {
  space = workspace();
});

afterEach(() => space.remove());

test('[SEC-21] the bundle holds no secret; credentials and keys print as nothing', () => {
  const { gateways } = space.load(good);
  const { bundle, credentials, keys } = gateways.get('default/claude')!;
  expect(Object.values(credentials.values).map((value) => value.reveal())).toEqual([TOKEN]);
  for (const part of [bundle, credentials, keys]) {
    expect(JSON.stringify(part)).not.toContain(TOKEN);
    expect(JSON.stringify(part)).not.toContain(VALUE);
  }
});

test('hashes of keys differ from one state folder to the next, and not from one start to the next', () => {
  const hash = (): string => space.load(good).gateways.get('default/claude')!.keys[0]!.hash;
  const first = hash();
  expect(hash()).toBe(first);
  const other = workspace();
  try {
    expect(other.load(good).gateways.get('default/claude')!.keys[0]!.hash).not.toBe(first);
  } finally {
    other.remove();
  }
});

test('files with a fault make no keys', () => {
  const { minted, faults } = space.load(documents(GATEWAY, generatedKey('ci'), 'x: [\n'));
  expect(faults).toHaveLength(1);
  expect(minted).toEqual([]);
});

test('[ERR-19] places survive the date that is given to an object', () => {
  const compiled = space.load(good);
  for (const object of compiled.objects) {
    expect(object.metadata.creationTimestamp).toBe(new Date(NOW).toISOString());
    expect(compiled.places.get(identity(object))?.locate(['metadata', 'name']).file).toBe(
      space.path('portcullis.yaml'),
    );
  }
});

test('several Gateways share files, each with its own tombstones', () => {
  const other = documents(good, GATEWAY.replace('claude', 'other').replace(':8080', ':8081'));
  const onOther = (name: string): string => importedKey(name, VALUE).replaceAll('{name: claude}', '{name: other}');
  space.load(other);
  space.load(documents(GATEWAY, UPSTREAM, GATEWAY.replace('claude', 'other').replace(':8080', ':8081')));
  const back = space.load(documents(other, onOther('b')));
  expect(back.gateways.get('default/claude')!.keys).toEqual([]);
  expect(back.gateways.get('default/other')!.keys.map(({ key }) => key)).toEqual(['default/b']);
});

test('a Gateway that is away for a while finds its tombstones when it is back', () => {
  space.load(good);
  const state = new StateFolder(space.state);
  const away = compileFiles({ paths: [space.write('b.yaml', UPSTREAM)], environment: {}, state, now: () => NOW });
  expect(away.gateways.size).toBe(0);
  space.load(UPSTREAM);
  space.load(documents(GATEWAY, UPSTREAM));
  expect(space.load(good).gateways.get('default/claude')!.keys).toEqual([]);
});

test('fields that an operator acts on are told to be without effect where there is none, and not by check', () => {
  const gateway = GATEWAY.replace('8080"', '8080", deployment: {replicas: 3}, networkPolicy: {enabled: true}');
  const place = space.path('portcullis.yaml');
  expect(space.load(gateway).notes.map(({ file, line, message }) => `${file}:${line} ${message}`)).toEqual([
    `${place}:4 spec.deployment has no effect here: it describes pods, and this is one process without a cluster`,
    `${place}:4 spec.networkPolicy has no effect here: it describes pods, and this is one process without a cluster`,
  ]);
  const ageing = `${UPSTREAM.trimEnd()}\n  maxCredentialAge: 24h\n`;
  expect(space.load(documents(GATEWAY, ageing)).notes.map(({ message }) => message)).toEqual([
    'spec.maxCredentialAge has no effect here: age counts from when a Secret in a cluster last changed, and a file does not say that',
  ]);
  expect(space.load(documents(GATEWAY, UPSTREAM)).notes).toEqual([]);
  expect(compileFiles({ paths: [place], environment: {}, now: () => NOW }).notes).toEqual([]);
  space.write('portcullis.yaml', gateway);
  expect(compileFiles({ paths: [place], environment: {}, now: () => NOW }).notes).toEqual([]);
});
