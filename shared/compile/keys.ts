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
import { asSet, createdAt } from './precedence.ts';
import { readSecret } from './secret-value.ts';
import { Report } from './report.ts';
import type { KeyBasis, KeySubject, MadeKey } from './memo.ts';
import type { Attachment } from './attach.ts';
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

/** Status members that follow from the manifest alone, so that a refused key has them too. */
function reportLifetime({ resource, report }: Subject<'VirtualKey'>): void {
  report.field('phase', resource.spec.state);
  const end = endOfLife(resource);
  if (typeof end === 'number') report.field('expiresAt', new Date(end).toISOString());
}

/** A key that may not attach: it has a status and no entry. */
export function refuseKey(subject: KeySubject, attachment: Attachment & { ok: false }): void {
  const { made } = subject;
  if (made?.basis.attachment === attachment) {
    subject.report = made.report;
    return;
  }
  const report = freshReport(subject);
  report.refuse(attachment.reason, attachment.issue);
  const basis = { attachment, gateway: undefined, credential: undefined, value: undefined };
  subject.made = { basis, report, entries: [], hashes: [], buried: [] };
}

/**
 * Entries and report of an attached key, as if no other key had its value: those of the compile before when everything they rest on is the same.
 * @param gateway stands for all of the context but tombstones, credentials and Secrets: the same object while it says the same
 */
export function compileKey(
  subject: KeySubject,
  attachment: Attachment & { ok: true },
  gateway: object,
  context: KeyContext,
): MadeKey {
  const basis = basisOf(subject, attachment, gateway, context);
  const before = subject.made;
  if (before !== undefined && holds(before, basis, context.tombstones)) {
    subject.report = before.report;
    return before;
  }
  const report = freshReport(subject);
  report.attachedTo(attachment.gateway);
  const credential = readCredential(subject, context);
  const hashes = credential === undefined ? [] : hashesOf(credential);
  const made = {
    basis,
    report,
    entries: entriesOf(subject, context, credential),
    hashes,
    buried: hashes.map((hash) => context.tombstones.has(hash)),
  };
  subject.made = made;
  return made;
}

function freshReport(subject: KeySubject): Report {
  subject.report = new Report('VirtualKey', subject.resource.metadata);
  reportLifetime(subject);
  return subject.report;
}

function basisOf(
  { resource, id }: KeySubject,
  attachment: Attachment,
  gateway: object,
  { credentials, secrets }: KeyContext,
): KeyBasis {
  const { type, imported, generated } = resource.spec.credential;
  if (type === 'Generated' && credentials !== undefined) {
    return { attachment, gateway, credential: credentials.get(id), value: undefined };
  }
  const { name, key } = secretRef(imported, generated);
  const value = secrets.get(`${resource.metadata.namespace}/${name}`)?.get(key);
  return { attachment, gateway, credential: undefined, value };
}

function holds({ basis, hashes, buried }: MadeKey, now: KeyBasis, tombstones: ReadonlySet<string>): boolean {
  return (
    basis.gateway === now.gateway &&
    basis.attachment === now.attachment &&
    basis.credential === now.credential &&
    (basis.value === now.value || (basis.value !== undefined && basis.value.reveal() === now.value?.reveal())) &&
    hashes.every((hash, at) => tombstones.has(hash) === buried[at])
  );
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
  const ref = secretRef(imported, generated);
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

type Credential = Resource<'VirtualKey'>['spec']['credential'];

const secretRef = (
  imported: Credential['imported'],
  generated: Credential['generated'],
): { readonly name: string; readonly key: string } =>
  imported?.secretRef ?? { name: generated?.secretName ?? '', key: GENERATED_KEY };

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
