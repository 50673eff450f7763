// What an upstream can do, where that differs from what the catalog says of its family: betas, counting, the long prompt cache.
import { z } from 'zod';
import { listSet } from './scalars.ts';
import { withRules } from './rules.ts';

const MAX_NAME = 128;

const betaName = z
  .string()
  .min(1)
  .max(MAX_NAME)
  .regex(/^[A-Za-z0-9][-._A-Za-z0-9]*$/, 'must be the name of a beta')
  .describe('Name to send.');

const betaPattern = z
  .string()
  .min(1)
  .max(MAX_NAME)
  .regex(/^([A-Za-z0-9][-._A-Za-z0-9]*[*]?|[*])$/, 'must be the name of a beta, or its beginning and *')
  .describe('Name of a beta, or its beginning and *.');

/** The platform team's word on single betas. */
export const betas = z
  .strictObject({
    allow: listSet(betaPattern, 64, 'Sent as they are, whatever the catalog says of the provider.').optional(),
    deny: listSet(
      betaPattern,
      64,
      'Never sent, and neither are their body fields. Wins over rename and allow.',
    ).optional(),
    rename: withRules(
      z
        .record(z.string(), betaName)
        .refine((map) => Object.keys(map).length <= 16, { message: 'must have at most 16 entries' })
        .meta({
          description: 'Name of a beta, or its beginning and *, to the name to send instead.',
          maxProperties: 16,
        }),
      [
        // A CRD cannot bound the keys of a map by schema.
        {
          cel: `self.all(key, size(key) <= ${MAX_NAME})`,
          holds: (self) => Object.keys(self).every((key) => key.length <= MAX_NAME),
          message: `must not have a name of more than ${MAX_NAME} characters`,
        },
      ],
    ).optional(),
  })
  .describe('Betas sent, dropped or renamed other than the catalog says. What the client asks for is never added to.');

export const capabilities = z
  .strictObject({
    countTokens: z
      .boolean()
      .default(true)
      .describe('Whether token counting is offered. Off: counts go elsewhere or are answered 404.'),
    extendedCacheTtl: z
      .boolean()
      .default(true)
      .describe('Whether the 1-hour prompt cache is offered. Off: calls that ask for it get the 5-minute cache.'),
    betas: betas.optional(),
  })
  .describe('What this upstream can do.')
  .prefault({});
