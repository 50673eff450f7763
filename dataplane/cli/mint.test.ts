// Generated keys: made once, in a file a shell can source, the same after every restart.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { documents, GATEWAY, generatedKey, UPSTREAM, workspace, type Workspace } from './testing.ts';

let space: Workspace;
const base = documents(GATEWAY, UPSTREAM);
const text = documents(base, generatedKey('ci'));
const file = (): string => join(space.state, 'keys/default/ci-key.env');
const token = (): string => /^ANTHROPIC_AUTH_TOKEN=(.*)$/m.exec(readFileSync(file(), 'utf8'))![1]!;

beforeEach(() => {
  space = workspace();
});

afterEach(() => space.remove());

test('[OPS-20] a value of 256 bits, in a file to source', () => {
  const compiled = space.load(text);
  expect(token()).toMatch(/^sk-pc-[A-Za-z0-9_-]{43}$/);
  expect(compiled.minted.map((each) => each.file)).toEqual([file()]);
  const sourced = execFileSync('sh', [
    '-c',
    '. "$0"; printf "%s %s" "$ANTHROPIC_BASE_URL" "$ANTHROPIC_AUTH_TOKEN"',
    file(),
  ]);
  expect(sourced.toString()).toBe(`http://127.0.0.1:8080 ${token()}`);
});

test('[OPS-20] the value survives restarts, the URL follows the Gateway', () => {
  space.load(text);
  const value = token();
  space.load(text.replace(':8080', ':9999'));
  expect(token()).toBe(value);
  expect(readFileSync(file(), 'utf8')).toContain('ANTHROPIC_BASE_URL=http://127.0.0.1:9999\n');
  expect(space.keyState('ci', space.load(text))).toBe('Active');
});

test('[CLI-01] the model a key starts with stands beside it, and goes again', () => {
  const secret = '{secretName: ci-key}';
  expect(text).toContain(secret);
  const sourced = () => execFileSync('sh', ['-c', '. "$0"; printf "%s" "${ANTHROPIC_MODEL-none}"', file()]).toString();
  space.load(text.replace(secret, '{secretName: ci-key, model: "claude-haiku-5-5[1m]"}'));
  expect(sourced()).toBe('claude-haiku-5-5[1m]');
  space.load(text.replace(secret, '{secretName: ci-key, model: "x$(id)"}'));
  expect(sourced()).toBe('none');
});

test('a schedule for new values is told to have no effect, once and with its place', () => {
  const rotation = (name: string) => generatedKey(name).trimEnd() + '\n  rotation: {every: 2160h}\n';
  const { notes } = space.load(documents(base, rotation('ci'), rotation('b')));
  expect(notes.map(({ message }) => message)).toEqual([
    expect.stringContaining('spec.rotation has no effect here: (2 keys)'),
  ]);
  expect(notes[0]?.line).toBeGreaterThan(1);
});

test('a prefix of the Gateway is used for new values', () => {
  space.load(text.replace('8080"', '8080", virtualKeys: {prefix: corp_}'));
  expect(token()).toMatch(/^corp_[A-Za-z0-9_-]{43}$/);
});

test('every key has a value of its own', () => {
  const { gateways } = space.load(documents(text, generatedKey('b')));
  expect(new Set(gateways.get('default/claude')!.keys.map(({ hash }) => hash)).size).toBe(2);
});

test.each([
  ['a prefix with a blank', '8080", virtualKeys: {prefix: "sk pc-"}'],
  ['a prefix for a shell', '8080", virtualKeys: {prefix: "x;id;-"}'],
  ['a URL with a line feed', '8080\\nPATH=/tmp"'],
  ['a URL for a shell', '8080/$(id)"'],
])('%s makes no value that would stay for good', (_name, replacement) => {
  space.load(text.replace('8080"', replacement));
  expect(existsSync(file())).toBe(false);
  space.load(text);
  expect(token()).toMatch(/^sk-pc-/);
});

test('a host name that a shell would run is not written to a file for shells', () => {
  space.load(text.replace('http://127.0.0.1:8080', 'https://$(id).example'));
  expect(existsSync(file())).toBe(false);
});

test('a Secret name cannot lead out of the folder', () => {
  space.load(text.replace('secretName: ci-key', 'secretName: "../../../escaped"'));
  expect(existsSync(join(space.folder, 'escaped.env'))).toBe(false);
});

test('a file that lost its value gets a new one, and the old one is gone', () => {
  const first = space.load(text).gateways.get('default/claude')!.keys[0]!.hash;
  writeFileSync(file(), '# nothing\n');
  const second = space.load(text).gateways.get('default/claude')!.keys[0]!.hash;
  expect(second).not.toBe(first);
  rmSync(file());
  expect(space.keyState('ci', space.load(text))).toBe('Active');
});

test('a key of a Gateway that is not there gets no file', () => {
  space.load(generatedKey('ci'));
  expect(existsSync(file())).toBe(false);
});
