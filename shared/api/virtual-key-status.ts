// What the operator reports on a VirtualKey. `credential` and `previous` are the only record of a generated value: its keyed hash and where
// it is in its life. They have one writer, the minter; everything else is the status writer's.
import { z } from 'zod';
import { listMap } from './scalars.ts';

const time = (description: string) => z.iso.datetime({ offset: true }).max(40).describe(description);
const hash = z
  .string()
  .max(64)
  .regex(/^[0-9a-f]{64}$/)
  .describe("Keyed hash of the value, under the Gateway's pepper.");
const prefix = z.string().max(64).describe('First characters of the value, to recognise it by.');
const serial = z.int32().min(1).describe('Counts the values made for this key, from 1.');

export const KEY_PHASES = [
  'Pending',
  'Active',
  'Expiring',
  'Expired',
  'RotationDue',
  'Grace',
  'Disabled',
  'Revoked',
] as const;
export type KeyPhase = (typeof KEY_PHASES)[number];

export const storedCredential = z
  .strictObject({
    serial,
    hash,
    prefix,
    pepper: z
      .string()
      .max(8)
      .regex(/^[0-9a-f]{8}$/)
      .describe('Which pepper the hash was made with.'),
    delivered: z.boolean().describe('Whether the value stands in the output Secret; until then nobody can have it.'),
    mintedAt: time('When the value was made.'),
    rotate: z
      .string()
      .max(128)
      .describe('What annotation portcullis.dev/rotate said when the value was made; anything else rotates.')
      .optional(),
  })
  .describe('The value in force.');

export const storedPrevious = z
  .strictObject({
    serial,
    hash,
    prefix,
    until: time('End of grace; absent while the new value is not delivered.').optional(),
    lastUsedAt: time('Last use during grace, to within ten minutes.').optional(),
    uses: z.int32().min(1).describe('Calls during grace, at least.').optional(),
    addresses: z
      .array(z.string().max(64).describe('An address.'))
      .max(5)
      .meta({ description: 'Clients that used it during grace, last first.', 'x-kubernetes-list-type': 'atomic' })
      .optional(),
  })
  .describe('The value that was rotated out and is still good until the end of grace.');

const clientEnv = z.strictObject({
  name: z.string().min(1).max(64).describe('Name of the variable.'),
  value: z.string().max(512).describe('Its value, where that is no secret.').optional(),
  valueFrom: z
    .strictObject({
      secretKeyRef: z
        .strictObject({
          name: z.string().max(253).describe('Name of the Secret.'),
          key: z.string().max(253).describe('Key within the Secret.'),
        })
        .describe('Where the value is kept.'),
    })
    .describe('Where the secret value comes from.')
    .optional(),
});

/** Members of the VirtualKey status beside the conditions. */
export const virtualKeyMembers = {
  phase: z.enum(KEY_PHASES).describe('Where the key is in its life.').optional(),
  prefix: prefix.optional(),
  expiresAt: time("End of the key's life, whether given or from ttl.").optional(),
  nextRotation: time('When a new value is due by spec.rotation.every.').optional(),
  clientEnv: listMap(
    clientEnv,
    'name',
    8,
    'What a client needs, as the env of a container in the namespace of the key.',
  ).optional(),
  credential: storedCredential.optional(),
  previous: storedPrevious.optional(),
};

/** Only Generated keys have it. */
export type StoredCredential = z.output<typeof storedCredential>;
export type StoredPrevious = z.output<typeof storedPrevious>;
