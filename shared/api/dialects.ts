// What clients speak to a Gateway, and the paths it may be reached behind.
import { z } from 'zod';
import { listSet } from './scalars.ts';
import { withRules } from './rules.ts';

export const dialects = listSet(
  z.enum(['Anthropic', 'Bedrock', 'Vertex', 'Foundry', 'ClaudePlatformAWS']),
  5,
  'Client formats served, each on the paths of its own clients; which provider answers does not depend on it.',
)
  .min(1)
  .default(['Anthropic']);

/** First parts of paths that clients call by themselves. */
const OWN = ['/v1', '/model', '/projects', '/inference-profiles', '/healthz', '/readyz', '/health', '/api'];

const pathPrefix = withRules(
  z
    .string()
    .min(2)
    .max(63)
    .regex(/^\/[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, 'must be one part of a path such as /claude'),
  [
    {
      cel: `!(self in [${OWN.map((path) => `'${path}'`).join(', ')}])`,
      holds: (self) => !OWN.includes(self),
      message: 'must not be the beginning of a path that clients call by themselves',
    },
  ],
);

export const pathPrefixes = listSet(
  pathPrefix,
  16,
  'Paths that may stand in front of those of every client format, such as /claude for a base URL that ends so.',
).default([]);
