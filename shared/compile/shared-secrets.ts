// One Secret behind upstreams of different environments: a test that leaks it, or uses up its quota, takes production along.
import { objectKey } from '#shared/api/kinds.ts';
import { secretNames } from '#shared/api/secret-names.ts';
import type { Subject } from './subject.ts';

interface Use {
  readonly upstream: Subject<'Upstream'>;
  readonly gateway: string;
  readonly environment: string;
}

/**
 * Warns upstreams of a Secret that upstreams of another environment name too. A Gateway without environment is of none.
 * @param attached upstreams by Gateway `namespace/name`
 */
export function warnOfSharedSecrets(
  gateways: ReadonlyMap<string, Subject<'Gateway'>>,
  attached: ReadonlyMap<string, readonly Subject<'Upstream'>[]>,
): void {
  const uses = new Map<string, Use[]>();
  for (const [gateway, upstreams] of attached) {
    const environment = gateways.get(gateway)?.resource.spec.environment;
    if (environment === undefined) continue;
    for (const upstream of upstreams) {
      const { metadata, spec } = upstream.resource;
      for (const name of secretNames(spec)) {
        const secret = `${metadata.namespace}/${name}`;
        uses.set(secret, [...(uses.get(secret) ?? []), { upstream, gateway, environment }]);
      }
    }
  }
  for (const [secret, users] of uses) {
    for (const { upstream, environment } of users) {
      // The first by name, so that the order in which objects arrive changes nothing.
      const [other] = users.filter((user) => user.environment !== environment).sort(byUpstream);
      if (other === undefined) continue;
      upstream.report.warn(
        `Secret ${secret.slice(secret.indexOf('/') + 1)} is used in environment ${other.environment} too, by Upstream ${other.upstream.resource.metadata.name}; give each environment a credential of its own`,
      );
    }
  }
}

function byUpstream(a: Use, b: Use): number {
  const [one, two] = [a, b].map(({ upstream }) => objectKey(upstream.resource.metadata));
  return one! < two! ? -1 : 1;
}
