// A header that a call must carry for a Policy to apply, such as one a team sets in its clients.
import { z } from 'zod';
import { headerName, listSet } from './scalars.ts';
import { withRules } from './rules.ts';

/** Headers that carry credentials: a manifest is no place for their values. */
const CREDENTIALS = [
  'authorization',
  'proxy-authorization',
  'cookie',
  'x-api-key',
  'api-key',
  'x-goog-api-key',
  'x-amz-security-token',
];

export const headerMatch = withRules(
  z.strictObject({
    name: headerName,
    values: listSet(
      z
        .string()
        .min(1)
        .max(256)
        .regex(/^[!-~]([ -~]*[!-~])?$/, 'must be printable ASCII without blanks at the ends'),
      16,
      'Values taken, compared to the letter.',
    ).min(1),
  }),
  [
    {
      cel: `!(self.name in [${CREDENTIALS.map((name) => `'${name}'`).join(', ')}])`,
      holds: (self) => !CREDENTIALS.includes(self.name),
      message: 'must not be a header that carries a credential: its value would stand in the manifest',
      field: 'name',
    },
  ],
);
