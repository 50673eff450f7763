// What an Upstream cannot say at all: a secret in place of a reference, and a connection that is not verified.
import { describe, expect, test } from 'vitest';
import { structuralSchema } from './crd-schema.ts';
import { schemaNodes } from './crd-walk.ts';
import { parseSpec } from './parse.ts';
import { changed, type Changes } from './rule-case.ts';
import { secretNames } from './secret-names.ts';
import { PROVIDER_SPECS } from './provider-case.ts';
import { upstreamSpec } from './upstream.ts';

const places = schemaNodes(structuralSchema(upstreamSpec), 'spec');

describe('[PROV-15] secrets', () => {
  test('every field of a credential is a reference, an address or a name, and the list of those that are text is known', () => {
    const texts = places
      .filter(({ place, schema }) => /\.(auth|tls)\./.test(place) && schema.type === 'string' && !schema.enum)
      .map(({ place }) => place.replace(/^spec\.\w+\./, ''))
      .filter((place) => !/\.(name|key)$/.test(place));
    expect([...new Set(texts)].sort()).toEqual([
      'auth.assumeRole.externalId',
      'auth.assumeRole.roleArn',
      'auth.assumeRole.sessionName',
      'auth.audience',
      'auth.managedIdentity.clientId',
      'auth.webIdentity.roleArn',
      'auth.webIdentity.tokenFile',
      'auth.workloadIdentity.audience',
      'auth.workloadIdentity.authority',
      'auth.workloadIdentity.clientId',
      'auth.workloadIdentity.federationRuleId',
      'auth.workloadIdentity.organizationId',
      'auth.workloadIdentity.serviceAccount',
      'auth.workloadIdentity.serviceAccountId',
      'auth.workloadIdentity.tenantId',
      'auth.workloadIdentity.tokenFile',
      'auth.workloadIdentity.workspaceId',
    ]);
  });

  test('a pasted value is refused in words that do not repeat it', () => {
    const pasted = 'sk-ant-api03-pasted';
    for (const apiKey of [pasted, { value: pasted }, { name: 's', key: 'k', value: pasted }]) {
      const parsed = parseSpec('Upstream', changed('Upstream', { 'anthropic.auth': { type: 'APIKey', apiKey } }));
      expect(parsed.ok).toBe(false);
      expect(JSON.stringify(parsed)).not.toContain(pasted);
    }
  });

  test('whatever has the shape of a reference in the schema is found in a spec that sets it', () => {
    const refs = places.filter(({ schema }) => Object.keys(schema.properties ?? {}).join() === 'name,key');
    expect(refs.length).toBeGreaterThan(20);
    for (const { place } of refs) {
      const path = place.replaceAll('[]', '.0').split('.').slice(1);
      const spec = path.reduceRight<unknown>((value, member) => ({ [member]: value }), { name: 'held', key: 'k' });
      expect([place, ...secretNames(spec)]).toEqual([place, 'held']);
    }
  });
});

describe('[PROV-30] verification', () => {
  test('there is nothing in tls but what makes it stricter or trusts another CA', () => {
    const members = places.find(({ place }) => place === 'spec.tls')?.schema.properties ?? {};
    expect(Object.keys(members)).toEqual(['caRef', 'clientCertificate', 'minVersion']);
  });

  test.each<Changes>([{ 'tls.insecureSkipVerify': true }, { 'tls.verify': false }, { insecureSkipTlsVerify: true }])(
    '%j is an unknown field',
    (changes) => {
      const parsed = parseSpec('Upstream', changed('Upstream', changes));
      expect(parsed).toMatchObject({
        ok: false,
        issues: [{ message: expect.stringContaining('unknown field spec.') }],
      });
    },
  );
});

describe('[PROV-02] providers', () => {
  test.each(Object.entries(PROVIDER_SPECS))('%s has a member of its own, and no other fits it', (family, members) => {
    expect(parseSpec('Upstream', changed('Upstream', members))).toMatchObject({
      ok: true,
      value: { provider: family },
    });
    for (const other of Object.keys(PROVIDER_SPECS).filter((name) => name !== family)) {
      expect(parseSpec('Upstream', changed('Upstream', { ...members, provider: other }))).toMatchObject({ ok: false });
    }
  });
});
