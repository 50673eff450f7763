// Upstream: one provider account in one region, its credential, the models it serves and when to leave it alone.
import { z } from 'zod';
import { PROVIDER_FAMILIES, type ProviderFamily } from '#shared/catalog/families.ts';
import { exactMember } from './exact-member.ts';
import { duration, gatewayRef, listMap, modelId, price } from './scalars.ts';
import { withRules } from './rules.ts';
import { betas, capabilities } from './upstream-capabilities.ts';
import { baseUrl, upstreamHeader, upstreamTls } from './upstream-connection.ts';
import { providerMembers } from './upstream-providers.ts';

/** By family the member that holds its settings. */
const MEMBER_OF = {
  Anthropic: 'anthropic',
  AnthropicCompatible: 'anthropicCompatible',
  Bedrock: 'bedrock',
  BedrockMantle: 'bedrockMantle',
  ClaudePlatformAWS: 'claudePlatformAWS',
  Foundry: 'foundry',
  Vertex: 'vertex',
} as const satisfies Record<ProviderFamily, keyof typeof providerMembers>;

/** Hosts of the Anthropic API: nobody there may be told who a caller is. CEL looks at the text, because a host has no bound for it. */
const ANTHROPIC_URL =
  '^[a-zA-Z]+://([^/?#]*[.])?[aA][nN][tT][hH][rR][oO][pP][iI][cC][.][cC][oO][mM][.]?(:[0-9]*)?([/?#]|$)';
const ANTHROPIC_HOST = /(^|[.])anthropic[.]com[.]?$/;

const validation = z
  .strictObject({
    enabled: z
      .boolean()
      .default(true)
      .describe('Off: the upstream is never probed; what is known of it comes from the calls it answers.'),
    interval: duration({ min: '1m', max: '168h' }, 'Time between probes when nothing changes.').default('1h'),
    model: modelId(
      'Model to ask one token of, where listing models is not offered; the cheapest one served when left out.',
    ).optional(),
  })
  .describe(
    'Probes: on creation, on change, every interval, and when annotation portcullis.dev/probe gets a new value.',
  )
  .prefault({});

export const upstreamSpec = withRules(
  z
    .strictObject({
      gatewayRef,
      provider: z.enum(PROVIDER_FAMILIES).describe('What the upstream speaks.'),
      ...providerMembers,
      baseUrl: baseUrl.optional(),
      tls: upstreamTls.optional(),
      headers: listMap(upstreamHeader, 'name', 16, 'Headers added to every call, values from Secrets.').default([]),
      region: z
        .string()
        .min(1)
        .max(63)
        .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, 'must be a region such as us-east-1 or eu')
        .describe(
          'Where this account computes, for providers whose settings do not say it. Policies with regions admit only upstreams that say so.',
        )
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
          upstreamId: modelId(
            "Model as this upstream names it: an id, a deployment, or the ARN of a profile. The provider's own name for it when left out.",
          ).optional(),
          price: price.optional(),
          betas: betas.optional(),
        }),
        'id',
        256,
        'Models with a name or price of their own on this upstream. Models outside the built-in catalog are served only where they are listed.',
      ).default([]),
      capabilities,
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
      validation,
      maxCredentialAge: duration(
        { min: '1h', max: '87600h' },
        'Age of a static credential after which condition CredentialStale says so. Identities of the pod have no age.',
      ).default('2160h'),
    })
    .describe('One provider account in one region.'),
  [
    exactMember('provider', MEMBER_OF),
    {
      cel: "!((has(self.anthropic) && self.anthropic.auth.type == 'Headers') || (has(self.anthropicCompatible) && self.anthropicCompatible.auth.type == 'Headers')) || (has(self.headers) && size(self.headers) > 0)",
      holds: (self) => (self.anthropic ?? self.anthropicCompatible)?.auth.type !== 'Headers' || self.headers.length > 0,
      message: 'auth type Headers needs at least one entry in headers',
      field: 'headers',
    },
    {
      cel: '!has(self.anthropicCompatible) || has(self.baseUrl)',
      holds: (self) => self.anthropicCompatible === undefined || self.baseUrl !== undefined,
      message: 'provider AnthropicCompatible has no public endpoint: baseUrl is needed',
      field: 'baseUrl',
    },
    {
      cel: '!has(self.foundry) || has(self.foundry.resource) != has(self.baseUrl)',
      holds: (self) =>
        self.foundry === undefined || (self.foundry.resource !== undefined) !== (self.baseUrl !== undefined),
      message: 'provider Foundry needs either foundry.resource or baseUrl, not both',
      field: 'foundry',
    },
    {
      cel: `!has(self.anthropicCompatible) || !has(self.anthropicCompatible.forwardUserIdentity) || !self.anthropicCompatible.forwardUserIdentity || !has(self.baseUrl) || !self.baseUrl.matches('${ANTHROPIC_URL}')`,
      holds: (self) =>
        self.anthropicCompatible?.forwardUserIdentity !== true ||
        !ANTHROPIC_HOST.test(URL.parse(self.baseUrl ?? '')?.hostname ?? ''),
      message: 'forwardUserIdentity is for a gateway of your own; the Anthropic API is not told who is calling',
      field: 'anthropicCompatible',
    },
  ],
);

export type UpstreamSpec = z.output<typeof upstreamSpec>;
