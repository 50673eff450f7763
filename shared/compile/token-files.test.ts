// Token files under the folder of the operator, against the tokens of the Gateway. Files elsewhere are nobody's business here.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { entra, federation, pool, PROVIDER_SPECS, roleArn } from '#shared/api/provider-case.ts';
import { changed, type Changes } from '#shared/api/rule-case.ts';
import type { ProviderFamily } from '#shared/catalog/families.ts';
import { compile } from './compile.ts';
import { condition, gateway, inputOf, object, readInput, statusOf } from './testing.ts';

const FOLDER = '/var/run/secrets/portcullis/tokens';
const ELSEWHERE = '/var/run/secrets/eks.amazonaws.com/serviceaccount/token';

type Family = readonly [ProviderFamily, field: string, audience: string, auth: (tokenFile: string) => Changes];

const FAMILIES: readonly Family[] = [
  [
    'Anthropic',
    'anthropic.auth.workloadIdentity',
    'https://api.anthropic.com',
    (tokenFile) => ({ type: 'WorkloadIdentity', workloadIdentity: { ...federation, tokenFile } }),
  ],
  ...(
    [
      ['Bedrock', 'bedrock'],
      ['BedrockMantle', 'bedrockMantle'],
      ['ClaudePlatformAWS', 'claudePlatformAWS'],
    ] as const
  ).map(([family, name]): Family => [
    family,
    `${name}.auth.webIdentity`,
    'sts.amazonaws.com',
    (tokenFile) => ({ type: 'WebIdentity', webIdentity: { roleArn, tokenFile } }),
  ]),
  [
    'Vertex',
    'vertex.auth.workloadIdentity',
    'https://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q',
    (tokenFile) => ({ type: 'WorkloadIdentity', workloadIdentity: { ...pool, tokenFile } }),
  ],
  [
    'Foundry',
    'foundry.auth.workloadIdentity',
    'api://AzureADTokenExchange',
    (tokenFile) => ({ type: 'WorkloadIdentity', workloadIdentity: { ...entra, tokenFile } }),
  ],
];

function compiled([family, field, , auth]: Family, tokenFile: string, tokens: readonly string[]) {
  const spec = changed('Upstream', {
    ...PROVIDER_SPECS[family],
    [field.split('.').slice(0, 2).join('.')]: auth(tokenFile),
    gatewayRef: { name: 'gw' },
  });
  const deployment = { tokens: tokens.map((name) => ({ name, audience: 'any' })) };
  const output = compile(inputOf([gateway({ deployment }), object('Upstream', 'p/up', spec)]));
  return {
    upstreams: output.gateways.get('p/gw')!.bundle.upstreams.map(({ name }) => name),
    refs: condition(output, 'Upstream', 'p/up', 'ResolvedRefs'),
    accepted: condition(output, 'Upstream', 'p/up', 'Accepted'),
    warnings: statusOf(output, 'Upstream', 'p/up').warnings,
  };
}

describe.each(FAMILIES)('%s', (...family) => {
  const [, field, audience] = family;

  test('[PROV-27] [PROV-14] without an entry it is left out, and its status says which to add', () => {
    const { upstreams, refs, accepted } = compiled(family, `${FOLDER}/provider`, ['other']);
    expect(upstreams).toEqual([]);
    expect(accepted).toMatchObject({ status: 'True' });
    expect(refs).toMatchObject({
      status: 'False',
      reason: 'RefNotFound',
      message:
        `spec.${field}.tokenFile: Gateway p/gw has no token provider; add {name: provider, audience: ${audience}} to its spec.deployment.tokens, ` +
        'with another audience if the provider was told one; no call goes to this upstream until then',
    });
  });

  test('[PROV-27] [PROV-14] with it, nothing is said', () => {
    const { upstreams, refs, warnings } = compiled(family, `${FOLDER}/provider`, ['other', 'provider']);
    expect(upstreams).toEqual(['up']);
    expect(refs).toMatchObject({ status: 'True' });
    expect(warnings).toEqual([]);
  });

  test('a file that a webhook mounts is taken as it is', () => {
    const { upstreams, refs, warnings } = compiled(family, ELSEWHERE, []);
    expect(upstreams).toEqual(['up']);
    expect(refs).toMatchObject({ status: 'True' });
    expect(warnings).toEqual([]);
  });
});

const anthropic = FAMILIES[0]!;

test.each([FOLDER, `${FOLDER}/`, `${FOLDER}/aws/token`, `${FOLDER}/..data/aws`])(
  '%s is no token, so no entry is named',
  (tokenFile) => {
    const { upstreams, refs } = compiled(anthropic, tokenFile, ['aws']);
    expect(upstreams).toEqual([]);
    expect(refs?.message).toContain(
      `the tokens of Gateway p/gw are files ${FOLDER}/<name>, one for each entry of its spec.deployment.tokens; name one of these`,
    );
  },
);

test.each([`${FOLDER}2/aws`, `${FOLDER}/../aws`, '/var/run/secrets/portcullis/aws'])(
  '%s lies elsewhere',
  (tokenFile) => {
    expect(compiled(anthropic, tokenFile, []).upstreams).toEqual(['up']);
  },
);

test.each([`/var/run/secrets//portcullis/tokens/aws`, `${FOLDER}/./aws`])('%s is the same file', (tokenFile) => {
  expect(compiled(anthropic, tokenFile, ['aws']).upstreams).toEqual(['up']);
  expect(compiled(anthropic, tokenFile, ['other']).upstreams).toEqual([]);
});

test('every token file of the sample has its entry, with the audience that a missing one would be told', () => {
  const sample = readFileSync(new URL('../../crds/samples/providers.yaml', import.meta.url), 'utf8');
  const refsOf = (yaml: string) =>
    compile(readInput(yaml)).statuses.flatMap(({ kind, conditions }) =>
      conditions.flatMap(({ type, message }) => (kind === 'Upstream' && type === 'ResolvedRefs' ? [message] : [])),
    );
  expect(refsOf(sample).join()).not.toContain('deployment.tokens');
  const without = refsOf(sample.replace(/^ {2}deployment:\n(?: {4}.*\n)+/m, '')).join();
  for (const [, name, audience] of sample.matchAll(/^ {6}- name: (\w+).*\n {8}audience: (\S+)/gm)) {
    expect(without).toContain(`add {name: ${name}, audience: ${audience}}`);
  }
  expect(without.match(/spec\.deployment\.tokens/g)).toHaveLength(4);
});
