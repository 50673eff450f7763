// What is known of one upstream, and how a finding changes it. Pure. What a finding does not speak of stays as it was: a provider that
// cannot be reached or asks to wait says nothing about the credential.
import { ACCEPTED, ANSWERS, type Facet } from '#shared/upstream-report.ts';
import type { Finding } from './finding.ts';

export interface UpstreamState {
  readonly credentials: Facet;
  readonly reachable: Facet;
  readonly models: Facet;
  /** What the upstream does not serve although it should, as it names it. */
  readonly missing: ReadonlySet<string>;
}

const unknown = (reason: string, message: string): Facet => ({ status: 'Unknown', reason, message });

/** @param probed whether somebody is going to look */
export function initialState(probed: boolean): UpstreamState {
  const facet = probed
    ? unknown('Probing', 'Not looked at yet.')
    : unknown('NotProbed', 'Nobody looks: probes are off.');
  return { credentials: facet, reachable: facet, models: facet, missing: new Set() };
}

/** @returns the same state when the finding is no news */
export function afterFinding(state: UpstreamState, finding: Finding): UpstreamState {
  const facets = facetsOf(state, finding);
  const missing = missingAfter(state.missing, finding);
  const models = modelsFacet(state.models, missing, finding);
  const credentials = kept(state.credentials, facets.credentials);
  const reachable = kept(state.reachable, facets.reachable);
  const same = credentials === state.credentials && reachable === state.reachable && models === state.models;
  return same && sameNames(missing, state.missing) ? state : { credentials, reachable, models, missing };
}

/** Something is wrong that a call would meet. */
export function isTroubled({ credentials, reachable, models }: UpstreamState): boolean {
  return [credentials, reachable, models].some(({ status }) => status === 'False');
}

function facetsOf(
  { credentials, reachable }: UpstreamState,
  { outcome, message }: Finding,
): Pick<UpstreamState, 'credentials' | 'reachable'> {
  const undecided = credentials.status === 'Unknown' ? unknown(outcome, message) : credentials;
  switch (outcome) {
    case 'Valid':
    case 'ModelNotEnabled':
      return { credentials: ACCEPTED, reachable: ANSWERS };
    case 'BadCredential':
    case 'NoPermission':
      return { credentials: { status: 'False', reason: outcome, message }, reachable: ANSWERS };
    case 'RateLimited':
    case 'Unexpected':
      return { credentials: undecided, reachable: ANSWERS };
    case 'Unreachable':
      return { credentials: undecided, reachable: { status: 'False', reason: outcome, message } };
    case 'CredentialUnavailable':
      return { credentials: { status: 'False', reason: outcome, message }, reachable };
  }
}

function missingAfter(before: ReadonlySet<string>, { outcome, model, missing }: Finding): ReadonlySet<string> {
  if (missing !== undefined) return new Set(missing);
  if (model === undefined) return before;
  if (outcome === 'ModelNotEnabled' && !before.has(model)) return new Set([...before, model]);
  if (outcome === 'Valid' && before.has(model)) return new Set([...before].filter((each) => each !== model));
  return before;
}

/** How many models a sentence names. */
const NAMED = 5;

function modelsFacet(before: Facet, missing: ReadonlySet<string>, { outcome, model, missing: listed }: Finding): Facet {
  if (missing.size > 0) {
    const names = [...missing].slice(0, NAMED).join(', ');
    const more = missing.size > NAMED ? ` and ${missing.size - NAMED} more` : '';
    const message = `Not available to this account: ${names}${more}. Enable them at the provider or correct spec.models.`;
    return kept(before, { status: 'False', reason: 'ModelNotEnabled', message });
  }
  if (outcome !== 'Valid' || (model === undefined && listed === undefined)) {
    return before.status === 'False' ? unknown('Probing', 'Not looked at yet.') : before;
  }
  return kept(before, { status: 'True', reason: 'Available', message: 'No model is known to be missing.' });
}

function kept(before: Facet, after: Facet): Facet {
  const same = before.status === after.status && before.reason === after.reason && before.message === after.message;
  return same ? before : after;
}

function sameNames(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a === b || (a.size === b.size && [...a].every((name) => b.has(name)));
}
