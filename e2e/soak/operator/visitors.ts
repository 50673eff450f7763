// Objects that come, are changed and go. Each visit has names that nobody had before, so that whatever remembers names grows; and what clients are
// told of it is asked at every step.
import { API_VERSION } from '#shared/api/kinds.ts';
import { ROTATE_ANNOTATION } from '#shared/kube/labels.ts';
import { RESOURCE, type KubeObject } from '#shared/kube/object.ts';
import { GATEWAY, valueOf } from '../../harness/kubernetes/flood-scene.ts';
import { isProgrammed, type ConditionsOf } from '../../harness/kubernetes/programmed.ts';
import { told } from './answers.ts';
import { eventually, write, type Stage } from './stage.ts';

type Kind = 'Gateway' | 'Upstream' | 'Policy' | 'VirtualKey';
type Manifest = KubeObject & { readonly kind: Kind | 'Secret' };
type Reported = KubeObject & { readonly status?: ConditionsOf };

const FIELD_MANAGER = 'soak';
const IMPORTED = 4;
const GENERATED = 3;
/** Every so many visits bring a Gateway of their own: its pod takes a while to start. */
const GUEST_EVERY = 3;

/** One visit from the first object to the last trace. @param serial never used before */
export async function visit(stage: Stage, serial: number): Promise<void> {
  const visitor = `visitor-${serial}`;
  const imported = named(`${visitor}-imported`, IMPORTED);
  const generated = named(`${visitor}-made`, GENERATED);
  const sound = [
    upstream(visitor, stage.scene.mock.url, visitor),
    policy(visitor),
    ...imported.map((name) => key(name, visitor, importedFrom(visitor, name))),
    ...generated.map((name) => key(name, visitor, generatedInto(name))),
    ...(serial % GUEST_EVERY === 0 ? guests(`guest-${serial}`, stage.scene.mock.url, visitor) : []),
  ];
  const broken = [
    key(`${visitor}-lost`, visitor, generatedInto(`${visitor}-lost`), `nobody-${serial}`),
    upstream(`${visitor}-poor`, stage.scene.mock.url, `${visitor}-nothing`),
  ];
  await apply(stage, secret(visitor, Object.fromEntries([...imported, 'token'].map((name) => [name, valueOf(name)]))));
  await Promise.all([...sound, ...broken].map((object) => apply(stage, object)));
  for (const object of sound) await eventually(stage, () => untilProgrammed(stage, object));
  for (const object of broken) await eventually(stage, () => untilComplained(stage, object));
  for (const name of imported) await told(stage, name, async () => valueOf(name), 200);
  for (const name of generated) await told(stage, name, () => tokenOf(stage, name), 200);

  const [first = '', second = ''] = generated;
  await renewed(stage, first, () => rotate(stage, first, visitor));
  // The value is kept nowhere else: a rotation makes another.
  await write(stage, () => stage.scene.plane.admin.delete(RESOURCE.Secret, at(stage, second)));
  await renewed(stage, second, () => rotate(stage, second, visitor));
  const [disabled = '', revoked = ''] = imported;
  await write(stage, () => stage.scene.edit('VirtualKey', disabled, { state: 'Disabled' }));
  await write(stage, () => stage.scene.edit('VirtualKey', revoked, { state: 'Revoked' }));
  await told(stage, disabled, async () => valueOf(disabled), 403);
  await told(stage, revoked, async () => valueOf(revoked), 401);

  const last = await tokenOf(stage, first);
  for (const { kind, metadata } of [...sound, ...broken].toReversed()) {
    await write(stage, () => stage.scene.plane.admin.delete(RESOURCE[kind], at(stage, metadata.name)));
  }
  await write(stage, () => stage.scene.plane.admin.delete(RESOURCE.Secret, at(stage, visitor)));
  for (const name of imported) await told(stage, name, async () => valueOf(name), 401);
  await told(stage, first, async () => last, 401);
}

