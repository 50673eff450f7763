// What is known of an Upstream beside its manifest: what the pods say of it, and the age and the end of the Secrets it names.
import { parseDuration } from '#shared/duration.ts';
import { EXPIRES_ANNOTATION } from '#shared/kube/labels.ts';
import type { SecretText } from '#shared/secret-text.ts';
import { credentialLife, type CredentialSecret } from '../status/credential-life.ts';
import type { ProgrammedTracker } from '../status/programmed.ts';
import { upstreamHealth, type Health } from '../status/upstream-health.ts';
import { certificateEnd } from '../world/certificate-end.ts';
import { certificateRefs } from '../world/certificate-refs.ts';
import type { NamedValues } from '../world/named-values.ts';
import { secretRefs } from '../world/secret-refs.ts';
import type { CustomObject, World } from '../world/world.ts';

export interface UpstreamFacts extends Health {
  /** Milliseconds since 1970 at which they change by themselves. */
  readonly wakeAt?: number;
}

/** 90 days, where the Upstream says nothing. */
const MAX_AGE_MS = 2_160 * 3_600_000;

/** Content of Secrets as far as it was read, which only a leader does. */
export type SecretContents = Pick<NamedValues<SecretText>, 'get'>;

/** Remembers what was last found, so that what did not change is the very same object. */
export class UpstreamFactsBook {
  readonly #tracker: ProgrammedTracker;
  readonly #world: World;
  readonly #contents: SecretContents;
  readonly #known = new Map<string, { readonly text: string; readonly facts: UpstreamFacts }>();

  constructor(tracker: ProgrammedTracker, world: World, contents: SecretContents) {
    this.#tracker = tracker;
    this.#world = world;
    this.#contents = contents;
  }

  /**
   * @param key `namespace/name` of the Upstream
   * @param gateway `namespace/name`
   * @param now milliseconds since 1970
   */
  of(object: CustomObject, key: string, gateway: string, now: number): UpstreamFacts {
    const health = upstreamHealth(key, this.#tracker.ready(gateway));
    const life = credentialLife(credentialSecrets(object, this.#world, this.#contents), maxAgeOf(object), now);
    const facts: UpstreamFacts = {
      ...health,
      conditions: [...health.conditions, ...life.conditions],
      fields: { ...health.fields, ...life.fields },
      ...(life.wakeAt === undefined ? {} : { wakeAt: life.wakeAt }),
    };
    const text = JSON.stringify(facts);
    const known = this.#known.get(key);
    if (known?.text === text) return known.facts;
    this.#known.set(key, { text, facts });
    return facts;
  }

  /** Forgets Upstreams that are gone. @param present `namespace/name` */
  keep(present: ReadonlySet<string>): void {
    for (const key of this.#known.keys()) if (!present.has(key)) this.#known.delete(key);
  }
}

/**
 * Secrets that an Upstream names, and the certificates in them. What secures the connection is not asked for its age: certificates say
 * themselves when they end, and whoever puts a Secret there may say it of anything.
 */
export function credentialSecrets(
  object: CustomObject,
  world: Pick<World, 'secrets'>,
  contents: SecretContents,
): CredentialSecret[] {
  const { tls: _, ...spec } = (object.spec ?? {}) as Readonly<Record<string, unknown>>;
  const ageing = new Set(secretRefs({ metadata: object.metadata, spec }));
  const secrets = secretRefs(object).flatMap((name): CredentialSecret[] => {
    const secret = world.secrets.get(name);
    if (secret === undefined) return [];
    return [
      {
        name,
        changedAt: ageing.has(name) ? time(secret.changedAt) : undefined,
        expiresAt: time(secret.metadata.annotations?.[EXPIRES_ANNOTATION]),
      },
    ];
  });
  const certificates = certificateRefs(object).flatMap(({ secret: name, key, role }): CredentialSecret[] => {
    const pem = contents.get(name)?.get(key);
    const expiresAt = pem === undefined ? undefined : certificateEnd(pem);
    return expiresAt === undefined ? [] : [{ name, changedAt: undefined, expiresAt, certificate: { role, key } }];
  });
  return [...secrets, ...certificates];
}

function maxAgeOf({ spec }: CustomObject): number {
  const { maxCredentialAge } = (spec ?? {}) as { maxCredentialAge?: unknown };
  try {
    return typeof maxCredentialAge === 'string' ? parseDuration(maxCredentialAge) : MAX_AGE_MS;
  } catch {
    return MAX_AGE_MS;
  }
}

function time(text: string | undefined): number | undefined {
  const at = Date.parse(text ?? '');
  return Number.isNaN(at) ? undefined : at;
}
