import { describe, expect, test } from 'vitest';
import type { UpstreamEntry } from '#shared/bundle/bundle.ts';
import { GatewayError } from '../errors.ts';
import { checkPlace, placeIn, type Place } from './place.ts';
import { keyEntry, policyEntry, settingsOf, upstreamEntry, type PolicyParts } from './testing.ts';

const ARN = 'arn:aws:bedrock:eu-west-1:111122223333:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0';

describe('the place in a name', () => {
  test.each<[string, Partial<Place> | undefined]>([
    ['claude-sonnet-4-5', undefined],
    ['eu.anthropic.claude-sonnet-4-5-20250929-v1:0', undefined],
    ['barnard-projects', undefined],
    [ARN, { region: 'eu-west-1', owner: '111122223333' }],
    [ARN.toUpperCase(), { region: 'eu-west-1', owner: '111122223333' }],
    [encodeURIComponent(ARN), { region: 'eu-west-1', owner: '111122223333' }],
    [`bedrock/${ARN}`, { region: 'eu-west-1', owner: '111122223333' }],
    ['arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/anthropic.claude-x', { region: 'us-gov-west-1' }],
    ['arn:aws:bedrock:::foundation-model/anthropic.claude-x', {}],
    ['bedrock/eu-west-1/anthropic.claude-x', { region: 'eu-west-1' }],
    ['bedrock_converse/us-gov-west-1/anthropic.claude-x', { region: 'us-gov-west-1' }],
    ['bedrock%2Fconverse%2FEU-WEST-1%2Fanthropic.claude-x', { region: 'eu-west-1' }],
    ['bedrock/anthropic.claude-x', undefined],
    ['arn:aws:s3:eu-west-1:111122223333:bucket/x', undefined],
    ['projects/p-1/locations/Europe-West1/publishers/anthropic/models/x', { region: 'europe-west1', owner: 'p-1' }],
    ['vertex_ai/projects%2Fp-1%2Flocations%2Fglobal%2Fx', { region: 'global', owner: 'p-1' }],
  ])('%s', (name, place) => {
    const found = placeIn(name);
    expect(found && { ...found, regionSetting: '' }).toEqual(place && { ...place, regionSetting: '' });
  });
});

const vertexOf = (name: string, project: string): UpstreamEntry => ({
  ...upstreamEntry(name),
  provider: 'Vertex',
  vertex: { project, location: 'us-east5' },
});

/** What the caller of one policy is told, and by which; undefined when the place is allowed. */
function toldAt(place: Partial<Place>, ...policies: readonly PolicyParts[]) {
  const settings = settingsOf({
    policies: policies.map((parts, i) => policyEntry(`p${i}`, parts)),
    upstreams: [
      upstreamEntry('anthropic'),
      vertexOf('mine', 'mine-1'),
      vertexOf('theirs', 'theirs-1'),
      vertexOf('shared', 'theirs-2'),
      vertexOf('shared-too', 'theirs-2'),
      upstreamEntry('bedrock', { 'claude-x': ARN }),
    ],
  });
  try {
    const access = settings.access.of(keyEntry(), {})!;
    checkPlace(settings, access, { regionSetting: 'set CLOUD_ML_REGION', ...place });
    return undefined;
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return { status: error.status, reason: error.reason, rule: error.rule, message: error.message };
  }
}

describe('regions', () => {
  const eu = { regions: ['eu-*', 'europe-*', 'eu'] };

  test.each(['eu-west-1', 'europe-west1', 'eu', 'global'])('[AUTHZ-14] %s is within', (region) => {
    expect(toldAt({ region }, eu)).toBeUndefined();
  });

  test.each(['us-east-1', 'europe', 'us', 'xeu-west-1', '*', ''])('[AUTHZ-14] %j is not', (region) => {
    expect(toldAt({ region }, eu)).toMatchObject({ status: 403, reason: 'region', rule: 'platform/p0' });
  });

  test('[AUTHZ-14] the refusal says what to set, and to what', () => {
    expect(toldAt({ region: 'us-east5' }, eu)?.message).toBe(
      'your policy does not allow the region us-east5: set CLOUD_ML_REGION, one of eu-*, europe-*, eu',
    );
  });

  test('what a client writes for one is shown shortened', () => {
    expect(toldAt({ region: 'x'.repeat(5_000) }, eu)?.message.length).toBeLessThan(200);
  });

  test('[AUTHZ-14] every matching policy is a bound of its own; without one every region is fine', () => {
    const key = { match: { users: ['nobody'] } };
    expect(toldAt({ region: 'us-east5' }, {}, key)).toBeUndefined();
    const specific = { match: { keyLabels: {} }, regions: ['us-*', 'eu-west-1'], priority: 9 };
    expect(toldAt({ region: 'eu-west-1' }, specific, eu)).toBeUndefined();
    expect(toldAt({ region: 'us-east-1' }, specific, eu)).toMatchObject({ rule: 'platform/p1' });
    expect(toldAt({ region: 'eu-north-1' }, specific, eu)).toMatchObject({ rule: 'platform/p0' });
  });
});

describe('projects and accounts', () => {
  const few = { upstreams: ['platform/anthropic', 'platform/mine', 'platform/shared'] };

  test.each(['mine-1', 'nobodys', 'theirs-2'])('[AUTHZ-12] %s decides nothing', (owner) => {
    expect(toldAt({ owner }, few)).toBeUndefined();
  });

  test.each(['theirs-1', '111122223333'])('[AUTHZ-12] %s is behind an upstream of others only', (owner) => {
    const told = toldAt({ owner }, few);
    expect(told).toMatchObject({ status: 403, reason: 'account', rule: 'platform/p0' });
    expect(told?.message).not.toMatch(/theirs|bedrock/);
    expect(toldAt({ owner }, {})).toBeUndefined();
  });
});
