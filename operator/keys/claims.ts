// Who may write a Secret of a name: not a key whose Secret would take the place of an object of a Gateway, and of several keys that name the
// same Secret only one.
import { byAge } from '#shared/compile/precedence.ts';
import type { KubeObject } from '#shared/kube/object.ts';
import type { KeyGateways } from './gateways.ts';
import { isOurs } from './output-secret.ts';
import type { KeyView } from './view.ts';

/** Secrets by `namespace/name`. */
export interface SecretCache {
  get(key: string): KubeObject | undefined;
}

export class Claims {
  /** Who has it, of Secrets that several keys name: hardly ever any. */
  readonly #contested = new Map<string, KeyView>();
  readonly #gateways: KeyGateways;

  constructor(keys: Iterable<{ readonly view: KeyView }>, secrets: SecretCache, gateways: KeyGateways) {
    this.#gateways = gateways;
    const first = new Map<string, KeyView>();
    for (const { view } of keys) {
      const { secret } = view;
      if (secret === undefined) continue;
      const rival = this.#contested.get(secret) ?? first.get(secret);
      if (rival === undefined) first.set(secret, view);
      else this.#contested.set(secret, winner(rival, view, secrets.get(secret)));
    }
  }

  /** Why the key may not write its Secret; undefined when it may. */
  denied({ uid, secret, meta }: KeyView): string | undefined {
    if (secret === undefined) return undefined;
    const holder = this.#contested.size === 0 ? undefined : this.#contested.get(secret);
    const contested = holder !== undefined && holder.uid !== uid;
    if (!contested && !this.#gateways.reserves(secret, meta.namespace)) return undefined;
    const name = secret.slice(meta.namespace.length + 1);
    const why = contested
      ? `VirtualKey ${holder.meta.name} writes Secret ${name} as well`
      : `Secret ${name} is a name the Gateway keeps for itself`;
    return `${why}; set another spec.credential.generated.secretName`;
  }
}

/** Who has the Secret already, else who is older. */
function winner(a: KeyView, b: KeyView, secret: KubeObject | undefined): KeyView {
  if (secret !== undefined) {
    if (isOurs(secret, a.uid)) return a;
    if (isOurs(secret, b.uid)) return b;
  }
  return byAge(a.meta, b.meta) < 0 ? a : b;
}
