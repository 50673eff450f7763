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
    else parent[last] = value;
  }
  return spec;
}
