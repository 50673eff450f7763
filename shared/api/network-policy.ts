// Gateway.spec.networkPolicy: who may reach the pods of a data plane, and what they may reach. Matters in a cluster only.
import { z } from 'zod';
import { isCidr, listSet, selector } from './scalars.ts';
import { withRules } from './rules.ts';

const peer = withRules(
  z.strictObject({
    namespaceSelector: selector("Labels of namespaces; the Gateway's own when only podSelector is given.").optional(),
    podSelector: selector('Labels of pods; every pod when left out.').optional(),
    cidr: z.string().min(3).max(49).describe('A network such as 10.0.0.0/8.').optional(),
  }),
  [
    {
      cel: 'has(self.cidr) != (has(self.namespaceSelector) || has(self.podSelector))',
      holds: (self) =>
        (self.cidr !== undefined) !== (self.namespaceSelector !== undefined || self.podSelector !== undefined),
      message: 'must be either a cidr, or a namespaceSelector or podSelector or both',
    },
    {
      cel: '!has(self.cidr) || isCIDR(self.cidr)',
      holds: (self) => self.cidr === undefined || isCidr(self.cidr),
      message: 'cidr must be a network in CIDR form, such as 10.0.0.0/8',
    },
  ],
);

const peers = (description: string) =>
  z.array(peer).max(16).meta({ description, 'x-kubernetes-list-type': 'atomic' }).default([]);

export const networkPolicySpec = z
  .strictObject({
    enabled: z
      .boolean()
      .default(false)
      .describe('Make a NetworkPolicy for the pods. It needs a network plugin that enforces such objects.'),
    ingress: z
      .strictObject({
        clients: peers('Who may reach the client port, such as the ingress controller; everyone when empty.'),
        metrics: peers('Who may reach the metrics port; nobody when empty.'),
      })
      .describe('Who may reach the pods.')
      .prefault({}),
    egress: z
      .strictObject({
        to: peers(
          'Where upstreams and the forward proxy are; anywhere when empty. Cluster DNS and the API server are always open.',
        ),
        ports: listSet(
          z.int32().min(1).max(65535),
          32,
          'TCP ports open beside those of the upstreams and the forward proxy: an upstream in the cluster may have another on its pods than on its Service.',
        ).default([]),
      })
      .describe('What the pods may reach.')
      .prefault({}),
  })
  .describe('Network rules for the pods. Without effect outside of a cluster.')
  .prefault({});

export type NetworkPolicySpec = z.output<typeof networkPolicySpec>;
