// Whom a policy is for: owner, e-mail domain and labels of a key, and headers of a call. Clients write headers freely
// (ANTHROPIC_CUSTOM_HEADERS), so those prove nothing.
import type { IncomingHttpHeaders } from 'node:http';
import type { HeaderMatch, KeyEntry, PolicyEntry } from '#shared/bundle/bundle.ts';

/** The first specific match and the first `everyone`, in the order in which they override each other. */
export function winners(policies: readonly PolicyEntry[], key: KeyEntry, gatewayNamespace: string): PolicyEntry[] {
  const specific = policies.find((policy) => !policy.match.everyone && matches(policy, key, gatewayNamespace));
  const everyone = policies.find(({ match }) => match.everyone);
  return [specific, everyone].filter((policy) => policy !== undefined);
}

/** Whether a policy is for the holder of a key, by everything but headers. */
export function matches({ match, namespace }: PolicyEntry, key: KeyEntry, gatewayNamespace: string): boolean {
  const { type, name } = key.owner;
  // Owner names of other namespaces are qualified; their e-mail domain was written by somebody who need not own it.
  const domain = type === 'User' && key.namespace === gatewayNamespace ? domainOf(name) : undefined;
  if (match.groups !== undefined && !(type === 'Team' && match.groups.includes(name))) return false;
  if (match.users !== undefined && !(type === 'User' && includesName(match.users, name))) return false;
  if (match.emailDomains !== undefined && !(domain !== undefined && match.emailDomains.includes(domain))) return false;
  if (match.keyLabels === undefined) return true;
  // Likewise labels: a tenant must not get into a policy of the platform team by labelling its own key.
  if (key.namespace !== namespace) return false;
  return Object.entries(match.keyLabels).every(([label, value]) => key.labels[label] === value);
}

function domainOf(address: string): string | undefined {
  const at = address.lastIndexOf('@');
  return at < 0 ? undefined : address.slice(at + 1).toLowerCase();
}

/** E-mail addresses are compared without case, as the people who write them do. */
function includesName(names: readonly string[], name: string): boolean {
  return (
    names.includes(name) || (name.includes('@') && names.some((each) => each.toLowerCase() === name.toLowerCase()))
  );
}

/** True when every header is there with one of its values. A header that comes more than once, or as a list, has all of its members. */
export function carries(headers: IncomingHttpHeaders, wanted: readonly HeaderMatch[]): boolean {
  return wanted.every(({ name, values }) => {
    const sent = headers[name];
    if (sent === undefined) return false;
    const text = typeof sent === 'string' ? sent : sent.join(',');
    return values.includes(text) || text.split(',').some((member) => values.includes(member.trim()));
  });
}
