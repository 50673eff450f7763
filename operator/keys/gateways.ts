// What keys need to know of their Gateways: the pepper, how values start, the address clients use, whom it admits, and which names of Secrets
// are its own.
import { createHmac } from 'node:crypto';
import type { GatewaySpec } from '#shared/api/gateway.ts';
import { objectKey } from '#shared/api/kinds.ts';
import { parseSpec } from '#shared/api/parse.ts';
import { admits } from '#shared/compile/attach.ts';
import type { KubeObject } from '#shared/kube/object.ts';
import type { SecretText } from '#shared/secret-text.ts';

export interface GatewayFacts {
  /** `namespace/name`. */
  readonly key: string;
  readonly name: string;
  readonly pepper: SecretText;
  readonly pepperId: string;
  /** Start of every value made for it. */
  readonly prefix: string;
  /** Without trailing slash. */
  readonly baseUrl: string;
}

type GatewayObject = KubeObject & { readonly spec?: unknown };

interface Known {
  readonly pepper: string;
  readonly spec: GatewaySpec;
  readonly facts: GatewayFacts;
}

/** What a Gateway gives its own objects as names, after its name and a dash. */
const OWN_NAMES = /^(index|pepper|tombstones.*|(bundle|credentials|keys-\d\d)-[ab])$/;

// The same facts for the same object: plans of single keys are kept as long as nothing they rest on has changed.
const known = new WeakMap<GatewayObject, Known>();

/** Eight hex digits that tell peppers apart and say nothing of them. */
export function pepperId(pepper: SecretText): string {
  return createHmac('sha256', pepper.reveal()).update('portcullis.dev/pepper-id').digest('hex').slice(0, 8);
}

export class KeyGateways {
  readonly #gateways = new Map<string, Known>();
  readonly #namespaces: ReadonlyMap<string, Readonly<Record<string, string>>>;
  /** By namespace of the keys, then by Gateway. */
  readonly #admitted = new Map<string, Map<string, GatewayFacts | undefined>>();
  readonly #homes = new Set<string>();

  /**
   * @param gateways as the cache holds them; one that cannot be read or has no pepper yet is passed over
   * @param namespaces labels by name, for allowedNamespaces selectors
   * @param peppers by Gateway `namespace/name`
   */
  constructor(
    gateways: Iterable<GatewayObject>,
    namespaces: ReadonlyMap<string, Readonly<Record<string, string>>>,
    peppers: ReadonlyMap<string, SecretText>,
  ) {
    this.#namespaces = namespaces;
    for (const gateway of gateways) {
      const key = objectKey(gateway.metadata);
      const pepper = peppers.get(key);
      const read = pepper === undefined ? undefined : readGateway(gateway, key, pepper);
      if (read === undefined) continue;
      this.#gateways.set(key, read);
      this.#homes.add(gateway.metadata.namespace);
    }
  }

  /** The Gateway, if it is there and admits VirtualKeys of the namespace. @param key `namespace/name` */
  for(key: string, namespace: string): GatewayFacts | undefined {
    let answers = this.#admitted.get(namespace);
    if (answers === undefined) this.#admitted.set(namespace, (answers = new Map()));
    if (!answers.has(key)) answers.set(key, this.#ask(key, namespace));
    return answers.get(key);
  }

  /** Whether a Gateway keeps objects of its own under this name. @param secret `namespace/name` */
  reserves(secret: string, namespace: string): boolean {
    if (!this.#homes.has(namespace)) return false;
    for (let dash = secret.indexOf('-', namespace.length); dash >= 0; dash = secret.indexOf('-', dash + 1)) {
      if (OWN_NAMES.test(secret.slice(dash + 1)) && this.#gateways.has(secret.slice(0, dash))) return true;
    }
    return false;
  }

  #ask(key: string, namespace: string): GatewayFacts | undefined {
    const found = this.#gateways.get(key);
    if (found === undefined || key.startsWith(`${namespace}/`)) return found?.facts;
    return admits('VirtualKey', found.spec, namespace, this.#namespaces) ? found.facts : undefined;
  }
}

function readGateway(gateway: GatewayObject, key: string, pepper: SecretText): Known | undefined {
  const before = known.get(gateway);
  if (before?.pepper === pepper.reveal()) return before;
  const parsed = parseSpec('Gateway', gateway.spec);
  if (!parsed.ok) return undefined;
  const spec = parsed.value;
  const facts = {
    key,
    name: gateway.metadata.name,
    pepper,
    pepperId: pepperId(pepper),
    prefix: spec.virtualKeys.prefix,
    baseUrl: spec.publicUrl.replace(/\/+$/, ''),
  };
  const read = { pepper: pepper.reveal(), spec, facts };
  known.set(gateway, read);
  return read;
}
