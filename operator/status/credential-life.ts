// The age and the end of an upstream's static credentials, by the Secrets they are kept in. Tokens that are fetched renew themselves and have
// neither. Messages name dates and not figures, or every status would change every day. Pure.
import type { Condition } from '#shared/api/conditions.ts';

/** A Secret that an Upstream names. */
export interface CredentialSecret {
  readonly name: string;
  /** Milliseconds since 1970 at which its content last changed; undefined when unknown or when age does not matter. */
  readonly changedAt: number | undefined;
  /** Milliseconds since 1970 at which its content ends, by the word of whoever wrote it. */
  readonly expiresAt: number | undefined;
}

export interface CredentialLife {
  readonly conditions: readonly Condition[];
  readonly fields: Readonly<Record<string, unknown>>;
  /** Milliseconds since 1970 at which something else is to be said. */
  readonly wakeAt?: number;
}

const DAY_MS = 86_400_000;
/** Days before the end, the nearest first. */
const WARNINGS = [1, 7, 30] as const;

/** @param maxAge milliseconds */
export function credentialLife(secrets: readonly CredentialSecret[], maxAge: number, now: number): CredentialLife {
  const conditions: Condition[] = [];
  const wakes: number[] = [];
  const oldest = earliest(secrets, ({ changedAt }) => changedAt);
  if (oldest !== undefined) {
    if (now - oldest.at >= maxAge) conditions.push(stale(oldest.name, oldest.at, maxAge));
    else wakes.push(oldest.at + maxAge);
  }
  const first = earliest(secrets, ({ expiresAt }) => expiresAt);
  if (first !== undefined) {
    const days = WARNINGS.find((each) => now >= first.at - each * DAY_MS);
    if (now >= first.at) conditions.push(expiring(first.name, first.at, 'Expired', 'has ended'));
    else if (days !== undefined) conditions.push(expiring(first.name, first.at, REASONS[days], 'ends'));
    const thresholds = [first.at, ...WARNINGS.map((each) => first.at - each * DAY_MS)];
    wakes.push(...thresholds.filter((each) => each > now));
  }
  return {
    conditions,
    fields: first === undefined ? {} : { credentialExpiresAt: wholeSeconds(first.at) },
    ...(wakes.length === 0 ? {} : { wakeAt: Math.min(...wakes) }),
  };
}

const REASONS = { 1: 'WithinOneDay', 7: 'WithinSevenDays', 30: 'WithinThirtyDays' } as const;

function stale(name: string, at: number, maxAge: number): Condition {
  const limit = `${Math.round(maxAge / DAY_MS)} days`;
  const message = `The content of Secret ${name} has not changed since ${day(at)}, which is longer than ${limit}: have the provider issue a new credential and put it there.`;
  return { type: 'CredentialStale', status: 'True', reason: 'Old', message };
}

function expiring(name: string, at: number, reason: string, verb: string): Condition {
  const message = `The credential in Secret ${name} ${verb} at ${wholeSeconds(at)}: replace it.`;
  return { type: 'CredentialExpiring', status: 'True', reason, message };
}

function earliest(
  secrets: readonly CredentialSecret[],
  time: (secret: CredentialSecret) => number | undefined,
): { readonly name: string; readonly at: number } | undefined {
  let first: { name: string; at: number } | undefined;
  for (const secret of secrets) {
    const at = time(secret);
    if (at !== undefined && (first === undefined || at < first.at)) first = { name: secret.name, at };
  }
  return first;
}

const day = (at: number): string => new Date(at).toISOString().slice(0, 10);
const wholeSeconds = (at: number): string => `${new Date(at).toISOString().slice(0, 19)}Z`;
