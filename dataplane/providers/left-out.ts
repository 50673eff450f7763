// The operator may be a release ahead of a pod, and its bundle then name what the pod cannot do. One upstream of an unknown kind must not
// keep the pod from everything else that the bundle says: it is left out, as if it did not exist, and reported.
import type { UpstreamEntry } from '#shared/bundle/bundle.ts';
import type { CredentialConfig } from '#shared/bundle/credential-config.ts';
import { isKnownFamily } from './families.ts';

/** An upstream that is not called, and why. */
export interface LeftOut {
  /** `namespace/name`. */
  readonly upstream: string;
  /** What is not known: `provider Bedrock`. */
  readonly unknown: string;
}

type IdentityOf<Config> = Config extends { readonly identity: { readonly type: infer Name extends string } }
  ? Name
  : never;

/** Every type of credential, with the identities it has. */
const CREDENTIALS: {
  readonly [Config in CredentialConfig as Config['type']]: Readonly<Record<IdentityOf<Config>, true>>;
} = {
  Headers: {},
  Fixed: {},
  AWS: { Default: true, AccessKey: true, WebIdentity: true },
  Google: { Default: true, ServiceAccountKey: true, WorkloadIdentity: true },
  Entra: { WorkloadIdentity: true, ManagedIdentity: true },
  AnthropicFederation: {},
};

/** Parts the upstreams of a bundle in those that this release can call and the others, both in their order. */
export function sortUpstreams(entries: readonly UpstreamEntry[]): {
  readonly known: readonly UpstreamEntry[];
  readonly leftOut: readonly LeftOut[];
} {
  const leftOut = entries.flatMap((entry): LeftOut[] => {
    const unknown = unknownOf(entry);
    return unknown === undefined ? [] : [{ upstream: entry.key, unknown }];
  });
  if (leftOut.length === 0) return { known: entries, leftOut };
  const keys = new Set(leftOut.map(({ upstream }) => upstream));
  return { known: entries.filter(({ key }) => !keys.has(key)), leftOut };
}

function unknownOf({ provider, credential }: UpstreamEntry): string | undefined {
  if (!isKnownFamily(provider)) return `provider ${String(provider)}`;
  const { type } = credential;
  if (!Object.hasOwn(CREDENTIALS, type)) return `credential ${type}`;
  if (!('identity' in credential) || Object.hasOwn(CREDENTIALS[type], credential.identity.type)) return undefined;
  return `credential ${type} ${credential.identity.type}`;
}