/** A generated key gets another value, which is good. @param change what makes it so */
async function renewed(stage: Stage, name: string, change: () => Promise<unknown>): Promise<void> {
  const before = await tokenOf(stage, name);
  await write(stage, change);
  await eventually(stage, async () =>
    [undefined, before].includes(await tokenOf(stage, name)) ? `${name} has no new value` : undefined,
  );
  await told(stage, name, () => tokenOf(stage, name), 200);
}

function rotate(stage: Stage, name: string, mark: string): Promise<unknown> {
  const patch = { metadata: { annotations: { [ROTATE_ANNOTATION]: mark } } };
  return stage.scene.plane.admin.patch(RESOURCE.VirtualKey, at(stage, name), patch);
}

async function tokenOf({ scene }: Stage, name: string): Promise<string | undefined> {
  return scene.secret(name, 'token').catch(() => undefined);
}

async function untilProgrammed(stage: Stage, { kind, metadata: { name } }: Manifest): Promise<string | undefined> {
  const object = await stage.scene.plane.admin.get<Reported>(RESOURCE[kind], at(stage, name));
  return isProgrammed(object) ? undefined : `${kind} ${name} is not Programmed: ${JSON.stringify(object.status)}`;
}

async function untilComplained(stage: Stage, { kind, metadata: { name } }: Manifest): Promise<string | undefined> {
  const { status } = await stage.scene.plane.admin.get<Reported>(RESOURCE[kind], at(stage, name));
  const told = status?.conditions?.some((each) => each.type !== 'Programmed' && each.status === 'False') ?? false;
  return told ? undefined : `${kind} ${name} says nothing of its fault: ${JSON.stringify(status)}`;
}

async function apply(stage: Stage, { kind, metadata, ...rest }: Manifest): Promise<void> {
  const { plane, namespace } = stage.scene;
  const object = { metadata: { ...metadata, namespace }, ...rest };
  await write(stage, () => plane.admin.apply(RESOURCE[kind], object, { fieldManager: FIELD_MANAGER }));
}

const at = ({ scene }: Stage, name: string): { namespace: string; name: string } => ({
  namespace: scene.namespace,
  name,
});

const named = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${prefix}-${i}`);

function object(kind: Kind, name: string, spec: object, labels: Readonly<Record<string, string>> = {}): Manifest {
  return { apiVersion: API_VERSION, kind, metadata: { name, namespace: '', labels }, spec } as Manifest;
}

function secret(name: string, values: Readonly<Record<string, string>>): Manifest {
  const data = Object.fromEntries(
    Object.entries(values).map(([each, value]) => [each, Buffer.from(value).toString('base64')]),
  );
  return { kind: 'Secret', metadata: { name, namespace: '' }, data } as Manifest;
}

/** A Gateway, and the Upstream without which its pod does not become ready. */
const guests = (name: string, baseUrl: string, credential: string): Manifest[] => [
  object('Gateway', name, { publicUrl: 'http://localhost:8080', deployment: { replicas: 1, drainDelay: '1s' } }),
  upstream(name, baseUrl, credential, name),
];

const upstream = (name: string, baseUrl: string, credential: string, gateway = GATEWAY): Manifest =>
  object('Upstream', name, {
    gatewayRef: { name: gateway },
    provider: 'Anthropic',
    baseUrl,
    priority: 90,
    anthropic: { auth: { type: 'APIKey', apiKey: { name: credential, key: 'token' } } },
  });

const policy = (visitor: string): Manifest =>
  object('Policy', visitor, {
    gatewayRef: { name: GATEWAY },
    match: { keySelector: { matchLabels: { visitor } } },
    models: { allow: ['claude-*'] },
  });

const key = (name: string, visitor: string, credential: object, gateway = GATEWAY): Manifest =>
  object(
    'VirtualKey',
    name,
    { gatewayRef: { name: gateway }, owner: { type: 'Service', name }, credential },
    { visitor },
  );

const importedFrom = (secretName: string, member: string): object => ({
  type: 'Imported',
  imported: { secretRef: { name: secretName, key: member } },
});

const generatedInto = (secretName: string): object => ({ type: 'Generated', generated: { secretName } });
