// Unions as this API writes them: a member that says which kind it is (`type`, `provider`) and one object named after that kind.
import type { Rule } from './rules.ts';

type Fields = Readonly<Record<string, unknown>>;

/**
 * Exactly the member that the discriminator names is set.
 * @param discriminator `type` or `provider`
 * @param members by kind the member that holds its settings; undefined for a kind without settings
 */
export function exactMember(
  discriminator: 'type' | 'provider',
  members: Readonly<Record<string, string | undefined>>,
): Rule<Fields> {
  const pairs = Object.entries(members).filter((pair): pair is [string, string] => pair[1] !== undefined);
  const named = discriminator === 'type' ? 'named by type' : 'named after the provider';
  const list = Object.entries(members).map(([kind, member]) => `${member ?? 'none'} for ${kind}`);
  return {
    cel: pairs.map(([kind, member]) => `(self.${discriminator} == '${kind}') == has(self.${member})`).join(' && '),
    holds: (self) => pairs.every(([kind, member]) => (self[discriminator] === kind) === (self[member] !== undefined)),
    message: `exactly the member ${named} must be set: ${list.join(', ')}`,
  };
}

/** A second value, for the overlap while the first is rotated, exists only of credentials that are a single value. */
export function standbyOf(...kinds: readonly string[]): Rule<Fields> {
  return {
    cel: `!has(self.standby) || self.type in [${kinds.map((kind) => `'${kind}'`).join(', ')}]`,
    holds: ({ standby, type }) => standby === undefined || kinds.includes(String(type)),
    message: `standby is a second value for type ${kinds.join(' or ')}; no other type has one`,
    field: 'standby',
  };
}
