// One case of a rule: a spec, and whether it is refused, where and with which words. Built from rows that name only what differs
// from the least spec of the kind.
import type { Kind } from './kinds.ts';

export interface RuleCase {
  readonly title: string;
  readonly kind: Kind;
  readonly spec: Readonly<Record<string, unknown>>;
  /** The stored spec that `spec` replaces; only an API server can judge such a case. */
  readonly old?: Readonly<Record<string, unknown>>;
  /** What is refused and with which words; absent: the spec is good. Without a message the words are the schema's own. */
  readonly refused?: { readonly path: readonly (string | number)[]; readonly message?: string };
}

/** Members by dotted path that differ from the base spec of the kind. */
export type Changes = Readonly<Record<string, unknown>>;

export interface Row {
  readonly kind: Kind;
  /** Where the fault is reported. */
  readonly path: readonly (string | number)[];
  readonly message?: string;
  readonly good: readonly Changes[];
  readonly bad: readonly Changes[];
}

const gatewayRef = { name: 'claude' };

/** The least that each kind needs. */
export const BASE_SPECS: Readonly<Record<Kind, Readonly<Record<string, unknown>>>> = {
  Gateway: { publicUrl: 'https://claude.corp.internal' },
  Upstream: {
    gatewayRef,
    provider: 'Anthropic',
    anthropic: { auth: { type: 'APIKey', apiKey: { name: 'anthropic', key: 'token' } } },
  },
  Policy: { gatewayRef, match: { everyone: {} } },
  VirtualKey: {
    gatewayRef,
    owner: { type: 'Service', name: 'ci' },
    credential: { type: 'Generated', generated: { secretName: 'ci-claude-key' } },
  },
};

export function row(
  kind: Kind,
  path: readonly (string | number)[],
  message: string | undefined,
  good: readonly Changes[],
  bad: readonly Changes[],
): Row {
  return { kind, path, ...(message === undefined ? {} : { message }), good, bad };
}

/** A member whose own value is what the rule is about. */
export function values(kind: Kind, at: string, message: string | undefined, good: unknown[], bad: unknown[]): Row {
  const changes = (value: unknown): Changes => ({ [at]: value });
  return row(kind, at.split('.'), message, good.map(changes), bad.map(changes));
}

/** A list of which one entry is what the rule is about. */
export function entries(kind: Kind, at: string, message: string | undefined, good: unknown[], bad: unknown[]): Row {
  const changes = (value: unknown): Changes => ({ [at]: [value] });
  return row(kind, [...at.split('.'), 0], message, good.map(changes), bad.map(changes));
}

/** A duration or size with the values just inside and outside of its bounds. */
export const bounds = (kind: Kind, at: string, [below, min, max, above]: [string | null, string, string, string]) =>
  values(kind, at, `must be between ${min} and ${max}`, [min, max], below === null ? [above] : [below, above]);

/** A list of networks. */
export const networks = (kind: Kind, at: string) =>
  entries(
    kind,
    at,
    'must be a network in CIDR form, such as 10.0.0.0/8',
    ['10.0.0.0/8', '192.0.2.7/32', 'fd00::/8', '0.0.0.0/0'],
    [
      '10.0.0.0',
      '10.0.0.0/33',
      '10.0.0/8',
      '010.0.0.0/8',
      '10.0.0.0/08',
      'fe80::1%eth0/64',
      '::ffff:10.0.0.0/104',
      'corp/8',
    ],
  );

/** A map of labels, whose names the schema cannot bound. */
export const labelNames = (kind: Kind, at: string, others: Changes = {}, what = 'a label') =>
  row(
    kind,
    at.split('.'),
    `must not have ${what} name of more than 317 characters`,
    [{ ...others, [at]: { team: 'build' } }],
    [{ ...others, [at]: { ['x'.repeat(318)]: 'build' } }],
  );

/** One case for every good and every bad value. */
export function cases(rows: readonly Row[]): RuleCase[] {
  return rows.flatMap(({ kind, path, message, good, bad }) => {
    const place = [kind, ...path].join('.');
    const refused = { path, ...(message === undefined ? {} : { message }) };
    return [
      ...good.map((changes) => ({ title: `${place} takes ${shown(changes)}`, kind, spec: changed(kind, changes) })),
      ...bad.map((changes) => ({
        title: `${place} refuses ${shown(changes)}`,
        kind,
        spec: changed(kind, changes),
        refused,
      })),
    ];
  });
}

const shown = (changes: Changes) =>
  JSON.stringify(changes, (_, value: unknown) => (value === undefined ? 'nothing' : value)).slice(0, 120);

/** The base spec of a kind with other members; undefined takes one away. */
export function changed(kind: Kind, changes: Changes): Record<string, unknown> {
  const spec = structuredClone(BASE_SPECS[kind]) as Record<string, unknown>;
  for (const [path, value] of Object.entries(changes)) {
    const members = path.split('.');
    const last = members.pop() ?? '';
    let parent = spec;
    for (const member of members) parent = (parent[member] ??= {}) as Record<string, unknown>;
    if (value === undefined) delete parent[last];
    else parent[last] = structuredClone(value);
  }
  return spec;
}
