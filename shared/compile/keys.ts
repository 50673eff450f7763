// Virtual keys: value to hash, state and end of life, and what to do when two objects hold the same value. Runs once per key
// and there may be a hundred thousand, so nothing here is built per key that could be built once.
import { objectKey, type Resource } from '#shared/api/kinds.ts';
import { issue } from '#shared/api/parse.ts';
import type { KeyEntry } from '#shared/bundle/bundle.ts';
import { keyHash, type HashingKey } from '#shared/bundle/key-hash.ts';
import { parseDuration } from '#shared/duration.ts';
import { SecretText } from '#shared/secret-text.ts';
import { displayPrefix, valueFault } from './key-value.ts';
import type { ReadPattern } from './model-names.ts';
import { shortScopes, storedPatterns } from './policies.ts';
import { asSet, createdAt } from './precedence.ts';
import { readSecret } from './secret-value.ts';
import { Report } from './report.ts';
import type { CompileMemo, KeySource, KeySubject, MadeKey } from './memo.ts';
import type { Attachment } from './attach.ts';
import type { Subject } from './subject.ts';
import type { CompileInput, KeyCredential, KeyHash } from './types.ts';

/** Key of the Secret under which the operator writes a generated value. */
export const GENERATED_KEY = 'token';

/** What keys of one Gateway are compiled against. */
export interface KeyContext {
  readonly gateway: {
    readonly name: string;
    readonly namespace: string;
    readonly prefix: string;
    readonly environment?: string | undefined;
  };
  /** Of the Gateway, see {@link keyHash}. */
  readonly pepper: HashingKey;
  readonly secrets: CompileInput['secrets'];
  readonly tombstones: ReadonlySet<string>;
  readonly credentials: CompileInput['credentials'];
  readonly patternsFor: (namespace: string) => (pattern: string) => ReadPattern;
}

export function keySubject(resource: Resource<'VirtualKey'>, report: Report, memo: CompileMemo): KeySubject {
  const { metadata, spec } = resource;
  const { namespace } = metadata;
  return {
    resource,
    id: objectKey(metadata),
    gateway: memo.intern(`${spec.gatewayRef.namespace ?? namespace}/${spec.gatewayRef.name}`),
    secret: memo.intern(`${namespace}/${secretRef(spec.credential).name}`),
    report,
  };
}

/** Where the clear value of a key is, if anywhere. */
function secretRef({ imported, generated }: Resource<'VirtualKey'>['spec']['credential']): {
  readonly name: string;
  readonly key: string;
} {
  return imported?.secretRef ?? { name: generated?.secretName ?? '', key: GENERATED_KEY };
}

/** Status members that follow from the manifest alone, so that a refused key has them too. */
function reportLifetime({ resource, report }: Subject<'VirtualKey'>): void {
  report.field('phase', resource.spec.state);
  const end = endOfLife(resource);
  if (typeof end === 'number') report.field('expiresAt', new Date(end).toISOString());
}

/** A key that may not attach: it has a status and no entry. @param refusal the same object while it says the same */
export function refuseKey(subject: KeySubject, refusal: Attachment & { ok: false }): void {
  if (subject.made?.gateway === refusal) {
    subject.report = subject.made.report;
    return;
  }
  const report = freshReport(subject);
  report.refuse(refusal.reason, refusal.issue);
  subject.made = { gateway: refusal, source: undefined, hashes: NONE, buried: NONE, report, entries: NONE };
}

/**
 * Entries and report of an attached key, as if no other key had its value: those of the compile before when everything they rest on is the same.
 * @param gateway stands for all of the context but tombstones, credentials and Secrets: the same object while it says the same
 */
export function compileKey(subject: KeySubject, gateway: object, context: KeyContext): MadeKey {
  const { made } = subject;
  const source = sourceOf(subject, context);
  if (made?.gateway === gateway && sameSource(made.source, source) && sameBurials(made, context.tombstones)) {
    subject.report = made.report;
    return made;
  }
  const report = freshReport(subject);
  report.attachedTo(subject.gateway);
  const credential = readCredential(subject, context);
  const hashes = credential === undefined ? NONE : hashesOf(credential);
  const entries = entriesOf(subject, context, credential);
  const buried = hashes.map((hash) => context.tombstones.has(hash));
  return (subject.made = { gateway, source, hashes, buried, report, entries });
}

const NONE: readonly never[] = [];

type Writable<T> = { -readonly [K in keyof T]: T[K] };

function freshReport(subject: KeySubject): Report {
  // Nothing is found out about a key before something is made of it.
  if (subject.made !== undefined) subject.report = new Report('VirtualKey', subject.resource.metadata);
  reportLifetime(subject);
  return subject.report;
}

function sourceOf({ resource, id, secret }: KeySubject, { credentials, secrets }: KeyContext): KeySource {
  const { credential } = resource.spec;
  if (credential.type === 'Generated' && credentials !== undefined) return credentials.get(id) ?? 'no credential';
  const values = secrets.get(secret);
  return values === undefined ? 'no Secret' : (values.get(secretRef(credential).key) ?? 'no key');
}

const sameSource = (a: KeySource | undefined, b: KeySource): boolean =>
  a === b || (a instanceof SecretText && b instanceof SecretText && a.reveal() === b.reveal());

