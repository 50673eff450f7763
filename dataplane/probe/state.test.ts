import { describe, expect, test } from 'vitest';
import type { Finding, Outcome } from './finding.ts';
import { afterFinding, initialState, type UpstreamState } from './state.ts';

const found = (outcome: Outcome, over: Partial<Finding> = {}): Finding => ({
  outcome,
  message: `says ${outcome}`,
  ...over,
});
const after = (...findings: Finding[]): UpstreamState => findings.reduce(afterFinding, initialState(true));
const summary = ({ credentials, reachable, models }: UpstreamState): string =>
  [credentials, reachable, models].map(({ status }) => status[0]).join('');

describe('credentials, reachable, models after', () => {
  test.each<[string, Finding[], string]>([
    ['nothing', [], 'UUU'],
    ['a list that says nothing of models', [found('Valid')], 'TTU'],
    ['a complete list', [found('Valid', { missing: [] })], 'TTT'],
    ['a message', [found('Valid', { model: 'm' })], 'TTT'],
    ['a bad key', [found('BadCredential')], 'FTU'],
    ['no permission', [found('NoPermission', { model: 'm' })], 'FTU'],
    ['a model that is not enabled', [found('ModelNotEnabled', { model: 'm' })], 'TTF'],
    ['no connection, and it worked before', [found('Valid'), found('Unreachable')], 'TFU'],
    ['no connection from the start', [found('Unreachable')], 'UFU'],
    ['no credential to be had', [found('CredentialUnavailable')], 'FUU'],
    ['a list that lacks a model', [found('Valid', { missing: ['x'] })], 'TTF'],
    ['a model that came back', [found('ModelNotEnabled', { model: 'm' }), found('Valid', { model: 'm' })], 'TTT'],
    [
      'another model than the missing one',
      [found('ModelNotEnabled', { model: 'm' }), found('Valid', { model: 'n' })],
      'TTF',
    ],
    ['a list that has it', [found('ModelNotEnabled', { model: 'm' }), found('Valid', { missing: [] })], 'TTT'],
  ])('%s: %s', (_, findings, expected) => {
    expect(summary(after(...findings))).toBe(expected);
  });

  test('[PROV-18] a limit or an answer that says nothing flips nothing', () => {
    for (const before of [
      found('Valid', { missing: [] }),
      found('BadCredential'),
      found('ModelNotEnabled', { model: 'm' }),
    ]) {
      for (const outcome of ['RateLimited', 'Unexpected'] as const) {
        const state = after(before);
        expect(afterFinding(state, found(outcome))).toBe(state);
      }
    }
  });

  test('the same finding again is no news', () => {
    for (const outcome of ['Valid', 'BadCredential', 'NoPermission', 'Unreachable', 'CredentialUnavailable'] as const) {
      const state = after(found(outcome));
      expect(afterFinding(state, found(outcome))).toBe(state);
    }
  });

  test('missing models are named, and not all of a long list', () => {
    const { models } = after(found('Valid', { missing: ['a', 'b', 'c', 'd', 'e', 'f', 'g'] }));
    expect(models.message).toContain('a, b, c, d, e and 2 more');
  });
});
