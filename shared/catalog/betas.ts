// Which `anthropic-beta` values each provider family takes, under which name, and which body fields go with a beta that does
// not. Half a pair is a hard 400 at the provider, so a beta that is dropped takes its fields along. The table is betas.json,
// and a platform team may lay its own over it; what one call makes of it is in beta-decision.ts.
//
// Where public lists disagree with what Claude Code sends to a cloud by itself, the client's own traffic counts.
import { z } from 'zod';
import betaRows from './betas.json' with { type: 'json' };
import { BetaIndex } from './beta-index.ts';
import { parseBodyPath } from './body-path.ts';
import { PROVIDER_FAMILIES, type ProviderFamily } from './families.ts';

const name = z
  .string()
  .max(128)
  .regex(/^[a-z0-9][a-z0-9_.-]*$/, 'must be the name of a beta');

/** A name, or the beginning of one with `*` behind it. */
const pattern = z
  .string()
  .max(128)
  .regex(/^[a-z0-9][a-z0-9_.-]*\*?$/, 'must be the name of a beta, or the beginning of one with * behind it');

const path = z
  .string()
  .max(256)
  .refine((text) => {
    try {
      return parseBodyPath(text).length > 0;
    } catch {
      return false;
    }
  }, 'must be a body path such as tools[].strict');

const outcome = z.union([z.enum(['keep', 'drop']), z.strictObject({ rename: name })]);
const familyName = z.enum(PROVIDER_FAMILIES);

const betaRow = z.strictObject({
  beta: pattern,
  /** A family left out does with the beta what it does with one it does not know. */
  families: z.partialRecord(familyName, outcome).readonly(),
});

const fieldRow = z
  .strictObject({
    path,
    /** Any of these lets the field through. It goes when one of them was asked for and none is left. */
    betas: z.array(pattern).max(16).readonly(),
    /** `refuse` where leaving the field out would do something else than asked, unseen. */
    otherwise: z.enum(['remove', 'refuse']).default('remove'),
  })
  .refine((row) => row.otherwise === 'remove' || !row.path.endsWith('*]'), 'items of a type can only be removed');

const uniqueBy = <Row>(key: (row: Row) => string) =>
  [(rows: readonly Row[]) => new Set(rows.map(key)).size === rows.length, 'an entry stands there twice'] as const;

const betaList = z
  .array(betaRow)
  .max(512)
  .refine(...uniqueBy<z.output<typeof betaRow>>(({ beta }) => beta));
const fieldList = z
  .array(fieldRow)
  .max(256)
  .refine(...uniqueBy<z.output<typeof fieldRow>>((row) => row.path));
const fallback = z.enum(['keep', 'drop']);
const paths = z.array(path).max(64).readonly();

const betaTable = z
  .strictObject({
    /** What becomes of a beta that no row names. */
    unknown: z.record(familyName, fallback).readonly(),
    betas: betaList.readonly(),
    fields: fieldList.readonly(),
    /** Fields a family never takes, with or without a beta. */
    without: z.partialRecord(familyName, paths).readonly(),
    /** Where a body asks for the 1-hour prompt cache; without them it is the 5-minute one. */
    extendedCacheTtl: paths.default([]),
  })
  .superRefine((table, context) => {
    for (const fault of renameFaults(table)) context.addIssue({ code: 'custom', message: fault });
  });

const betaOverlay = z.strictObject({
  unknown: z.partialRecord(familyName, fallback).default({}),
  betas: betaList.default([]),
  fields: fieldList.default([]),
  without: z.partialRecord(familyName, paths).default({}),
  extendedCacheTtl: paths.optional(),
});

export type BetaTable = Readonly<z.output<typeof betaTable>>;
export type BetaOutcome = z.output<typeof outcome>;

/** @throws {z.ZodError} when the table does not fit, with the place of the fault */
export function parseBetaTable(json: unknown): BetaTable {
  return Object.freeze(betaTable.parse(json));
}

/**
 * Lays a platform team's table over another. It has the same shape, every part may be left out, and it wins entry by entry: a
 * beta row family by family, a field row by its path, `unknown` and `without` by family. A field row without betas is one
 * that is never removed.
 *
 * @param overlay parsed JSON
 * @throws {z.ZodError} when the overlay, or what comes out, does not fit; keep what was in force before
 */
export function mergeBetas(base: BetaTable, overlay: unknown): BetaTable {
  const over = betaOverlay.parse(overlay);
  const betas = new Map(base.betas.map((row) => [row.beta, row]));
  for (const row of over.betas) {
    betas.set(row.beta, { beta: row.beta, families: { ...betas.get(row.beta)?.families, ...row.families } });
  }
  const fields = new Map([...base.fields, ...over.fields].map((row) => [row.path, row]));
  return parseBetaTable({
    unknown: { ...base.unknown, ...over.unknown },
    betas: [...betas.values()],
    fields: [...fields.values()],
    without: { ...base.without, ...over.without },
    extendedCacheTtl: over.extendedCacheTtl ?? base.extendedCacheTtl,
  });
}

/**
 * Prepares looking betas up for one family: the row of the name, else the row with the longest beginning of it, else what
 * holds for unknown ones.
 */
export function outcomesFor(
  family: ProviderFamily,
  table: Pick<BetaTable, 'betas' | 'unknown'>,
): (beta: string) => BetaOutcome {
  const rows = new BetaIndex(table.betas.map((row) => [row.beta, row.families] as const));
  return (beta) => rows.closest(beta)?.[family] ?? table.unknown[family];
}

/** A name that a family itself does not take would be a rename into a 400. */
function renameFaults(table: Pick<BetaTable, 'betas' | 'unknown'>): string[] {
  return PROVIDER_FAMILIES.flatMap((family) => {
    const outcomeOf = outcomesFor(family, table);
    return table.betas.flatMap(({ beta, families }) => {
      const to = families[family];
      if (typeof to !== 'object' || outcomeOf(to.rename) === 'keep') return [];
      return [`${beta} is renamed to ${to.rename}, which ${family} does not take`];
    });
  });
}

/** The table that ships with the gateway. */
export const builtinBetas: BetaTable = parseBetaTable(betaRows);
