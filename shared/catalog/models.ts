// The shape of models.json: one row per Claude model with its name on every platform. A field that is not known is absent, never guessed.
import { z } from 'zod';

// Lower case throughout, so that a lookup needs one fold of the caller's text and none of ours.
const name = z
  .string()
  .max(128)
  .regex(/^[a-z0-9][a-z0-9.:@-]*$/, 'must be a lower-case model name');

const bedrockName = z
  .string()
  .max(128)
  .regex(/^anthropic\.[a-z0-9][a-z0-9.:-]*$/, 'must be a Bedrock base id such as anthropic.claude-opus-5');

const modelRow = z.strictObject({
  /** The Anthropic API id, dated where Anthropic dates it. */
  id: name,
  /** Undated Anthropic spellings of the same model. */
  aliases: z.array(name).readonly(),
  displayName: z.string().min(1).max(128),
  family: z.enum(['fable', 'mythos', 'opus', 'sonnet', 'haiku']),
  maxInputTokens: z.int().positive().optional(),
  maxOutputTokens: z.int().positive().optional(),
  /** Bedrock foundation-model id, without geo prefix. */
  bedrock: bedrockName.optional(),
  /** Values of `anthropic-version` beyond the first that Bedrock takes for this model; older models answer 400. */
  bedrockVersions: z.array(z.iso.date()).readonly().optional(),
  /** False: Bedrock does not count the tokens of calls to it. */
  bedrockCounts: z.boolean().optional(),
  /** Bedrock Mantle id, where it is not the Bedrock one. */
  mantle: bedrockName.optional(),
  vertex: name.optional(),
  /** False: only in `global` and the multi-regions `us` and `eu`, in no single region. */
  vertexRegional: z.boolean().optional(),
  /** Further names Vertex callers use. */
  vertexAliases: z.array(name).readonly().optional(),
  /** Default name of a Foundry deployment; an account may rename it. */
  foundry: name.optional(),
});

/** One model. Token limits are tokens of one request. */
export type CatalogModel = Readonly<z.infer<typeof modelRow>>;

export type ModelFamily = CatalogModel['family'];

/**
 * @param json parsed JSON of a model table
 * @returns its rows, frozen, in the order of the table
 * @throws {z.ZodError} when a row does not fit, with the place of the fault
 */
export function parseModels(json: unknown): readonly CatalogModel[] {
  return Object.freeze(
    z
      .array(modelRow)
      .min(1)
      .parse(json)
      .map((row) => Object.freeze(row)),
  );
}
