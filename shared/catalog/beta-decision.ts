// What one call's betas become at one upstream: kept, renamed or dropped, and which body fields go along.
import type { ProviderFamily } from './families.ts';
import { BetaIndex } from './beta-index.ts';
import { outcomesFor, type BetaTable } from './betas.ts';

/** A platform team's word on single betas, for an upstream or for a model on it. Names may end in `*`. */
export interface BetaOverrides {
  /** Sent as they are, whatever the table says. */
  readonly allow?: readonly string[];
  /** Never sent; wins over `rename`, and that over `allow`. */
  readonly deny?: readonly string[];
  /** Name or beginning, to the name to send. The new name is sent as it is. */
  readonly rename?: Readonly<Record<string, string>>;
}

export interface BetaDecision {
  /** What to send, in the order asked, without repetition. */
  readonly betas: readonly string[];
  /** Every beta asked for is sent under its own name: a header can stay as the client wrote it. */
  readonly unchanged: boolean;
  /** Betas asked for that are not sent under any name. */
  readonly dropped: readonly string[];
  /** The same object for the same sets, so that work on it can be kept. */
  readonly fields: FieldDecision;
}

/** Paths into the body, see body-path.ts. */
export interface FieldDecision {
  readonly removed: readonly string[];
  /** Fields that must not be there, because leaving them out would do something else than asked, unseen. */
  readonly refused: readonly string[];
}

export type BetaDecider = (asked: readonly string[]) => BetaDecision;

/** Callers choose their betas, so what is remembered of them is bounded. Claude Code sends a dozen combinations. */
const REMEMBERED = 256;
/** A longer list of betas, in characters, is worked out anew each time. */
const LONGEST_REMEMBERED = 1024;

/**
 * Prepares the decisions for one upstream, or one model on it. Build it when configuration loads: it remembers its answers.
 *
 * @param overrides first come, first served: those of the model before those of the upstream
 * @param without paths that this upstream does not take beyond those of its family
 */
export function betaDecider(
  table: BetaTable,
  family: ProviderFamily,
  overrides: readonly BetaOverrides[] = [],
  without: readonly string[] = [],
): BetaDecider {
  const decide = decisionsBy(table, family, overrides, without);
  const decisions = new Map<string, BetaDecision>();
  const fieldDecisions = new Map<string, FieldDecision>();
  const shared = (fields: FieldDecision): FieldDecision => {
    const key = `${fields.removed.join(' ')}|${fields.refused.join(' ')}`;
    const known = fieldDecisions.get(key) ?? fields;
    if (fieldDecisions.size < REMEMBERED) fieldDecisions.set(key, known);
    return known;
  };
  return (asked) => {
    const key = asked.join(',');
    const known = decisions.get(key);
    if (known !== undefined) return known;
    const decision = decide(asked);
    const frozen = Object.freeze({ ...decision, fields: shared(decision.fields) });
    if (decisions.size >= REMEMBERED) decisions.clear();
    if (key.length <= LONGEST_REMEMBERED) decisions.set(key, frozen);
    return frozen;
  };
}

/** The names in an `anthropic-beta` header, which is a list split at commas; empty for an absent header. */
export function splitBetas(header: string | undefined): readonly string[] {
  if (header === undefined) return [];
  return header
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

function decisionsBy(
  table: BetaTable,
  family: ProviderFamily,
  overrides: readonly BetaOverrides[],
  without: readonly string[],
): BetaDecider {
  const nameFor = namesBy(table, family, overrides);
  const fieldsOf = new BetaIndex(table.fields.flatMap((field) => field.betas.map((beta) => [beta, field] as const)));
  const never = [...(table.without[family] ?? []), ...without];
  return (asked) => {
    const names = new Map(asked.map((beta) => [beta, nameFor(beta)]));
    const betas = [...new Set([...names.values()].filter((name) => name !== undefined))];
    const wanted = new Set(asked.flatMap((beta) => fieldsOf.all(beta)));
    const allowed = new Set(betas.flatMap((beta) => fieldsOf.all(beta)));
    const lost = table.fields.filter((field) => wanted.has(field) && !allowed.has(field));
    const pathsTo = (otherwise: 'remove' | 'refuse') =>
      lost.filter((field) => field.otherwise === otherwise).map(({ path }) => path);
    return {
      betas: Object.freeze(betas),
      unchanged: asked.every((beta) => names.get(beta) === beta),
      dropped: Object.freeze([...names.keys()].filter((beta) => names.get(beta) === undefined)),
      fields: Object.freeze({
        removed: Object.freeze([...new Set([...never, ...pathsTo('remove')])]),
        refused: Object.freeze(pathsTo('refuse')),
      }),
    };
  };
}

/** The name to send a beta under, or undefined to drop it. */
function namesBy(
  table: BetaTable,
  family: ProviderFamily,
  overrides: readonly BetaOverrides[],
): (beta: string) => string | undefined {
  const outcomeOf = outcomesFor(family, table);
  const layers = overrides.map(({ allow = [], deny = [], rename = {} }) => ({
    allow: new BetaIndex(allow.map((beta) => [beta, true] as const)),
    deny: new BetaIndex(deny.map((beta) => [beta, true] as const)),
    rename: new BetaIndex(Object.entries(rename)),
  }));
  return (beta) => {
    for (const { allow, deny, rename } of layers) {
      if (deny.closest(beta) === true) return undefined;
      const renamed = rename.closest(beta);
      if (renamed !== undefined) return renamed;
      if (allow.closest(beta) === true) return beta;
    }
    const outcome = outcomeOf(beta);
    if (outcome === 'drop') return undefined;
    return outcome === 'keep' ? beta : outcome.rename;
  };
}
