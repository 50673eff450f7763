// Gateway: one data plane. What it listens on, who may attach, how it names, routes, prices and reports.
import { z } from 'zod';
import {
  HTTP_URL,
  cidrList,
  duration,
  listMap,
  listSet,
  modelId,
  objectName,
  price,
  selector,
  size,
} from './scalars.ts';
import { withRules } from './rules.ts';
import { catalog } from './catalog-ref.ts';
import { deploymentSpec } from './deployment.ts';
import { dialects, pathPrefixes } from './dialects.ts';
import { isLoopbackHost } from './loopback.ts';
import { networkPolicySpec } from './network-policy.ts';
import { fallbacks, routing } from './routing.ts';

const publicUrl = withRules(
  z
    .string()
    .min(8)
    .max(512)
    .regex(HTTP_URL, 'must be an http or https URL')
    .describe(
      'Address clients use, such as https://claude.corp.internal. Every advertised URL derives from it. Plain http only on loopback.',
    ),
  [
    {
      // Not getHostname(): its result has no bound, and a pattern on it costs more than an API server allows.
      cel: "isURL(self) && (self.startsWith('https://') || self.matches('^http://(localhost|127([.][0-9]{1,3}){3}|[[]::1[]])(:[0-9]*)?([/?#]|$)'))",
      holds: (self) => {
        const url = URL.parse(self);
        return (
          url !== null && (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackHost(url.hostname)))
        );
      },
      message: 'must be an https URL, or http on localhost, 127.0.0.1 or [::1]',
    },
    {
      cel: "!isURL(self) || ((url(self).getEscapedPath() == '' || url(self).getEscapedPath() == '/') && size(url(self).getQuery()) == 0 && !self.contains('#') && !self.contains('@'))",
      holds: (self) => {
        const url = URL.parse(self);
        return (
          url === null || (url.pathname === '/' && url.search === '' && !self.includes('#') && !self.includes('@'))
        );
      },
      message: 'must have no path, query, fragment or user',
    },
  ],
);

const attachment = (kind: string) =>
  withRules(
    z
      .strictObject({
        from: z
          .enum(['Same', 'All', 'Selector'])
          .default('Same')
          .describe(
            'Same: only the namespace of the Gateway. All: every namespace. Selector: namespaces with these labels.',
          ),
        selector: selector('Labels of the namespaces admitted, with from: Selector.').optional(),
      })
      .describe(`Namespaces from which a ${kind} may attach.`),
    [
      {
        // An API server tests the default {} before it fills in `from`.
        cel: "(has(self.from) && self.from == 'Selector') == has(self.selector)",
        holds: (self) => (self.from === 'Selector') === (self.selector !== undefined),
        message: 'selector is needed with from: Selector, and only then',
      },
    ],
  ).prefault({});

const listen = z
  .strictObject({
    port: z.int32().min(1).max(65535).default(8080).describe('Port of the client listener. A change needs a restart.'),
    trustedProxies: cidrList(
      'Proxies whose X-Forwarded-For is believed. Without them every per-IP rule sees the proxy.',
    ).default([]),
    access: z
      .strictObject({
        allow: cidrList('When not empty, every other network is refused.').default([]),
        deny: cidrList('Networks refused, whatever allow says.').default([]),
      })
      .describe('Networks that may connect. Health probes are exempt.')
      .prefault({}),
    limits: z
      .strictObject({
        maxBodyBytes: size(
          { min: '1Ki', max: '256Mi' },
          'Largest request body, before and after decompression.',
        ).default('32Mi'),
        maxHeaderBytes: size(
          { min: '4Ki', max: '1Mi' },
          'Largest request header block. A change needs a restart.',
        ).default('64Ki'),
        maxUrlBytes: size({ min: '256', max: '64Ki' }, 'Longest request URL.').default('8Ki'),
        maxConcurrentUpstream: z
          .int32()
          .min(1)
          .max(100_000)
          .default(4096)
          .describe('Upstream calls at once, per replica. Streams last minutes: keep it in the thousands.'),
        maxQueued: z
          .int32()
          .min(0)
          .max(100_000)
          .default(1024)
          .describe('Calls that may wait for a free place, per replica; the next one is answered 529.'),
      })
      .describe('Bounds that protect a replica.')
      .prefault({}),
    timeouts: z
      .strictObject({
        body: duration({ min: '100ms', max: '1h' }, 'Time to receive a request body.').default('60s'),
        queue: duration({ min: '100ms', max: '1h' }, 'Longest wait for a free upstream place.').default('30s'),
        connect: duration({ min: '100ms', max: '5m' }, 'Time to connect to an upstream.').default('10s'),
        reconnect: duration(
          { min: '1s', max: '24h' },
          'Age at which a connection to an upstream takes no further calls: a name that moves to other addresses is followed within it, and running answers finish.',
        ).default('5m'),
        firstByte: duration(
          { min: '100ms', max: '1h' },
          'Time from sending a request to the first byte of the answer.',
        ).default('120s'),
        streamIdle: duration({ min: '100ms', max: '24h' }, 'Longest silence within an answer, on either side.').default(
          '330s',
        ),
        ping: duration(
          { min: '100ms', max: '1h' },
          'Silence on a stream after which the gateway writes a ping of its own.',
        ).default('15s'),
        keepAlive: duration(
          { min: '1s', max: '1h' },
          'How long an idle client connection is kept. A change needs a restart.',
        ).default('75s'),
        drain: duration(
          { min: '0s', max: '24h' },
          'How long running answers may finish after SIGTERM. In a cluster a change replaces the pods, one by one.',
        ).default('600s'),
      })
      .describe('Every wait has an end.')
      .prefault({}),
  })
  .describe('The client listener.')
  .prefault({});

