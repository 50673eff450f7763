// What makes a whole edit unfit, what is only worth a look, and in which order faults are read.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isAccepted, isInvalid, isTroubled, placedFaults, tableText } from './report.ts';
import {
  documents,
  GATEWAY,
  generatedKey,
  importedKey,
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

test.each<[string, string, { accepted: boolean; invalid: boolean; troubled: boolean }]>([
  ['nothing wrong', good, { accepted: true, invalid: false, troubled: false }],
  [
    'a generated key',
    documents(GATEWAY, UPSTREAM, generatedKey('ci')),
    { accepted: true, invalid: false, troubled: false },
  ],
  [
    'an unknown field',
    good.replace('type: Service', 'type: Service, x: 1'),
    { accepted: false, invalid: true, troubled: true },
  ],
  [
    'no such Gateway',
    good.replace('{name: claude}\n  provider', '{name: b}\n  provider'),
    { accepted: false, invalid: false, troubled: true },
  ],
  [
    'a Secret missing',
    good.replace('{name: ci-value}', '{name: b}'),
    { accepted: true, invalid: false, troubled: true },
  ],
])('[OPS-05] %s', (_name, text, expected) => {
  const compiled = space.load(text);
  expect({
    accepted: compiled.statuses.every(isAccepted),
    invalid: compiled.statuses.some(isInvalid),
    troubled: isTroubled(compiled),
  }).toEqual(expected);
});

test('[ERR-19] faults are in order of file and line, those of files and those of objects together', () => {
  const text = documents(
    GATEWAY.replace('8080"', '8080", b: 1'),
    'x: [\n',
    UPSTREAM.replace('provider: Anthropic', 'provider: No'),
  );
  const lines = placedFaults(space.load(text)).map(({ line, object }) => [line, object]);
  expect(lines.map(([, object]) => object)).toEqual([
    'Gateway default/claude',
    undefined,
    'Upstream default/anthropic',
  ]);
  expect(lines.map(([line]) => line)).toEqual(lines.map(([line]) => Number(line)).sort((a, b) => a - b));
});

test('a winner is named in the row of the object it overrides', () => {
  const policy = (name: string, priority: number): string =>
    `apiVersion: portcullis.dev/v1alpha1\nkind: Policy\nmetadata: {name: ${name}}\n` +
    `spec: {gatewayRef: {name: claude}, match: {everyone: {}}, priority: ${priority}}\n`;
  const table = tableText(space.load(documents(good, policy('first', 200), policy('second', 100))));
  expect(table).toMatch(/Policy +default\/second +True +True +True +.*first/);
});
