// Gateway.spec.deployment: the pods of a data plane and the Service before them. Everything here matters in a cluster only.
import { z } from 'zod';
import { QUANTITY_PATTERN, parseQuantity } from '#shared/quantity.ts';
import { annotations, cidrList, duration, LABEL, labels, listMap, listSet, objectName, size } from './scalars.ts';
import { withRules } from './rules.ts';
import { TOKENS_FOLDER } from './token-file.ts';

const CPU_PATTERN = /^([0-9]{1,6}m|[0-9]{1,3}(\.[0-9]{1,3})?)$/;

/** @returns thousandths of a core */
function parseCpu(text: string): number {
  return text.endsWith('m') ? Number(text.slice(0, -1)) : Number(text) * 1000;
}

const cpu = (description: string) =>
  withRules(
    z
      .string()
      .max(8)
      .regex(CPU_PATTERN, 'must be a number of cores such as 250m or 1.5')
      .describe(`${description} From 10m to 256.`),
    [
      {
        cel: "quantity(self).compareTo(quantity('10m')) >= 0 && quantity(self).compareTo(quantity('256')) <= 0",
        holds: (self) => CPU_PATTERN.test(self) && parseCpu(self) >= 10 && parseCpu(self) <= 256_000,
        message: 'must be between 10m and 256',
      },
    ],
  );

const MEMORY = { min: '256Mi', max: '256Gi' };

const resources = withRules(
  z
    .strictObject({
      requests: z
        .strictObject({
          cpu: cpu('Cores set aside for a replica.').default('250m'),
          memory: size(MEMORY, 'Memory set aside for a replica.').default('256Mi'),
        })
        .describe('What the scheduler sets aside.')
        .prefault({}),
      limits: z
        .strictObject({
          cpu: cpu('Most cores a replica may use; without it streams are never throttled.').optional(),
          memory: size(MEMORY, 'Most memory a replica may use; the heap takes three fifths of it.').default('1Gi'),
        })
        .describe('What a replica may use at most.')
        .prefault({}),
    })
    .describe('Cores and memory of a replica.'),
  [
    {
      // An API server tests the default {} before it fills in the members.
      cel: '!has(self.requests) || !has(self.requests.cpu) || !has(self.limits) || !has(self.limits.cpu) || quantity(self.requests.cpu).compareTo(quantity(self.limits.cpu)) <= 0',
      holds: ({ requests, limits }) => limits.cpu === undefined || !(parseCpu(requests.cpu) > parseCpu(limits.cpu)),
      message: 'requests.cpu must not be more than limits.cpu',
    },
    {
      cel: '!has(self.requests) || !has(self.requests.memory) || !has(self.limits) || !has(self.limits.memory) || quantity(self.requests.memory).compareTo(quantity(self.limits.memory)) <= 0',
      // Whatever is no size has been told of already.
      holds: ({ requests, limits }) =>
        ![requests.memory, limits.memory].every((size) => QUANTITY_PATTERN.test(size)) ||
        parseQuantity(requests.memory) <= parseQuantity(limits.memory),
      message: 'requests.memory must not be more than limits.memory',
    },
  ],
).prefault({});

const replicas = (description: string) => z.int32().min(1).max(1000).describe(description);
const percent = (description: string) => z.int32().min(1).max(400).describe(description);

const autoscaling = withRules(
  z
    .strictObject({
      minReplicas: replicas('Fewest replicas.').default(2),
      maxReplicas: replicas('Most replicas.'),
      targetCPUUtilization: percent('Percentage of requests.cpu that replicas should use on average.').default(70),
      targetMemoryUtilization: percent(
        'Percentage of requests.memory that replicas should use on average; not looked at when left out.',
      ).optional(),
      scaleDownStabilization: duration(
        { min: '0s', max: '1h' },
        'How long the load must have been lower before replicas are taken away.',
      ).default('5m'),
    })
    .describe('Lets the number of replicas follow their load. Needs a metrics server in the cluster.'),
  [
    {
      cel: '!has(self.minReplicas) || self.minReplicas <= self.maxReplicas',
      holds: (self) => self.minReplicas <= self.maxReplicas,
      message: 'minReplicas must not be more than maxReplicas',
    },
  ],
);

const toleration = withRules(
  z.strictObject({
    key: z.string().min(1).max(317).describe('Name of the taint; every taint when left out.').optional(),
    operator: z.enum(['Equal', 'Exists']).default('Equal').describe('Exists: whatever the value of the taint.'),
    value: z.string().max(63).describe('Value of the taint.').optional(),
    effect: z
      .enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute'])
      .describe('Effect of the taint; every effect when left out.')
      .optional(),
    tolerationSeconds: z
      .int32()
      .min(0)
      .describe('How long a NoExecute taint is tolerated; for ever when left out.')
      .optional(),
  }),
  [
    {
      cel: "self.operator == 'Exists' ? !has(self.value) : has(self.key)",
      holds: ({ operator, key, value }) => (operator === 'Exists' ? value === undefined : key !== undefined),
      message: 'operator Equal needs a key, and operator Exists takes no value',
    },
    {
      cel: "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
      holds: ({ tolerationSeconds, effect }) => tolerationSeconds === undefined || effect === 'NoExecute',
      message: 'tolerationSeconds needs effect NoExecute',
    },
  ],
);

const NOT_OURS = {
  cel: "self.all(key, !key.startsWith('portcullis.dev/') && key != 'app.kubernetes.io/managed-by')",
  holds: (self: Readonly<Record<string, string>>) =>
    Object.keys(self).every((key) => !key.startsWith('portcullis.dev/') && key !== 'app.kubernetes.io/managed-by'),
  message: 'names under portcullis.dev/ and app.kubernetes.io/managed-by are set by the operator',
};

