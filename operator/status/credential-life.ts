// The age and the end of an upstream's static credentials, by the Secrets they are kept in. Tokens that are fetched renew themselves and have
// neither; certificates have an end. Messages name dates and not figures, or every status would change every day. Pure.
import type { Condition } from '#shared/api/conditions.ts';
import type { CertificateRef } from '../world/certificate-refs.ts';

/** A Secret that an Upstream names, or a certificate in one. */
export interface CredentialSecret {
  /** `namespace/name`. */
  readonly name: string;
  /** Milliseconds since 1970 at which its content last changed; undefined when unknown or when age does not matter. */
  readonly changedAt: number | undefined;
  /** Milliseconds since 1970 at which it ends: by its own word a certificate, by that of whoever wrote it all other content. */
  readonly expiresAt: number | undefined;
  /** Absent: all of the Secret is meant. */
  readonly certificate?: Pick<CertificateRef, 'role' | 'key'>;
}

export interface CredentialLife {
  readonly conditions: readonly Condition[];
  readonly fields: Readonly<Record<string, unknown>>;
  /** Milliseconds since 1970 at which something else is to be said. */
  readonly wakeAt?: number;
}

type Ending = CredentialSecret & { readonly expiresAt: number };

const DAY_MS = 86_400_000;
/** Days before the end, the nearest first. */
const WARNINGS = [1, 7, 30] as const;
const REASONS = { 1: 'WithinOneDay', 7: 'WithinSevenDays', 30: 'WithinThirtyDays' } as const;

/** @param maxAge milliseconds */
export function credentialLife(secrets: readonly CredentialSecret[], maxAge: number, now: number): CredentialLife {
  const conditions: Condition[] = [];
  const wakes: number[] = [];
  const oldest = oldestOf(secrets);
  if (oldest !== undefined) {
    if (now - oldest.at >= maxAge) conditions.push(stale(oldest.name, oldest.at, maxAge));
    else wakes.push(oldest.at + maxAge);
  }
  const ends = secrets.filter((each): each is Ending => each.expiresAt !== undefined);
  ends.sort((a, b) => a.expiresAt - b.expiresAt);
  const expiring = expiringOf(ends, now);
  if (expiring !== undefined) conditions.push(expiring);
  for (const { expiresAt } of ends) {
    const steps = [0, ...WARNINGS].map((days) => expiresAt - days * DAY_MS);
    wakes.push(...steps.filter((at) => at > now));
  }
  const [first] = ends;
  return {
    conditions,
    fields: first === undefined ? {} : { credentialExpiresAt: wholeSeconds(first.expiresAt) },
    ...(wakes.length === 0 ? {} : { wakeAt: Math.min(...wakes) }),
  };
}

function oldestOf(secrets: readonly CredentialSecret[]): { readonly name: string; readonly at: number } | undefined {
  let oldest: { name: string; at: number } | undefined;
  for (const { name, changedAt } of secrets) {
    if (changedAt !== undefined && (oldest === undefined || changedAt < oldest.at)) oldest = { name, at: changedAt };
  }
  return oldest;
}

function stale(name: string, at: number, maxAge: number): Condition {
  const limit = `${Math.round(maxAge / DAY_MS)} days`;
  const message = `The content of Secret ${name} has not changed since ${day(at)}, which is longer than ${limit}: have the provider issue a new credential and put it there.`;
  return { type: 'CredentialStale', status: 'True', reason: 'Old', message };
}

/** The first end gives the reason; what else ends within thirty days is named with it, so that one does not hide the other. */
function expiringOf(ends: readonly Ending[], now: number): Condition | undefined {
  const near = ends.filter(({ expiresAt }) => now >= expiresAt - WARNINGS.at(-1)! * DAY_MS);
  const [first] = near;
  if (first === undefined) return undefined;
  const days = WARNINGS.find((each) => now >= first.expiresAt - each * DAY_MS)!;
  const reason = now >= first.expiresAt ? 'Expired' : REASONS[days];
  return {
    type: 'CredentialExpiring',
    status: 'True',
    reason,
    message: near.map((each) => words(each, now)).join(' '),
  };
}

function words({ name, expiresAt, certificate }: Ending, now: number): string {
  const ends = `${now >= expiresAt ? 'has ended' : 'ends'} at ${wholeSeconds(expiresAt)}`;
  if (certificate === undefined) return `The credential in Secret ${name} ${ends}: replace it.`;
  const { role, key } = certificate;
  const where = `in key ${key} of Secret ${name}`;
  if (role === 'Client')
    return `The client certificate ${where}, or one that follows it there, ${ends}: put a new one and its key there.`;
  return `A CA certificate ${where}, by which the upstream is known, ${ends}: put its successor there.`;
}

const day = (at: number): string => new Date(at).toISOString().slice(0, 10);
const wholeSeconds = (at: number): string => `${new Date(at).toISOString().slice(0, 19)}Z`;
