// The provider families that serve Claude, and what of a Messages call they want told apart: families.json holds the figures.
// A family is what an upstream speaks, whoever runs it; which betas and body fields it takes is in betas.json.
import { z } from 'zod';
import familyRows from './families.json' with { type: 'json' };

/** Named like `Upstream.spec.provider`. */
export const PROVIDER_FAMILIES = [
  'Anthropic',
  'AnthropicCompatible',
  'Bedrock',
  'BedrockMantle',
  'ClaudePlatformAWS',
  'Foundry',
  'Vertex',
] as const;

export type ProviderFamily = (typeof PROVIDER_FAMILIES)[number];

const family = z.strictObject({
  /** Where model, stream, betas and version stand: all as in the Messages API, or as InvokeModel or rawPredict have them. */
  format: z.enum(['Messages', 'Bedrock', 'Vertex']),
  /** `anthropic-version` when the client names none; with Bedrock and Vertex the dialect string in the body. */
  version: z.string().min(1).max(64).optional(),
  /** The family takes a later `anthropic-version` only for models that say so (`bedrockVersions` in models.json). */
  versionsByModel: z.boolean().default(false),
  /** Betas that go along when tokens are counted, and no others; absent: the same as with messages. */
  countBetas: z.array(z.string().min(1)).readonly().optional(),
  /** Bytes of the largest body taken. Read as binary megabytes: a body between the two readings is for the provider to judge. */
  maxBodyBytes: z.int().positive().optional(),
});

export type FamilyFacts = Readonly<z.output<typeof family>>;
export type BodyFormat = FamilyFacts['format'];

/** What each family wants, frozen. */
export const familyFacts: Readonly<Record<ProviderFamily, FamilyFacts>> = Object.freeze(
  z.record(z.enum(PROVIDER_FAMILIES), family).parse(familyRows),
);