const podTemplate = z
  .strictObject({
    labels: withRules(labels('Further labels of the pods.'), [NOT_OURS]).optional(),
    annotations: withRules(annotations('Annotations of the pods.'), [NOT_OURS]).optional(),
    nodeSelector: labels('Labels a node must have.').optional(),
    tolerations: z
      .array(toleration)
      .max(16)
      .meta({ description: 'Taints of nodes that are no obstacle.', 'x-kubernetes-list-type': 'atomic' })
      .default([]),
    priorityClassName: objectName('PriorityClass of the pods.').optional(),
    runtimeClassName: objectName('RuntimeClass of the pods.').optional(),
    imagePullSecrets: listSet(
      objectName('Name of a Secret in this namespace.'),
      8,
      'Secrets to pull the image with.',
    ).default([]),
  })
  .describe('What is added to every pod.')
  .prefault({});

const service = withRules(
  z
    .strictObject({
      type: z
        .enum(['ClusterIP', 'NodePort', 'LoadBalancer'])
        .default('ClusterIP')
        .describe('Who can reach the Service: the cluster, every node, or a load balancer.'),
      port: z.int32().min(1).max(65535).describe('Port of the Service; listen.port when left out.').optional(),
      annotations: withRules(annotations('Annotations, such as those that configure a load balancer.'), [
        NOT_OURS,
      ]).optional(),
      externalTrafficPolicy: z
        .enum(['Cluster', 'Local'])
        .describe('Local keeps the address of the client and sends nothing over a second node.')
        .optional(),
      sourceRanges: cidrList('Networks the load balancer admits; all when empty.').default([]),
    })
    .describe('The Service before the pods.'),
  [
    {
      cel: "!has(self.externalTrafficPolicy) || (has(self.type) && self.type != 'ClusterIP')",
      holds: ({ externalTrafficPolicy, type }) => externalTrafficPolicy === undefined || type !== 'ClusterIP',
      message: 'externalTrafficPolicy needs type NodePort or LoadBalancer',
    },
    {
      cel: "!has(self.sourceRanges) || size(self.sourceRanges) == 0 || (has(self.type) && self.type == 'LoadBalancer')",
      holds: ({ sourceRanges, type }) => sourceRanges.length === 0 || type === 'LoadBalancer',
      message: 'sourceRanges needs type LoadBalancer',
    },
  ],
).prefault({});

/** At most: each is a file that the kubelet keeps fresh in every pod. */
const MAX_TOKENS = 8;

const token = z.strictObject({
  name: z.string().min(1).max(63).regex(LABEL).describe('Name of the file.'),
  audience: z
    .string()
    .min(1)
    .max(512)
    .regex(/^\S+$/, 'must be an audience such as sts.amazonaws.com')
    .describe(
      'Whom the token is for, as the trust of the provider names it: sts.amazonaws.com, api://AzureADTokenExchange, https://api.anthropic.com.',
    ),
  expiresAfter: duration(
    { min: '10m', max: '24h' },
    'How long a token is good. A fresh one takes its place after four fifths of that.',
  ).default('1h'),
});

export const deploymentSpec = withRules(
  z
    .strictObject({
      replicas: replicas('Number of replicas; 2 when left out.').optional(),
      image: z
        .string()
        .min(1)
        .max(512)
        .regex(/^[a-zA-Z0-9][a-zA-Z0-9._:@/-]*$/, 'must be an image such as registry.corp/portcullis:0.1.0')
        .describe(
          'Image of this Gateway alone, to roll out a version step by step; that of the operator when left out.',
        )
        .optional(),
      imagePullPolicy: z
        .enum(['Always', 'IfNotPresent', 'Never'])
        .describe('When the image is pulled; as the operator is told when left out.')
        .optional(),
      resources,
      autoscaling: autoscaling.optional(),
      disruption: z
        .strictObject({ maxUnavailable: replicas('Replicas that may be taken away at the same time.').default(1) })
        .describe('What draining of nodes may do to the replicas.')
        .prefault({}),
      drainDelay: duration(
        { min: '0s', max: '5m' },
        'How long a pod that is told to stop goes on as before, until no load balancer sends it calls. Then timeouts.drain begins.',
      ).default('10s'),
      podTemplate,
      service,
      serviceAccount: z
        .strictObject({
          annotations: withRules(annotations('Annotations, such as the cloud role that the pods act as.'), [
            NOT_OURS,
          ]).optional(),
        })
        .describe('The ServiceAccount of the pods.')
        .prefault({}),
      tokens: listMap(
        token,
        'name',
        MAX_TOKENS,
        `Tokens of the ServiceAccount of the pods, for Upstreams that exchange one for access to a provider. Each is a file at ${TOKENS_FOLDER}/<name>. ` +
          `{name: aws, audience: sts.amazonaws.com} is what tokenFile: ${TOKENS_FOLDER}/aws of an Upstream reads. ` +
          'The subject in it is system:serviceaccount:<namespace>:<Gateway>-portcullis-data-plane.',
      ).default([]),
    })
    .describe('The pods of this Gateway and their Service. Without effect outside of a cluster.'),
  [
    {
      cel: '!has(self.replicas) || !has(self.autoscaling)',
      holds: ({ replicas: fixed, autoscaling: moving }) => fixed === undefined || moving === undefined,
      message: 'replicas and autoscaling exclude each other',
    },
  ],
).prefault({});

export type DeploymentSpec = z.output<typeof deploymentSpec>;
