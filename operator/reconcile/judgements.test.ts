// What is kept from compile to compile is what one compile alone would give, and costs what changed.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { compile } from '#shared/compile/compile.ts';
import { builtinCatalog } from '#shared/catalog/catalog.ts';
import { CompileMemo } from '#shared/compile/memo.ts';
import { gateway, inputOf } from '#shared/compile/testing.ts';
import type { ResourceType } from '#shared/kube/object.ts';
import { ProgrammedTracker } from '../status/programmed.ts';
import type { CustomObject, World } from '../world/world.ts';
import { Compiled } from './compiled.ts';
import type { Serving } from './gateway-serving.ts';
import { Judgements } from './judgements.ts';
import { StatusReport } from './status-report.ts';
import { UpstreamFactsBook } from './upstream-facts.ts';

const RANDOM = 'hJ3kQ9vXr2LmT7wZpB5cN8sDfG1yAeU4';
const GATEWAY = 'p/gw';

const keyObject = (name: string, gatewayName = 'gw', generation = 1, uid = `uid-${name}`): CustomObject => ({
  kind: 'VirtualKey',
  metadata: { namespace: 'p', name, uid, generation, creationTimestamp: '2026-01-01T00:00:00Z' },
  spec: {
    gatewayRef: { name: gatewayName },
    owner: { type: 'Service', name },
    credential: { type: 'Imported', imported: { secretRef: { name: 's', key: name } } },
  },
});
const GATEWAYS = ['gw', 'other'].map((name): CustomObject => {
  const { kind, spec } = gateway();
  return { kind, spec, metadata: { namespace: 'p', name, uid: `uid-${name}`, generation: 1 } };
});
const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];
const SECRETS = { 'p/s': Object.fromEntries(NAMES.map((name) => [name, `${RANDOM}-${name}`])) };
const NO_PLAN = { credentials: new Map(), lifecycles: new Map() };

function compiler(): (keys: readonly CustomObject[], judgements: Judgements) => Compiled {
  const memo = new CompileMemo();
  return (keys, judgements) =>
    new Compiled(compile(inputOf([...GATEWAYS, ...keys], SECRETS), builtinCatalog.models, memo), NO_PLAN, judgements);
}

const facts = (compiled: Compiled) => ({
  judged: compiled.judged.map(({ key, gateway: of, status }) => ({ key, of, status })),
  gateways: compiled.judgedGateways.map(({ key }) => key),
  present: [...compiled.present].sort(),
  contributors: ['p/gw', 'p/other'].map((of) =>
    [...compiled.contributors(of)].sort((a, b) => (a.uid < b.uid ? -1 : 1)),
  ),
  byUid: compiled.judged.map(({ object }) => compiled.byUid(object.metadata.uid ?? '')?.key),
  goneByUid: NAMES.map((name) => compiled.byUid(`uid-${name}`)?.key),
});

test('after any edits, deletions and moves what is kept equals what a fresh start finds', () => {
  const step = fc.dictionary(fc.constantFrom(...NAMES), fc.constantFrom('edit', 'delete', 'move', 'make anew'), {
    maxKeys: 3,
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 10 }), (steps) => {
      const run = compiler();
      const kept = new Judgements();
      const held = new Map(NAMES.slice(0, 3).map((name) => [name, keyObject(name)]));
      for (const [at, changes] of steps.entries()) {
        for (const [name, change] of Object.entries(changes)) {
          if (change === 'delete') held.delete(name);
          else if (change === 'make anew') held.set(name, keyObject(name, 'gw', 1, `again-${at}-${name}`));
          else held.set(name, keyObject(name, change === 'move' ? 'other' : 'gw', at + 2));
        }
        expect(facts(run([...held.values()], kept))).toEqual(facts(compiler()([...held.values()], new Judgements())));
      }
    }),
    { numRuns: 150 },
  );
});

/** A report on a world in memory, which tells whose cached object was looked at and whose status was offered. */
function reporting(keys: readonly CustomObject[]) {
  const objects = new Map(keys.map((each) => [`p/${each.metadata.name}`, each]));
  const looked: string[] = [];
  const cache = {
    get: (key: string) => {
      looked.push(key);
      return objects.get(key) ?? GATEWAYS.find(({ metadata }) => key === `p/${metadata.name}`);
    },
  };
  const world = { kinds: { Gateway: cache, VirtualKey: cache } } as unknown as World;
  const tracker = new ProgrammedTracker({ now: () => 0 });
  const offered: string[] = [];
  const writer = { offer: (_: ResourceType, { metadata }: CustomObject) => void offered.push(metadata.name) };
  const report = new StatusReport(
    tracker,
    new UpstreamFactsBook(tracker, world, new Map()),
    writer as never,
    () => 1_000,
  );
  const state = { replicas: { ready: 0, current: 0 }, paused: false };
  const served = new Map<string, Serving>([[GATEWAY, { state, retry: false }]]);
  const pass = async (compiled: Compiled, full: boolean) => {
    offered.length = 0;
    looked.length = 0;
    await report.offer(compiled, served, world, full);
    return { offered: [...offered], looked: [...looked] };
  };
  return { objects, tracker, pass };
}

test('a pass offers the statuses of what changed, and of Gateways', async () => {
  const keys = NAMES.map((name) => keyObject(name));
  const { objects, pass } = reporting(keys);
  const [run, judgements] = [compiler(), new Judgements()];
  const everything = ['gw', 'other', ...NAMES];
  expect((await pass(run(keys, judgements), true)).offered).toEqual(everything);
  expect((await pass(run(keys, judgements), true)).offered).toEqual(['gw', 'other']);
  objects.set('p/b', keyObject('b', 'gw', 2));
  expect((await pass(run([...objects.values()], judgements), true)).offered).toEqual(['gw', 'other', 'b']);
  // Its status alone was altered: the compile knows nothing of it, the cache does.
  const compiled = run([...objects.values()], judgements);
  objects.set('p/c', { ...objects.get('p/c')! });
  expect((await pass(compiled, true)).offered).toEqual(['gw', 'other', 'c']);
});

test('a settling pass touches Gateways and what pods have not loaded, and nothing else', async () => {
  const keys = NAMES.map((name) => keyObject(name));
  const { tracker, pass } = reporting(keys);
  const compiled = compiler()(keys, new Judgements());
  expect((await pass(compiled, false)).looked).toEqual(['p/gw', 'p/other']);
  tracker.published({ namespace: 'p', name: 'gw', uid: 'uid-gw' }, 7, [{ uid: 'uid-d', generation: 1 }]);
  expect((await pass(compiled, false)).looked).toEqual(['p/gw', 'p/d', 'p/other']);
});
