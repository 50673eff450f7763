// The small shapes that the four kinds share: names, references, durations, sizes, networks, money. Every one has a bound,
// because the API server prices CEL rules by the largest value a field could hold.
import { isIP } from 'node:net';
import { z } from 'zod';
import { DURATION_PATTERN, parseDuration } from '#shared/duration.ts';
import { QUANTITY_PATTERN, parseQuantity } from '#shared/quantity.ts';
import { withRules } from './rules.ts';

export const NAME = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;
export const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
export const SECRET_KEY = /^[-._a-zA-Z0-9]+$/;

export const objectName = (description: string) => z.string().min(1).max(253).regex(NAME).describe(description);
export const namespaceName = (description: string) => z.string().min(1).max(63).regex(LABEL).describe(description);

/** A key of a Secret or ConfigMap of the same namespace. There is deliberately no namespace field to abuse. */
export const secretKeyRef = (description: string) =>
  z
    .strictObject({
      name: objectName('Name of a Secret in this namespace.'),
      key: z.string().min(1).max(253).regex(SECRET_KEY).describe('Key within the Secret.'),
    })
    .describe(description);

export const gatewayRef = z
  .strictObject({
    name: objectName('Name of the Gateway.'),
    namespace: namespaceName(
      'Namespace of the Gateway; this namespace when left out. The Gateway must admit it by allowedNamespaces.',
    ).optional(),
  })
  .describe('The Gateway this object attaches to.');

/** A duration between two bounds, both inclusive. */
export function duration(bounds: { min: string; max: string }, description: string) {
  const [min, max] = [parseDuration(bounds.min), parseDuration(bounds.max)];
  return withRules(
    z
      .string()
      .max(32)
      .regex(DURATION_PATTERN, 'must be a duration such as 90s, 15m or 24h')
      .describe(`${description} A duration from ${bounds.min} to ${bounds.max}.`),
    [
      {
        cel: `duration(self) >= duration('${bounds.min}') && duration(self) <= duration('${bounds.max}')`,
        holds: (self) => DURATION_PATTERN.test(self) && parseDuration(self) >= min && parseDuration(self) <= max,
        message: `must be between ${bounds.min} and ${bounds.max}`,
      },
    ],
  );
}

/** A size in bytes between two bounds, both inclusive. */
export function size(bounds: { min: string; max: string }, description: string) {
  const [min, max] = [parseQuantity(bounds.min), parseQuantity(bounds.max)];
  return withRules(
    z
      .string()
      .max(16)
      .regex(QUANTITY_PATTERN, 'must be a size such as 64Ki or 32Mi')
      .describe(`${description} A size from ${bounds.min} to ${bounds.max}.`),
    [
      {
        cel: `quantity(self).compareTo(quantity('${bounds.min}')) >= 0 && quantity(self).compareTo(quantity('${bounds.max}')) <= 0`,
        holds: (self) => QUANTITY_PATTERN.test(self) && parseQuantity(self) >= min && parseQuantity(self) <= max,
        message: `must be between ${bounds.min} and ${bounds.max}`,
      },
    ],
  );
}

/**
 * True for `10.0.0.0/8` and `fd00::/8`; a bare address needs its `/32` or `/128`. Zones and IPv4 written inside IPv6 are
 * refused, as CEL's `isCIDR` refuses them.
 */
export function isCidr(text: string): boolean {
  const slash = text.lastIndexOf('/');
  if (slash < 0) return false;
  const [address, bits] = [text.slice(0, slash), text.slice(slash + 1)];
  const family = isIP(address);
  if (family === 0 || address.includes('%') || (family === 6 && address.includes('.'))) return false;
  return /^(0|[1-9][0-9]{0,2})$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128);
}

const cidr = withRules(z.string().min(3).max(49).describe('A network such as 10.0.0.0/8.'), [
  { cel: 'isCIDR(self)', holds: isCidr, message: 'must be a network in CIDR form, such as 10.0.0.0/8' },
]);

export const cidrList = (description: string, max = 64) => listSet(cidr, max, description);

/** A list of scalars whose members are unique and unordered for server-side apply; duplicates are refused. */
export function listSet<S extends z.ZodType>(member: S, max: number, description: string) {
  return z
    .array(member)
    .max(max)
    .refine((items) => new Set(items).size === items.length, { message: 'must not repeat an entry' })
    .meta({ description, 'x-kubernetes-list-type': 'set' });
}

/** A list keyed by one member's field for server-side apply; duplicates are refused. */
export function listMap<S extends z.ZodType>(member: S, key: string, max: number, description: string) {
  return z
    .array(member)
    .max(max)
    .refine((items) => new Set(items.map((item) => (item as Record<string, unknown>)[key])).size === items.length, {
      message: `must not repeat the same ${key}`,
    })
    .meta({ description, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': [key] });
}

/** Names and values; the bound on values differs between labels and annotations. */
const namedTexts = (description: string, what: string, maxValue: number) =>
  withRules(
    z
      .record(z.string(), z.string().max(maxValue))
      .refine((map) => Object.keys(map).length <= 32, { message: 'must have at most 32 entries' })
      .meta({ description, maxProperties: 32 }),
    [
      // A CRD cannot bound the keys of a map by schema.
      {
        cel: 'self.all(key, size(key) <= 317)',
        holds: (self) => Object.keys(self).every((key) => key.length <= 317),
        message: `must not have ${what} name of more than 317 characters`,
      },
    ],
  );

export const labels = (description: string) => namedTexts(description, 'a label', 63);

export const annotations = (description: string) => namedTexts(description, 'an annotation', 4096);

export const selector = (description: string) =>
  z.strictObject({ matchLabels: labels('Every label that must be present with this value.') }).describe(description);

/** A decimal string in US dollars, such as `"0.25"`. */
export const usd = (description: string) =>
  z
    .string()
    .max(20)
    .regex(/^[0-9]{1,9}(\.[0-9]{1,9})?$/, 'must be a decimal amount such as "50.00"')
    .describe(description);

/** What both doors take for an http address before looking closer; parsers differ on blanks, backslashes and empty hosts. */
export const HTTP_URL = /^https?:\/\/[^\s\\/?#]+([/?#][^\s\\]*)?$/;

/** Of a header, in lower case. */
export const headerName = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[a-z0-9-]+$/, 'must be a header name in lower case')
  .describe('Header name, in lower case.');

export const modelId = (description: string) =>
  z
    .string()
    .min(1)
    .max(256)
    .regex(/^[^\s,]+$/, 'must not contain spaces or commas')
    .describe(description);

/** A model name or a pattern in which `*` stands for any characters. Compared without regard to case or spelling. */
export const modelPatterns = (description: string) =>
  listSet(modelId('A model id in any spelling, or a pattern such as claude-opus-*.'), 128, description);

export const price = z
  .strictObject({
    input: usd('Input tokens.'),
    output: usd('Output tokens.'),
    cacheRead: usd('Tokens read from the prompt cache; 0.1 × input when left out.').optional(),
    cacheWrite5m: usd('Tokens written to the 5-minute cache; 1.25 × input when left out.').optional(),
    cacheWrite1h: usd('Tokens written to the 1-hour cache; 2 × input when left out.').optional(),
  })
  .describe('US dollars per million tokens, replacing the list price.');

/** Scopes a policy or key may carry. The `anthropic:` and `chat:` spellings mean the same as the short ones. */
export const scopes = (description: string) =>
  listSet(z.enum(['read', 'write', 'anthropic:read', 'anthropic:write', 'chat:read', 'chat:write']), 6, description);
