// Cases for the rules of Gateway.spec.deployment and Gateway.spec.networkPolicy, as rows of rules.cases.ts.
import { bounds, entries, labelNames, networks, row, values, type Row } from './rule-case.ts';

const cores = (at: string, others: Record<string, string> = {}): Row =>
  row(
    'Gateway',
    at.split('.'),
    'must be between 10m and 256',
    ['10m', '1', '0.25', '1.5', '256'].map((value) => ({ ...others, [at]: value })),
    ['9m', '0', '256001m', '257'].map((value) => ({ ...others, [at]: value })),
  );

const reserved = (at: string): Row =>
  values(
    'Gateway',
    at,
    'names under portcullis.dev/ and app.kubernetes.io/managed-by are set by the operator',
    [{ 'corp.example/team': 'ai' }, { 'app.kubernetes.io/part-of': 'ai' }],
    [{ 'portcullis.dev/gateway': 'other' }, { 'app.kubernetes.io/managed-by': 'me' }],
  );

const annotated = (at: string): Row[] => [reserved(at), labelNames('Gateway', at, {}, 'an annotation')];

const cidr = '10.0.0.0/8';
const podSelector = { matchLabels: { app: 'ingress' } };

const peers = (at: string): Row[] => [
  entries(
    'Gateway',
    at,
    'must be either a cidr, or a namespaceSelector or podSelector or both',
    [{ cidr }, { podSelector }, { namespaceSelector: podSelector }, { podSelector, namespaceSelector: podSelector }],
    [{}, { cidr, podSelector }, { cidr, namespaceSelector: podSelector }],
  ),
  entries(
    'Gateway',
    at,
    'cidr must be a network in CIDR form, such as 10.0.0.0/8',
    [{ cidr: 'fd00::/8' }],
    [{ cidr: '10.0.0.0' }, { cidr: 'corp/8' }],
  ),
  ...['podSelector', 'namespaceSelector'].map((member) => {
    const entry = (name: string) => ({ [at]: [{ [member]: { matchLabels: { [name]: 'x' } } }] });
    return row(
      'Gateway',
      [...at.split('.'), 0, member, 'matchLabels'],
      'must not have a label name of more than 317 characters',
      [entry('app')],
      [entry('x'.repeat(318))],
    );
  }),
];

const memory = (part: string, sizes: readonly string[]) =>
  sizes.map((size) => ({
    'deployment.resources.requests.memory': '256Mi',
    'deployment.resources.limits.memory': '256Gi',
    [`deployment.resources.${part}.memory`]: size,
  }));

const aws = { name: 'aws', audience: 'sts.amazonaws.com' };

const token = (member: string, message: string | undefined, good: readonly unknown[], bad: readonly unknown[]): Row => {
  const changes = (value: unknown) => ({ 'deployment.tokens': [{ ...aws, [member]: value }] });
  return row('Gateway', ['deployment', 'tokens', 0, member], message, good.map(changes), bad.map(changes));
};

/** What the schema itself refuses: a name that would be a path the kubelet refuses, words that are no audience. */
export const TOKEN_ROWS: readonly Row[] = [
  token('name', undefined, ['a', 'x'.repeat(63)], ['', 'x'.repeat(64), '..', 'a/b', 'aws.token', 'AWS']),
  token(
    'audience',
    undefined,
    [
      'api://AzureADTokenExchange',
      '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q',
    ],
    ['', 'two words', 'x'.repeat(513)],
  ),
  values(
    'Gateway',
    'deployment.tokens',
    undefined,
    [[], [aws, { ...aws, name: 'other' }]],
    [Array.from({ length: 9 }, (_, i) => ({ ...aws, name: `aws-${i}` }))],
  ),
];

