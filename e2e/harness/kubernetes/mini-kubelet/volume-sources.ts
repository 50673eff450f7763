// What volumes are filled from: Secrets and ConfigMaps as they are now, tokens of a pod's own account. Lists are asked for once per look,
// however many objects the volumes of a pod name.
import { RESOURCE } from '#shared/kube/object.ts';
import type { ConfigMap, Pod, Secret } from '#shared/kube/types.ts';
import type { ControlPlane } from '../control-plane.ts';

type Contents = ReadonlyMap<string, Buffer>;

interface Token {
  readonly value: Buffer;
  /** Milliseconds of the monotonic clock. */
  readonly renewAt: number;
}

/** kubelet asks for a new one when less than a fifth of its time is left. */
const TOKEN_SHARE = 0.8;
const DEFAULT_TOKEN_SECONDS = 3_600;

export class VolumeSources {
  readonly #plane: ControlPlane;
  readonly #lists = new Map<string, Promise<ReadonlyMap<string, Contents>>>();
  readonly #tokens = new Map<string, Token>();

  constructor(plane: ControlPlane) {
    this.#plane = plane;
  }

  /** The next question is asked to the server again. */
  forget(): void {
    this.#lists.clear();
  }

  /** @returns contents by data key; undefined when there is no such object */
  async contents(kind: 'Secret' | 'ConfigMap', namespace: string, name: string): Promise<Contents | undefined> {
    const id = `${kind} ${namespace}`;
    const known = this.#lists.get(id) ?? this.#list(kind, namespace);
    this.#lists.set(id, known);
    return (await known).get(name);
  }

  /** A token that is worth nothing once the pod is gone. */
  async token(pod: Pod, audience: string | undefined, seconds = DEFAULT_TOKEN_SECONDS): Promise<Buffer> {
    const { namespace, name, uid } = pod.metadata;
    const id = `${uid} ${audience ?? ''}`;
    const known = this.#tokens.get(id);
    if (known !== undefined && performance.now() < known.renewAt) return known.value;
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${pod.spec?.serviceAccountName ?? 'default'}/token`;
    const { status } = (await this.#plane.raw.send('POST', path, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {
        audiences: audience === undefined ? [] : [audience],
        expirationSeconds: seconds,
        boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
      },
    })) as { status: { token: string } };
    const token = { value: Buffer.from(status.token), renewAt: performance.now() + seconds * 1_000 * TOKEN_SHARE };
    this.#tokens.set(id, token);
    return token.value;
  }

  async #list(kind: 'Secret' | 'ConfigMap', namespace: string): Promise<ReadonlyMap<string, Contents>> {
    const { items } = await this.#plane.admin.list<Secret & ConfigMap>(RESOURCE[kind], { namespace }, {});
    return new Map(items.map((item) => [item.metadata.name, kind === 'Secret' ? ofSecret(item) : ofConfigMap(item)]));
  }
}

function ofSecret({ data }: Secret): Contents {
  return new Map(decoded(data));
}

function ofConfigMap({ data = {}, binaryData }: ConfigMap): Contents {
  const text = Object.entries(data).map(([key, value]) => [key, Buffer.from(value)] as const);
  return new Map([...text, ...decoded(binaryData)]);
}

function decoded(data: Readonly<Record<string, string>> = {}): (readonly [string, Buffer])[] {
  return Object.entries(data).map(([key, base64]) => [key, Buffer.from(base64, 'base64')]);
}
