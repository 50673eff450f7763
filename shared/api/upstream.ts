// Upstream: one provider account in one region, its credential, the models it serves and when to leave it alone.
import { z } from 'zod';
import { HTTP_URL, duration, gatewayRef, listMap, modelId, price, secretKeyRef } from './scalars.ts';
import { withRules } from './rules.ts';

/** Headers the gateway itself writes or that belong to one hop; an Upstream may not set them. */
const RESERVED_HEADERS = [
  'host',
  'content-length',
  'content-type',
  'content-encoding',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'upgrade',
  'te',
  'trailer',
  'expect',
  'proxy-authorization',
  'proxy-connection',
];

const header = withRules(
  z.strictObject({
    name: z
      .string()
      .min(1)
      .max(128)
      .regex(/^[a-z0-9-]+$/, 'must be a header name in lower case')
      .describe('Header name, in lower case.'),
    valueFrom: secretKeyRef('Where the value is kept.'),
  }),
  [
    {
      cel: `!(self.name in [${RESERVED_HEADERS.map((name) => `'${name}'`).join(', ')}])`,
      holds: (self) => !RESERVED_HEADERS.includes(self.name),
      message: 'must not be a header that belongs to the connection',
      field: 'name',
    },
  ],
);

const anthropicAuth = withRules(
  z
    .strictObject({
      type: z
        .enum(['APIKey', 'BearerToken', 'Headers'])
        .describe('APIKey: x-api-key. BearerToken: Authorization. Headers: only spec.headers.'),
      apiKey: secretKeyRef('The API key, with type: APIKey.').optional(),
      bearerToken: secretKeyRef('The token, with type: BearerToken.').optional(),
    })
    .describe('How the gateway authenticates to the provider.'),
  [
    {
      cel: "(self.type == 'APIKey') == has(self.apiKey) && (self.type == 'BearerToken') == has(self.bearerToken)",
      holds: (self) =>
        (self.type === 'APIKey') === (self.apiKey !== undefined) &&
        (self.type === 'BearerToken') === (self.bearerToken !== undefined),
      message:
        'exactly the member named by type must be set: apiKey for APIKey, bearerToken for BearerToken, none for Headers',
    },
  ],
);

const baseUrl = withRules(
  z
    .string()
    .min(8)
    .max(512)
    .regex(HTTP_URL, 'must be an http or https URL')
    .describe(
      'Endpoint to use instead of the public one: a private endpoint or another gateway. Plain http only while the Gateway itself is on loopback.',
    ),
  [
    {
      cel: "isURL(self) && url(self).getScheme() in ['https', 'http'] && size(url(self).getQuery()) == 0 && !self.contains('#') && !self.contains('@')",
      holds: (self) => {
        const url = URL.parse(self);
        return (
          url !== null &&
          /^https?:$/.test(url.protocol) &&
          url.search === '' &&
          !self.includes('#') &&
          !self.includes('@')
        );
      },
      message: 'must be an http or https URL without query, fragment or user',
    },
  ],
);

export const upstreamSpec = withRules(
  z
    .strictObject({
      gatewayRef,
      provider: z.enum(['Anthropic']).describe('What the upstream speaks.'),
      anthropic: z.strictObject({ auth: anthropicAuth }).describe('Settings of the provider Anthropic.').optional(),
      baseUrl: baseUrl.optional(),
      headers: listMap(header, 'name', 16, 'Headers added to every call, values from Secrets.').default([]),
      region: z
        .string()
        .min(1)
        .max(63)
        .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, 'must be a region such as us-east-1 or eu')
        .describe('Where this account computes. Policies with regions admit only upstreams that say so.')
        .optional(),
      priority: z
        .int32()
        .min(0)
        .max(1000)
        .default(10)
        .describe('Lower is tried first; among equals the strategy of the Gateway decides.'),
      weight: z
        .int32()
        .min(0)
        .max(1000)
        .default(1)
        .describe('Share among upstreams of equal priority. 0: only when the others failed.'),
      maxConcurrent: z
        .int32()
        .min(1)
        .max(100_000)
        .describe(
          'Calls at once on this upstream, per replica; more overflow to the next one. For provisioned throughput, with a low priority. 529 when every upstream is full.',
        )
        .optional(),
      models: listMap(
        z.strictObject({
          id: modelId('Model as clients name it, in any spelling; a name of your own makes a custom model.'),
          upstreamId: modelId('Model as this upstream names it; the id when left out.').optional(),
          price: price.optional(),
        }),
        'id',
        256,
        'Models with a name or price of their own on this upstream. Models outside the built-in catalog are served only where they are listed.',
      ).default([]),
      capabilities: z
        .strictObject({
          countTokens: z
            .boolean()
            .default(true)
            .describe('Whether token counting is offered. Off: counts go elsewhere or are answered 404.'),
        })
        .describe('What this upstream can do.')
        .prefault({}),
      timeouts: z
        .strictObject({
          firstByte: duration({ min: '100ms', max: '1h' }, 'Overrides the Gateway for this upstream.').optional(),
        })
        .describe('Timeouts of this upstream.')
        .prefault({}),
      retries: z
        .strictObject({
          connect: z
            .int32()
            .min(0)
            .max(5)
            .default(1)
            .describe('Further tries when a connection cannot be made. Nothing was sent by then.'),
        })
        .describe('Retries within this upstream.')
        .prefault({}),
      breaker: z
        .strictObject({
          consecutiveFailures: z
            .int32()
            .min(1)
            .max(1000)
            .default(5)
            .describe('Failures in a row for one model after which the upstream is left alone for that model.'),
          openFor: duration(
            { min: '100ms', max: '1h' },
            'How long it is left alone while another one can serve.',
          ).default('30s'),
        })
        .describe('When to leave this upstream alone.')
        .prefault({}),
    })
    .describe('One provider account in one region.'),
  [
    {
      cel: "(self.provider == 'Anthropic') == has(self.anthropic)",
      holds: (self) => (self.provider === 'Anthropic') === (self.anthropic !== undefined),
      message: 'the member named after the provider must be set: anthropic for Anthropic',
    },
    {
      cel: "!has(self.anthropic) || self.anthropic.auth.type != 'Headers' || (has(self.headers) && size(self.headers) > 0)",
      holds: (self) => self.anthropic?.auth.type !== 'Headers' || self.headers.length > 0,
      message: 'auth type Headers needs at least one entry in headers',
      field: 'headers',
    },
  ],
);

export type UpstreamSpec = z.output<typeof upstreamSpec>;