function sameBurials({ hashes, buried }: MadeKey, tombstones: ReadonlySet<string>): boolean {
  for (let at = 0; at < hashes.length; at++) if (tombstones.has(hashes[at]!) !== buried[at]) return false;
  return true;
}

const hashesOf = ({ hash, previous }: KeyCredential): string[] =>
  previous === undefined ? [hash] : [hash, previous.hash];

function entriesOf(subject: KeySubject, context: KeyContext, credential: KeyCredential | undefined): KeyEntry[] {
  const { resource, report } = subject;
  const { spec } = resource;
  const { gateway } = context;
  report.refsChecked();
  const end = endOfLife(resource);
  if (end === 'unknown') {
    report.refuse(
      'NoCreationTime',
      issue(['spec', 'ttl'], 'counts from metadata.creationTimestamp, which is not there; set spec.expiresAt'),
    );
  }
  const foreign = spec.environment !== undefined && spec.environment !== gateway.environment;
  if (foreign) {
    const theirs = gateway.environment === undefined ? 'names no environment' : `is of ${gateway.environment}`;
    report.refuse(
      'EnvironmentMismatch',
      issue(
        ['spec', 'environment'],
        `the key is for ${spec.environment} but the Gateway ${theirs}; calls with it are refused`,
      ),
    );
  }
  if (credential === undefined) return [];

  const { hash, prefix, previous } = credential;
  report.field('prefix', prefix);
  const buried = (value: string) => spec.state !== 'Revoked' && context.tombstones.has(value);
  if (buried(hash)) {
    const verb = spec.credential.type === 'Generated' ? 'generate' : 'import';
    report.refuse('Tombstoned', `This value was deleted or revoked and may not come back; ${verb} a new value`);
    return [];
  }
  if (end === 'unknown') return [];

  const entry = keyEntry(subject, context, { hash, prefix }, end);
  if (previous === undefined || previous.hash === hash || buried(previous.hash)) return [entry];
  const until = earlier(end, previous.until);
  return [
    entry,
    {
      ...entry,
      hash: previous.hash,
      prefix: previous.prefix,
      previous: true,
      ...(until === undefined ? {} : { expiresAt: until }),
    },
  ];
}

function keyEntry(
  { resource, report, id }: KeySubject,
  { gateway, patternsFor }: KeyContext,
  { hash, prefix }: KeyHash,
  end: number | undefined,
): KeyEntry {
  const { spec, metadata } = resource;
  const { namespace } = metadata;
  const { models, network, endpoints, environment } = spec;
  const tenant = namespace !== gateway.namespace;
  const entry: Writable<KeyEntry> = {
    hash,
    key: id,
    namespace,
    prefix,
    owner: { type: spec.owner.type, name: tenant ? `${namespace}/${spec.owner.name}` : spec.owner.name },
    labels: metadata.labels ?? {},
    state: spec.state,
    scopes: shortScopes(spec.scopes),
  };
  if (end !== undefined) entry.expiresAt = end;
  if (models !== undefined) {
    entry.models = storedPatterns(models.allow, 'spec.models.allow', patternsFor(namespace), report);
  }
  if (network !== undefined) entry.network = asSet(network.allow);
  if (endpoints !== undefined) entry.endpoints = asSet(endpoints);
  if (environment !== undefined && environment !== gateway.environment) entry.foreignEnvironment = environment;
  return entry;
}

/** The value of a key by its hash: as the operator remembers it, or of the clear value if that is there and fit to be a key. */
function readCredential(subject: Subject<'VirtualKey'>, context: KeyContext): KeyCredential | undefined {
  const { resource, report } = subject;
  const generated = resource.spec.credential.type === 'Generated';
  if (generated && context.credentials !== undefined) {
    const known = context.credentials.get(objectKey(resource.metadata));
    if (known === undefined) report.unresolved('SecretPending', 'The key has no value yet; the operator makes one');
    return known;
  }
  const value = readValue(subject, context);
  if (value === undefined) return undefined;
  return {
    hash: keyHash(context.pepper, value),
    prefix: displayPrefix(value, generated ? context.gateway.prefix : undefined),
  };
}

/** The clear value, if it is there and fit to be a key. */
function readValue({ resource, report }: Subject<'VirtualKey'>, context: KeyContext): string | undefined {
  const { generated, imported } = resource.spec.credential;
  const ref = secretRef(resource.spec.credential);
  const reading = readSecret(context.secrets, resource.metadata.namespace, ref);
  if (!reading.ok) {
    if (reading.reason === 'InvalidValue') report.refuse('Invalid', reading.message);
    else if (imported !== undefined) report.unresolved('RefNotFound', reading.message);
    else report.unresolved('SecretPending', `Secret ${ref.name} does not hold the generated key yet`);
    return undefined;
  }
  const value = reading.value.reveal();
  const fault = valueFault(value, generated === undefined ? '' : context.gateway.prefix);
  if (fault === undefined) return value;
  report.refuse(fault.reason, fault.message);
  return undefined;
}

const earlier = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);

/** Milliseconds since 1970, UTC; `unknown` when it counts from a creation time that is not there. */
export function endOfLife(resource: Resource<'VirtualKey'>): number | 'unknown' | undefined {
  const { expiresAt, ttl } = resource.spec;
  if (expiresAt !== undefined) return Date.parse(expiresAt);
  if (ttl === undefined) return undefined;
  const born = createdAt(resource.metadata);
  return born === undefined ? 'unknown' : born + parseDuration(ttl);
}
