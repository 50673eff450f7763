// The Secret a generated value is written to: how it looks, whose it is, and what its metadata tells without reading the value. The cache of
// Secrets holds metadata only, so everything planning asks about stands in annotations.
import { createHash } from 'node:crypto';
import { keyHash } from '#shared/bundle/key-hash.ts';
import { GENERATED_KEY } from '#shared/compile/keys.ts';
import { GATEWAY_LABEL, MANAGED_BY, ROLE_LABEL } from '#shared/kube/labels.ts';
import type { KubeObject } from '#shared/kube/object.ts';
import { SecretText } from '#shared/secret-text.ts';
import type { GatewayFacts } from './gateways.ts';
import type { KeyView } from './view.ts';

/** Uid of the VirtualKey; besides the owner reference, so that it is known even of a Secret without our labels. */
export const KEY_ANNOTATION = 'portcullis.dev/virtual-key';
export const SERIAL_ANNOTATION = 'portcullis.dev/key-serial';
/** Keyed hash of the value written. */
export const HASH_ANNOTATION = 'portcullis.dev/key-hash';
/** Digest of the lines beside the value. */
export const LINES_ANNOTATION = 'portcullis.dev/key-lines';

export interface SecretObject extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

const TOKEN_LINE = 'ANTHROPIC_AUTH_TOKEN';
const URL_LINE = 'ANTHROPIC_BASE_URL';
const MODEL_LINE = 'ANTHROPIC_MODEL';

/** Whether a Secret is owned by exactly this VirtualKey; one of the same name and an earlier life has another uid. */
export function isOwned(secret: KubeObject, uid: string): boolean {
  return (secret.metadata.ownerReferences ?? []).some((owner) => owner.uid === uid);
}

/** The same by what the cache keeps: owners only of Secrets with our labels, of others our annotation. */
export function isOurs(secret: KubeObject, uid: string): boolean {
  return secret.metadata.ownerReferences === undefined ? keyUid(secret) === uid : isOwned(secret, uid);
}

/** Uid of the VirtualKey a Secret says it was made for. */
export function keyUid(secret: KubeObject): string | undefined {
  return secret.metadata.annotations?.[KEY_ANNOTATION];
}

/** Lines of a client that are no secret. */
export function plainLines(view: KeyView, gateway: GatewayFacts): Readonly<Record<string, string>> {
  const model = view.spec.credential.generated?.model;
  return { [URL_LINE]: gateway.baseUrl, ...(model === undefined ? {} : { [MODEL_LINE]: model }) };
}

/** The environment of a client as `env` of a container, for the status: the value itself only by reference. */
export function clientEnv(view: KeyView, gateway: GatewayFacts): readonly object[] {
  const { generated, imported } = view.spec.credential;
  const ref = imported?.secretRef ?? { name: generated?.secretName ?? '', key: GENERATED_KEY };
  const plain = Object.entries(plainLines(view, gateway)).map(([name, value]) => ({ name, value }));
  return [...plain, { name: TOKEN_LINE, valueFrom: { secretKeyRef: { name: ref.name, key: ref.key } } }];
}

/** Labels and annotations a Secret must carry. */
function marks(view: KeyView, gateway: GatewayFacts, value: { readonly serial: number; readonly hash: string }) {
  return {
    labels: { ...MANAGED_BY, [GATEWAY_LABEL]: gateway.name, [ROLE_LABEL]: 'virtual-key' },
    annotations: {
      [KEY_ANNOTATION]: view.uid,
      [SERIAL_ANNOTATION]: String(value.serial),
      [HASH_ANNOTATION]: value.hash,
      [LINES_ANNOTATION]: digest(plainLines(view, gateway)),
    },
  };
}

/** Whether metadata says what it should; what the data says is another matter. */
export function isMarked(
  secret: KubeObject,
  view: KeyView,
  gateway: GatewayFacts,
  value: { readonly serial: number; readonly hash: string },
): boolean {
  const { labels, annotations } = marks(view, gateway, value);
  return holds(secret.metadata.labels, labels) && holds(secret.metadata.annotations, annotations);
}

/** What a value is written with. */
export interface WrittenValue {
  readonly serial: number;
  readonly hash: string;
  readonly value: SecretText;
}

/** A new Secret. Never immutable: rotation writes into it. */
export function newSecret(view: KeyView, gateway: GatewayFacts, written: WrittenValue): SecretObject & object {
  const { name } = target(view);
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name,
      namespace: view.meta.namespace,
      ...marks(view, gateway, written),
      ownerReferences: [owner(view)],
    },
    type: 'Opaque',
    data: encode(view, gateway, written.value),
  } as SecretObject;
}

/** A merge patch that leaves alone what others have put into the Secret. */
export function secretPatch(secret: KubeObject, view: KeyView, gateway: GatewayFacts, written: WrittenValue): object {
  return {
    metadata: { resourceVersion: secret.metadata.resourceVersion, ...marks(view, gateway, written) },
    data: { [MODEL_LINE]: null, ...encode(view, gateway, written.value) },
  };
}

/** Whether every line of a Secret is what the operator would write. */
export function isIntact(secret: SecretObject, view: KeyView, gateway: GatewayFacts, value: SecretText): boolean {
  return (
    holds(secret.data, encode(view, gateway, value)) &&
    (modelOf(view) !== undefined || !(MODEL_LINE in (secret.data ?? {})))
  );
}

/** The value a Secret holds, if it looks like one that was made here. */
export function readToken(
  secret: SecretObject,
  gateway: GatewayFacts,
): { value: SecretText; hash: string } | undefined {
  const text = Buffer.from(secret.data?.[GENERATED_KEY] ?? '', 'base64').toString();
  // The Gateway's prefix may have been another when the value was made.
  if (!/^[\x21-\x7e]{0,64}[A-Za-z0-9_-]{43}$/.test(text)) return undefined;
  return { value: new SecretText(text), hash: keyHash(gateway.pepper.reveal(), text) };
}

/** Where the Secret of a Generated key stands. */
export function target(view: KeyView): { namespace: string; name: string } {
  return { namespace: view.meta.namespace, name: view.spec.credential.generated?.secretName ?? '' };
}

const modelOf = (view: KeyView) => view.spec.credential.generated?.model;

function owner(view: KeyView) {
  const { name } = view.meta;
  return { apiVersion: 'portcullis.dev/v1alpha1', kind: 'VirtualKey', name, uid: view.uid, controller: true };
}

function encode(view: KeyView, gateway: GatewayFacts, value: SecretText): Record<string, string> {
  const lines = { ...plainLines(view, gateway), [GENERATED_KEY]: value.reveal(), [TOKEN_LINE]: value.reveal() };
  return Object.fromEntries(Object.entries(lines).map(([name, text]) => [name, Buffer.from(text).toString('base64')]));
}

function digest(lines: Readonly<Record<string, string>>): string {
  const text = Object.entries(lines).map(([name, value]) => `${name}=${value}\n`);
  return createHash('sha256').update(text.join('')).digest('hex').slice(0, 16);
}

function holds(there: Readonly<Record<string, string>> = {}, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([name, value]) => there[name] === value);
}
