// How an upstream is reached: its address, the headers every call carries, and what secures the connection.
import { z } from 'zod';
import { HTTP_URL, headerName, secretKeyRef } from './scalars.ts';
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

export const upstreamHeader = withRules(
  z.strictObject({
    name: headerName,
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

export const baseUrl = withRules(
  z
    .string()
    .min(8)
    .max(512)
    .regex(HTTP_URL, 'must be an http or https URL')
    .describe(
      'Endpoint to use instead of the public one: a private or FIPS endpoint, a sovereign cloud, another gateway. Plain http only while the Gateway itself is on loopback.',
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

/** There is deliberately no field that switches verification off. */
export const upstreamTls = z
  .strictObject({
    caRef: secretKeyRef('PEM certificates to trust instead of the public ones.').optional(),
    clientCertificate: z
      .strictObject({
        certificateRef: secretKeyRef(
          'PEM certificate, followed by those between it and the root; tls.crt of a TLS Secret.',
        ),
        keyRef: secretKeyRef('PEM private key without passphrase; tls.key of a TLS Secret.'),
      })
      .describe('Certificate that the gateway presents.')
      .optional(),
    minVersion: z
      .enum(['TLSv1.2', 'TLSv1.3'])
      .describe('Oldest version of TLS that is spoken; TLSv1.2 when left out.')
      .optional(),
  })
  .describe('How the connection is secured beyond the default. Certificates are always verified.');
