// The provider families, one member of an Upstream each: where the account is and how the gateway authenticates to it.
import { z } from 'zod';
import {
  anthropicAuth,
  bedrockAuth,
  claudePlatformAuth,
  compatibleAuth,
  foundryAuth,
  vertexAuth,
} from './upstream-auth.ts';

const awsRegion = z
  .string()
  .min(9)
  .max(32)
  .regex(/^[a-z]{2,5}(-[a-z]+)+-[0-9]{1,2}$/, 'must be an AWS region such as us-east-1')
  .describe('AWS region of the account, such as us-east-1. Also where the upstream counts as computing.');

const anthropic = z.strictObject({ auth: anthropicAuth }).describe('Settings of the provider Anthropic.');

const anthropicCompatible = z
  .strictObject({
    auth: compatibleAuth,
    forwardUserIdentity: z
      .boolean()
      .default(false)
      .describe(
        "Tell the upstream who is calling, by headers with the caller's name and e-mail address. For a gateway of your own; refused for the Anthropic API.",
      ),
  })
  .describe(
    'Settings of the provider AnthropicCompatible: another gateway that speaks the Messages API, at spec.baseUrl.',
  );

const bedrock = z
  .strictObject({
    region: awsRegion,
    api: z
      .enum(['InvokeModel', 'Messages'])
      .default('InvokeModel')
      .describe(
        'Which API of the endpoint is called. Messages is what AWS advises for new applications: the Messages API with plain events, the same models, credentials and rights.',
      ),
    inference: z
      .enum(['Geo', 'Global', 'InRegion'])
      .default('Geo')
      .describe(
        'Where built-in models compute. Geo: in the geography of the region (profiles such as eu.). Global: anywhere, and the upstream counts as region global. InRegion: in the region alone, which newer models do not offer.',
      ),
    auth: bedrockAuth,
  })
  .describe('Settings of the provider Bedrock.');

const bedrockMantle = z
  .strictObject({ region: awsRegion, auth: bedrockAuth })
  .describe('Settings of the provider BedrockMantle (the Messages API on an endpoint of its own, in-region).');

const claudePlatformAWS = z
  .strictObject({
    region: awsRegion,
    workspaceId: z
      .string()
      .min(1)
      .max(128)
      .regex(/^[A-Za-z0-9_-]+$/, 'must be a workspace id')
      .describe('Workspace that calls are made in.'),
    auth: claudePlatformAuth,
  })
  .describe('Settings of the provider ClaudePlatformAWS.');

const vertex = z
  .strictObject({
    project: z
      .string()
      .min(1)
      .max(128)
      .regex(/^([a-z0-9][-.a-z0-9]*:)?[a-z0-9][-a-z0-9]*$/, 'must be a project id or number')
      .describe('Google Cloud project, by id or number.'),
    location: z
      .string()
      .min(2)
      .max(63)
      .regex(/^[a-z]+(-[a-z]+[0-9]+)?$/, 'must be a location such as us-east5, eu or global')
      .describe(
        'Region, multi-region (us, eu) or global. Also where the upstream counts as computing. Models that are not offered there go to other upstreams.',
      ),
    auth: vertexAuth,
  })
  .describe('Settings of the provider Vertex.');

const foundry = z
  .strictObject({
    resource: z
      .string()
      .min(2)
      .max(64)
      .regex(/^[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?$/, 'must be the name of a resource')
      .describe('Azure resource; the endpoint derives from it. Left out when spec.baseUrl names the endpoint.')
      .optional(),
    zone: z
      .enum(['US'])
      .describe('Data zone that the deployments are in, which costs more. Left out for global deployments.')
      .optional(),
    auth: foundryAuth,
  })
  .describe(
    'Settings of the provider Foundry. Deployments are named in spec.models where they differ from the default.',
  );

/** Members of an Upstream, named after the families. */
export const providerMembers = {
  anthropic: anthropic.optional(),
  anthropicCompatible: anthropicCompatible.optional(),
  bedrock: bedrock.optional(),
  bedrockMantle: bedrockMantle.optional(),
  claudePlatformAWS: claudePlatformAWS.optional(),
  vertex: vertex.optional(),
  foundry: foundry.optional(),
};
