// Virtual keys: value to hash, state and end of life, and what to do when two objects hold the same value. Runs once per key
// and there may be a hundred thousand, so nothing here is built per key that could be built once.
import { objectKey, type Resource } from '#shared/api/kinds.ts';
import { issue } from '#shared/api/parse.ts';
import type { KeyEntry } from '#shared/bundle/bundle.ts';
import { keyHash } from '#shared/bundle/key-hash.ts';
import { parseDuration } from '#shared/duration.ts';
import type { SecretText } from '#shared/secret-text.ts';
import { displayPrefix, valueFault } from './key-value.ts';
import type { ReadPattern } from './model-names.ts';
import { shortScopes, storedPatterns } from './policies.ts';
import { asSet, byAge, byText, createdAt } from './precedence.ts';
import { readSecret } from './secret-value.ts';
import type { Subject } from './subjects.ts';
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
  readonly pepper: SecretText;
  readonly secrets: CompileInput['secrets'];
  readonly tombstones: ReadonlySet<string>;
  readonly credentials: CompileInput['credentials'];
  readonly patternsFor: (namespace: string) => (pattern: string) => ReadPattern;
}

interface Candidate {
  readonly subject: Subject<'VirtualKey'>;
  readonly entry: KeyEntry;
}

/** Status members that follow from the manifest alone, so that a refused key has them too. */
export function reportLifetime({ resource, report }: Subject<'VirtualKey'>): void {
  report.field('phase', resource.spec.state);
  const end = endOfLife(resource);
  if (typeof end === 'number') report.field('expiresAt', new Date(end).toISOString());
}

/** Compiles the attached keys of one Gateway, sorted by hash. In grace a key has two entries. */
export function compileKeys(subjects: readonly Subject<'VirtualKey'>[], context: KeyContext): KeyEntry[] {
  const byHash = new Map<string, Candidate>();
  for (const subject of subjects) {
    for (const entry of compileKey(subject, context)) {
      const other = byHash.get(entry.hash);
      const candidate = { subject, entry };
      if (other === undefined) byHash.set(entry.hash, candidate);
      else byHash.set(entry.hash, settle(other, candidate));
    }
  }
  return [...byHash.values()].map(({ entry }) => entry).sort((a, b) => byText(a.hash, b.hash));
}

/** Two objects with one value: the older one keeps it. */
function settle(a: Candidate, b: Candidate): Candidate {
  const [winner, loser] = byAge(a.subject.resource.metadata, b.subject.resource.metadata) < 0 ? [a, b] : [b, a];
  // Only neighbours may be named; elsewhere the name of the winner would tell who holds this value.
  const holder =
    winner.entry.namespace === loser.entry.namespace
      ? `VirtualKey ${winner.subject.resource.metadata.name}`
      : 'another VirtualKey';
  const { report } = loser.subject;
  // A key that only lost what it was rotated away from goes on with its new value.
  if (loser.entry.previous) report.warn(`${holder} holds the previous value; grace is over for this key`);
  else report.refuse('Conflicted', `${holder} already holds this value; give this key a value of its own`);
  return winner;
}

function compileKey(subject: Subject<'VirtualKey'>, context: KeyContext): KeyEntry[] {
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
  const credential = readCredential(subject, context);
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
  { resource, report }: Subject<'VirtualKey'>,
  { gateway, patternsFor }: KeyContext,
  { hash, prefix }: KeyHash,
  end: number | undefined,
): KeyEntry {
  const { spec, metadata } = resource;
  const { namespace } = metadata;
  const { models, network, endpoints, environment } = spec;
  const tenant = namespace !== gateway.namespace;
  return {
    hash,
    key: objectKey(metadata),
    namespace,
    prefix,
    owner: { type: spec.owner.type, name: tenant ? `${namespace}/${spec.owner.name}` : spec.owner.name },
    labels: metadata.labels ?? {},
    state: spec.state,
    ...(end === undefined ? {} : { expiresAt: end }),
    scopes: shortScopes(spec.scopes),
    ...(models === undefined
      ? {}
      : { models: storedPatterns(models.allow, 'spec.models.allow', patternsFor(namespace), report) }),
    ...(network === undefined ? {} : { network: asSet(network.allow) }),
    ...(endpoints === undefined ? {} : { endpoints: asSet(endpoints) }),
    ...(environment === undefined || environment === gateway.environment ? {} : { foreignEnvironment: environment }),
  };
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
    hash: keyHash(context.pepper.reveal(), value).toString('hex'),
    prefix: displayPrefix(value, generated ? context.gateway.prefix : undefined),
  };
}

/** The clear value, if it is there and fit to be a key. */
function readValue({ resource, report }: Subject<'VirtualKey'>, context: KeyContext): string | undefined {
  const { generated, imported } = resource.spec.credential;
  const ref = imported?.secretRef ?? { name: generated?.secretName ?? '', key: GENERATED_KEY };
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
