// What the operator reports on each kind. Nothing here moves fast: usage figures belong in metrics, because every change of a
// status wakes every watcher of the object.
import { z } from 'zod';
import type { Kind } from './kinds.ts';
import { listMap, listSet } from './scalars.ts';
import { virtualKeyMembers } from './virtual-key-status.ts';

const count = (description: string) => z.int32().min(0).describe(description);
const time = (description: string) => z.iso.datetime({ offset: true }).max(40).describe(description);

/** Bounds and patterns of `metav1.Condition`. */
const condition = z.strictObject({
  type: z
    .string()
    .min(1)
    .max(316)
    .regex(/^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/)
    .describe('What is reported: Accepted, ResolvedRefs, Programmed, Ready and others.'),
  status: z.enum(['True', 'False', 'Unknown']).describe('Whether it holds.'),
  observedGeneration: z.int().min(0).describe('Generation of the object this was said about.').optional(),
  lastTransitionTime: time('When status last changed.'),
  reason: z
    .string()
    .min(1)
    .max(1024)
    .regex(/^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/)
    .describe('One word for machines.'),
  message: z.string().max(32_768).describe('For people: the field and the fix.'),
});

const common = {
  observedGeneration: z.int().min(0).describe('Generation the conditions are about.').optional(),
  conditions: listMap(condition, 'type', 16, 'What is known about the object.').optional(),
};

const gatewayStatus = z
  .strictObject({
    ...common,
    revision: z.string().max(64).describe('Revision of the configuration last published.').optional(),
    replicas: z
      .strictObject({
        ready: count('Replicas that are ready.'),
        current: count('Ready replicas that have loaded the revision.'),
      })
      .describe('Replicas of the data plane.')
      .optional(),
    address: z.string().max(512).describe('Address of the Service inside the cluster.').optional(),
    attached: z
      .strictObject({
        upstreams: count('Accepted Upstreams.'),
        policies: count('Accepted Policies.'),
        virtualKeys: count('Accepted VirtualKeys.'),
      })
      .describe('Objects attached to this Gateway.')
      .optional(),
  })
  .describe('What the operator reports.');

const virtualKeyStatus = z.strictObject({ ...common, ...virtualKeyMembers }).describe('What the operator reports.');

const perMinute = (what: string) => z.int().min(0).describe(`${what} a minute.`).optional();

const upstreamStatus = z
  .strictObject({
    ...common,
    lastProbeTime: time('Hour of the last look, or time of the last change.').optional(),
    credentialExpiresAt: time('End of the first credential to end, where that is known.').optional(),
    unavailableModels: listSet(
      z.string().max(256),
      256,
      'Models of the spec that this account does not have.',
    ).optional(),
    quotas: listMap(
      z.strictObject({
        model: z.string().min(1).max(256).describe('Model, as the gateway knows it.'),
        requestsPerMinute: perMinute('Requests'),
        tokensPerMinute: perMinute('Tokens'),
        inputTokensPerMinute: perMinute('Input tokens'),
        outputTokensPerMinute: perMinute('Output tokens'),
      }),
      'model',
      256,
      'Limits of the account, as its answers name them.',
    ).optional(),
  })
  .describe('What the operator reports.');

const plainStatus = z.strictObject(common).describe('What the operator reports.');

/** The `status` member of each kind. */
export const STATUS: Readonly<Record<Kind, z.ZodType>> = {
  Gateway: gatewayStatus,
  Upstream: upstreamStatus,
  Policy: plainStatus,
  VirtualKey: virtualKeyStatus,
};
