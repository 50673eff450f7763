// A Gateway's own catalog: what it changes in the bundle, and that a ConfigMap nobody can use takes nothing away.
import { expect, test } from 'vitest';
import type { CatalogOverlay } from '#shared/catalog/overlay.ts';
import { compile } from './compile.ts';
import { condition, gateway, inputOf, object } from './testing.ts';

const MODEL = {
  id: 'claude-opus-9',
  aliases: [],
  displayName: 'Claude Opus 9',
  family: 'opus',
  vertex: 'claude-opus-9@1',
};
const GOOD = { 'models.json': JSON.stringify([MODEL]) };
const LAST: CatalogOverlay = { models: [{ ...MODEL, id: 'claude-opus-8' }] };

interface Scene {
  readonly data?: Readonly<Record<string, string>>;
  readonly last?: CatalogOverlay;
  readonly spec?: object;
}

function compiled({ data, last, spec = { catalog: { configMapRef: { name: 'tables' } } } }: Scene) {
  const output = compile({
    ...inputOf(
      [
        gateway({ ...spec, models: { entries: [{ id: 'best', target: 'claude-opus-9@1' }] } }),
        object('Upstream', 'p/a', {
          gatewayRef: { name: 'gw' },
          provider: 'Anthropic',
          anthropic: { auth: { type: 'APIKey', apiKey: { name: 's', key: 'k' } } },
          models: [{ id: 'claude-opus-9@1', upstreamId: 'deployment' }],
        }),
      ],
      { 'p/s': { k: 'value' } },
    ),
    ...(data === undefined ? {} : { catalogs: new Map([['p/tables', new Map(Object.entries(data))]]) }),
    ...(last === undefined ? {} : { lastCatalogs: new Map([['p/gw', last]]) }),
  });
  return { bundle: output.gateways.get('p/gw')!.bundle, refs: condition(output, 'Gateway', 'p/gw', 'ResolvedRefs')! };
}

test('[XLAT-20] its models count in every name of the Gateway, and travel with the bundle', () => {
  const { bundle, refs } = compiled({ data: GOOD });
  expect(refs.status).toBe('True');
  expect(bundle.catalog).toEqual({ models: [MODEL] });
  expect(bundle.models).toEqual([{ id: 'best', displayName: 'best', target: 'claude-opus-9' }]);
  expect(bundle.upstreams[0]!.models).toEqual([{ id: 'claude-opus-9', upstreamId: 'deployment' }]);
  const builtin = compiled({ spec: {} });
  expect(builtin.bundle.catalog).toBeUndefined();
  expect(builtin.bundle.upstreams[0]!.models[0]!.id).toBe('claude-opus-9@1');
});

test('one that cannot be used leaves what was in force, and the Gateway says what is wrong', () => {
  const { bundle, refs } = compiled({ data: { 'models.json': '[{}]' }, last: LAST });
  expect(bundle.catalog).toEqual(LAST);
  expect(refs).toMatchObject({ status: 'False', reason: 'InvalidCatalog' });
  expect(refs.message).toMatch(
    /^spec\.catalog\.configMapRef: ConfigMap tables: models\.json\.0\.id: .*; what was in force before stays$/s,
  );
});

test('one that is gone leaves what was in force too', () => {
  const { bundle, refs } = compiled({ last: LAST });
  expect(bundle.catalog).toEqual(LAST);
  expect(refs).toMatchObject({
    status: 'False',
    reason: 'RefNotFound',
    message:
      'spec.catalog.configMapRef: ConfigMap tables does not exist in this namespace; what was in force before stays',
  });
});

test('with nothing in force, the built-in tables are; so they are for what an earlier release took and this one does not', () => {
  const broken = { data: { 'models.json': '{' } };
  expect(compiled(broken).bundle.catalog).toBeUndefined();
  const { bundle, refs } = compiled({ ...broken, last: { models: 'no table' } });
  expect(bundle.catalog).toBeUndefined();
  expect(refs.message).toMatch(/the built-in tables are in force$/);
});

test('a Gateway that names none any more has the built-in tables, whatever was in force', () => {
  expect(compiled({ data: GOOD, last: LAST, spec: {} }).bundle.catalog).toBeUndefined();
});
