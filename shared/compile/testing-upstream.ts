// Test support: one Upstream of a provider with other members, and what is made of it.
import { PROVIDER_SPECS } from '#shared/api/provider-case.ts';
import { changed } from '#shared/api/rule-case.ts';
import type { ProviderFamily } from '#shared/catalog/families.ts';
import { compile } from './compile.ts';
import { condition, gateway, golden, inputOf, object, statusOf } from './testing.ts';

export const gatewayRef = { name: 'gw', namespace: 'p' };

/** One upstream of a family with other members, as it is compiled. */
export function compiled(family: ProviderFamily, changes: object = {}, namespace = 'p') {
  const spec = changed('Upstream', { ...PROVIDER_SPECS[family], ...changes, gatewayRef });
  const output = compile(
    inputOf(
      [gateway({ allowedNamespaces: { upstreams: { from: 'All' } } }), object('Upstream', `${namespace}/up`, spec)],
      {
        [`${namespace}/s`]: { k: 'value-of-the-secret' },
        [`${namespace}/anthropic`]: { token: 'sk-ant-v' },
      },
    ),
  );
  const result = output.gateways.get('p/gw');
  const [entry] = result?.bundle.upstreams ?? [];
  const status = statusOf(output, 'Upstream', `${namespace}/up`);
  return {
    entry,
    status,
    accepted: condition(output, 'Upstream', `${namespace}/up`, 'Accepted'),
    credentials: result?.credentials,
  };
}

/** An upstream of the golden case that has one of each kind. */
export const entryOf = (name: string) =>
  compile(golden('providers'))
    .gateways.get('default/claude')!
    .bundle.upstreams.find((entry) => entry.name === name)!;