export const DEPLOYMENT_ROWS: readonly Row[] = [
  values(
    'Gateway',
    'deployment',
    'replicas and autoscaling exclude each other',
    [{ replicas: 3 }, { autoscaling: { maxReplicas: 4 } }],
    [{ replicas: 3, autoscaling: { maxReplicas: 4 } }],
  ),
  values(
    'Gateway',
    'deployment.autoscaling',
    'minReplicas must not be more than maxReplicas',
    [{ maxReplicas: 2 }, { minReplicas: 3, maxReplicas: 3 }],
    [{ maxReplicas: 1 }, { minReplicas: 4, maxReplicas: 3 }],
  ),
  row(
    'Gateway',
    ['deployment', 'autoscaling', 'scaleDownStabilization'],
    'must be between 0s and 1h',
    ['0s', '1h'].map((scaleDownStabilization) => ({
      'deployment.autoscaling': { maxReplicas: 4, scaleDownStabilization },
    })),
    [{ 'deployment.autoscaling': { maxReplicas: 4, scaleDownStabilization: '61m' } }],
  ),
  bounds('Gateway', 'deployment.drainDelay', [null, '0s', '5m', '301s']),
  cores('deployment.resources.requests.cpu'),
  cores('deployment.resources.limits.cpu', { 'deployment.resources.requests.cpu': '10m' }),
  ...(['requests', 'limits'] as const).map((part) =>
    row(
      'Gateway',
      ['deployment', 'resources', part, 'memory'],
      'must be between 256Mi and 256Gi',
      memory(part, ['256Mi', '256Gi']),
      memory(part, ['255Mi', '257Gi']),
    ),
  ),
  values(
    'Gateway',
    'deployment.resources',
    'requests.cpu must not be more than limits.cpu',
    [{ limits: { cpu: '250m' } }, { requests: { cpu: '2' }, limits: { cpu: '2000m' } }],
    [{ limits: { cpu: '0.2' } }, { requests: { cpu: '2' }, limits: { cpu: '1' } }],
  ),
  values(
    'Gateway',
    'deployment.resources',
    'requests.memory must not be more than limits.memory',
    [{ requests: { memory: '1Gi' } }, { requests: { memory: '4Gi' }, limits: { memory: '4Gi' } }],
    [{ requests: { memory: '2Gi' } }, { requests: { memory: '4Gi' }, limits: { memory: '4G' } }],
  ),
  reserved('deployment.podTemplate.labels'),
  labelNames('Gateway', 'deployment.podTemplate.labels'),
  labelNames('Gateway', 'deployment.podTemplate.nodeSelector'),
  ...annotated('deployment.podTemplate.annotations'),
  ...annotated('deployment.service.annotations'),
  ...annotated('deployment.serviceAccount.annotations'),
  entries(
    'Gateway',
    'deployment.podTemplate.tolerations',
    'operator Equal needs a key, and operator Exists takes no value',
    [{ key: 'gpu', value: 'no' }, { key: 'gpu' }, { operator: 'Exists' }, { key: 'gpu', operator: 'Exists' }],
    [{}, { value: 'no' }, { operator: 'Exists', key: 'gpu', value: 'no' }],
  ),
  entries(
    'Gateway',
    'deployment.podTemplate.tolerations',
    'tolerationSeconds needs effect NoExecute',
    [{ key: 'gpu', effect: 'NoExecute', tolerationSeconds: 60 }],
    [
      { key: 'gpu', tolerationSeconds: 60 },
      { key: 'gpu', effect: 'NoSchedule', tolerationSeconds: 60 },
    ],
  ),
  values(
    'Gateway',
    'deployment.service',
    'externalTrafficPolicy needs type NodePort or LoadBalancer',
    [{}, { type: 'NodePort', externalTrafficPolicy: 'Local' }],
    [{ externalTrafficPolicy: 'Local' }, { type: 'ClusterIP', externalTrafficPolicy: 'Cluster' }],
  ),
  values(
    'Gateway',
    'deployment.service',
    'sourceRanges needs type LoadBalancer',
    [{ sourceRanges: [] }, { type: 'LoadBalancer', sourceRanges: [cidr] }],
    [{ sourceRanges: [cidr] }, { type: 'NodePort', sourceRanges: [cidr] }],
  ),
  ((refused: Row): Row => ({
    ...refused,
    good: [{ 'deployment.service': { type: 'LoadBalancer', sourceRanges: [cidr] } }],
    bad: refused.bad.map((changes) => ({
      'deployment.service': { type: 'LoadBalancer', sourceRanges: Object.values(changes)[0] },
    })),
  }))(networks('Gateway', 'deployment.service.sourceRanges')),
  token('expiresAfter', 'must be between 10m and 24h', ['10m', '3600s', '24h'], ['599s', '25h']),
  ...peers('networkPolicy.ingress.clients'),
  ...peers('networkPolicy.ingress.metrics'),
  ...peers('networkPolicy.egress.to'),
];