const modelEntry = z.strictObject({
  id: modelId('Name clients may send.'),
  displayName: z.string().min(1).max(128).describe('Name shown in model pickers; the id when left out.').optional(),
  description: z.string().max(512).describe('One line shown in model pickers.').optional(),
  target: modelId('Model this name stands for, in any spelling.'),
});

const models = z
  .strictObject({
    builtin: z
      .boolean()
      .default(true)
      .describe('Serve the built-in Claude catalog. Off: only entries and the models that upstreams map.'),
    entries: listMap(modelEntry, 'id', 256, 'Names of your own for models.').default([]),
    fallbacks: fallbacks.default([]),
  })
  .describe('Model names clients may use.')
  .prefault({});

const pricing = z
  .strictObject({
    multiplier: z
      .string()
      .max(16)
      .regex(
        /^([1-9][0-9]{0,2}(\.[0-9]{1,6})?|0\.0{0,5}[1-9][0-9]{0,5})$/,
        'must be a decimal above zero such as "0.9"',
      )
      .default('1.0')
      .describe('Factor on every list price: a negotiated discount or an internal surcharge.'),
    overrides: z
      .array(
        z.strictObject({
          upstream: objectName(
            "Only for this Upstream of the Gateway's namespace; every upstream when left out.",
          ).optional(),
          model: modelId('Model the price is for, in any spelling.'),
          price,
        }),
      )
      .max(256)
      .meta({
        description: 'Prices that replace list prices; the first that matches is used.',
        'x-kubernetes-list-type': 'atomic',
      })
      .default([]),
  })
  .describe('What a token costs.')
  .prefault({});

export const gatewaySpec = z
  .strictObject({
    publicUrl,
    environment: z.string().min(1).max(63).describe('Keys that name another environment are refused.').optional(),
    paused: z.boolean().default(false).describe('Answer every call with 503 and keep the Service.'),
    allowedNamespaces: z
      .strictObject({
        virtualKeys: attachment('VirtualKey'),
        policies: attachment('Policy'),
        upstreams: attachment('Upstream'),
      })
      .describe('Who may attach to this Gateway.')
      .prefault({}),
    listen,
    dialects,
    pathPrefixes,
    virtualKeys: z
      .strictObject({
        prefix: z
          .string()
          .min(2)
          .max(20)
          .regex(
            /^[A-Za-z][A-Za-z0-9]*[-_]([A-Za-z0-9]+[-_])*$/,
            'must be letters and digits in parts that each end with - or _',
          )
          .default('sk-pc-')
          .describe('Start of every generated key.'),
        onRevoke: z
          .enum(['Finish', 'Cut'])
          .default('Finish')
          .describe('What becomes of answers that are running when their key is revoked.'),
      })
      .describe('Virtual keys of this Gateway.')
      .prefault({}),
    models,
    catalog: catalog.optional(),
    routing,
    defaultAccess: z.enum(['Deny', 'Allow']).default('Deny').describe('For callers whom no Policy matches.'),
    pricing,
    proxy: z
      .strictObject({
        url: z
          .string()
          .min(8)
          .max(512)
          .regex(/^https?:\/\/[^\s@]+$/, 'must be an http or https URL without credentials')
          .describe('Forward proxy for upstream calls, such as http://proxy.corp:3128.'),
        noProxy: listSet(z.string().min(1).max(253), 64, 'Hosts and domain suffixes reached directly.').default([]),
      })
      .describe('Forward proxy; HTTPS_PROXY and NO_PROXY of the process when left out.')
      .optional(),
    metrics: z
      .strictObject({
        port: z
          .int32()
          .min(1)
          .max(65535)
          .default(9090)
          .describe('Port of the Prometheus endpoint. A change needs a restart.'),
        principalLabel: z
          .enum(['None', 'Hashed', 'Name'])
          .default('None')
          .describe(
            'Whether request metrics carry the caller. Name and Hashed make one series per caller, at most 2000.',
          ),
      })
      .describe('Prometheus metrics.')
      .prefault({}),
    logging: z
      .strictObject({
        level: z
          .enum(['debug', 'info', 'warn', 'error'])
          .default('info')
          .describe('Operational log level. Audit records do not depend on it.'),
      })
      .describe('Operational log.')
      .prefault({}),
    deployment: deploymentSpec,
    networkPolicy: networkPolicySpec,
  })
  .describe('One data plane: a listener, its rules and its reports.');

export type GatewaySpec = z.output<typeof gatewaySpec>;
