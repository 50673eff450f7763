// Which changes of the caches ask for a pass, and of what extent. Our own writing must not: a status written is no news, a Lease renewed neither.
import { GATEWAY_LABEL, PREVIOUS_SECRET_ANNOTATION, ROLE_LABEL } from '#shared/kube/labels.ts';
import type { KubeObject } from '#shared/kube/object.ts';
import type { KeyMinter } from '../keys/mint.ts';
import type { Publisher } from '../publish/publisher.ts';
import type { ProgrammedTracker } from '../status/programmed.ts';
import { catalogRef } from '../world/catalog-refs.ts';
import { secretRefs } from '../world/secret-refs.ts';
import type { Change, Watched } from '../world/watched.ts';
import { matters, type CustomObject, type World } from '../world/world.ts';
import type { Loop } from './loop.ts';

export interface TriggerOptions {
  readonly world: World;
  readonly tracker: ProgrammedTracker;
  readonly publisher: Pick<Publisher, 'notice'>;
  readonly minter: Pick<KeyMinter, 'secretChanged'>;
  readonly loop: Pick<Loop, 'request' | 'wakeAt'>;
  /** Told of an object of which nothing but the status changed. */
  readonly statusChanged: (object: CustomObject) => void;
  /** Milliseconds of the loop's clock. */
  readonly now: () => number;
}

/** Role of the Secrets that hold values of keys. */
const ROLE_OF_KEYS = 'virtual-key';
/** Use of an old secret is told this much later: pods report it every few seconds, and a status may lag. */
const PREVIOUS_USE_DELAY_MS = 15_000;

const NONE: readonly string[] = [];

/** Listens from now on, and tells the tracker of the pods and Leases that are there already. */
export function listenForChanges({
  world,
  tracker,
  publisher,
  minter,
  loop,
  now,
  statusChanged,
}: TriggerOptions): void {
  const all = (): void => loop.request('all');
  const settle = (): void => loop.request('settle');

  for (const watched of Object.values(world.kinds)) {
    watched.onChange((change) => {
      if (matters(change)) all();
      else if (change.after !== undefined) statusChanged(change.after);
    });
  }
  world.namespaces?.onChange((change) => !sameLabels(change) && all());

  const named = namedBy(world, secretRefs);
  world.secrets.onChange((change) => {
    minter.secretChanged(change.before, change.after);
    const { name, namespace, labels } = (change.after ?? change.before!).metadata;
    if (labels?.[ROLE_LABEL] === ROLE_OF_KEYS || named(`${namespace}/${name}`)) all();
    else noticed(change);
  });
  const isCatalog = namedBy(world, (object) => {
    const name = catalogRef(object);
    return name === undefined ? NONE : [name];
  });
  world.configMaps.onChange((change) => {
    const { name, namespace } = (change.after ?? change.before!).metadata;
    if (isCatalog(`${namespace}/${name}`)) all();
    else noticed(change);
  });
  for (const watched of [world.deployments, ...world.children.values()] as Watched<KubeObject>[])
    watched.onChange(settle);

  for (const pod of world.pods.values()) tracker.observePod(pod);
  for (const lease of world.leases.values()) tracker.observeLease(lease);
  world.pods.onChange(({ before, after }) => {
    const news = after === undefined ? tracker.forgetPod(before!.metadata) : tracker.observePod(after);
    // Their Role may name them.
    if (news || before === undefined || after === undefined) settle();
  });
  world.leases.onChange(({ before, after }) => {
    if (after === undefined ? tracker.forgetLease(before!.metadata) : tracker.observeLease(after)) settle();
    const [was, is] = [before, after].map((lease) => lease?.metadata.annotations?.[PREVIOUS_SECRET_ANNOTATION]);
    if (is !== undefined && is !== was) loop.wakeAt(now() + PREVIOUS_USE_DELAY_MS);
  });

  /** A published object that is not as we left it is written again. */
  function noticed({ before, after }: Change<KubeObject>): void {
    const { metadata } = (after ?? before)!;
    const gateway = metadata.labels?.[GATEWAY_LABEL];
    if (gateway === undefined) return;
    if (publisher.notice(`${metadata.namespace}/${gateway}`, metadata, after === undefined)) all();
  }
}

/**
 * Whether some custom resource names an object: counted as resources come and go, because asking all of them for each change would not do.
 * @param refs what a resource names, `namespace/name`
 */
function namedBy(world: World, refs: (object: KubeObject) => readonly string[]): (name: string) => boolean {
  const counts = new Map<string, number>();
  const count = (object: KubeObject | undefined, step: 1 | -1): void => {
    for (const name of object === undefined ? NONE : refs(object)) {
      const next = (counts.get(name) ?? 0) + step;
      if (next > 0) counts.set(name, next);
      else counts.delete(name);
    }
  };
  for (const object of world.objects()) count(object, 1);
  for (const watched of Object.values(world.kinds)) {
    watched.onChange(({ before, after }) => {
      count(before, -1);
      count(after, 1);
    });
  }
  return (name) => counts.has(name);
}

function sameLabels({ before, after }: Change<KubeObject>): boolean {
  if (before === undefined || after === undefined) return false;
  return JSON.stringify(before.metadata.labels) === JSON.stringify(after.metadata.labels);
}
