// VirtualKey: one non-interactive credential, who answers for it, what it may do at most and how long it lives.
import { z } from 'zod';
import { cidrList, duration, gatewayRef, listSet, modelPatterns, objectName, scopes, secretKeyRef } from './scalars.ts';
import { withRules } from './rules.ts';
import { DURATION_PATTERN, parseDuration } from '#shared/duration.ts';

/** Narrower than other model names: the line may be read by a shell. */
export const MODEL_NAME = /^[A-Za-z0-9][A-Za-z0-9._:/@[\]-]*$/;

export const OWNER_NAME = /^[^\s,]+$/;

const credential = withRules(
  z
    .strictObject({
      type: z
        .enum(['Generated', 'Imported'])
        .describe('Generated: made here and written once to a Secret. Imported: an existing value.'),
      generated: z
        .strictObject({
          secretName: objectName(
            'Secret the key is written to, with ANTHROPIC_BASE_URL and ANTHROPIC_AUTH_TOKEN for envFrom. Never one that exists already.',
          ),
          model: z
            .string()
            .min(1)
            .max(256)
            .regex(MODEL_NAME, 'must be a model name of letters, digits and . _ : / @ [ ] -')
            .describe('Model the client starts with: written beside the key as ANTHROPIC_MODEL.')
            .optional(),
        })
        .describe('With type: Generated.')
        .optional(),
      imported: z
        .strictObject({ secretRef: secretKeyRef('Where the existing value is kept.') })
        .describe('With type: Imported.')
        .optional(),
    })
    .describe('Where the key value comes from.'),
  [
    {
      cel: "(self.type == 'Generated') == has(self.generated) && (self.type == 'Imported') == has(self.imported)",
      holds: (self) =>
        (self.type === 'Generated') === (self.generated !== undefined) &&
        (self.type === 'Imported') === (self.imported !== undefined),
      message: 'exactly the member named by type must be set: generated for Generated, imported for Imported',
    },
  ],
);

const rotation = withRules(
  z
    .strictObject({
      every: duration(
        { min: '10m', max: '87600h' },
        'Age at which a value is due to be replaced; 2160h (90 days) is good advice. No schedule when left out.',
      ).optional(),
      automatic: z
        .boolean()
        .default(false)
        .describe(
          'Replace the value when it is due. Otherwise condition RotationDue says so and the value stays good.',
        ),
      grace: duration(
        { min: '0s', max: '720h' },
        'How long the old value stays good beside the new one, from when the Secret holds the new one. A further rotation ends it at once.',
      ).default('24h'),
    })
    .describe('Replacing the value. Annotation portcullis.dev/rotate with any new value replaces it now.'),
  [
    {
      cel: '!(has(self.automatic) && self.automatic) || has(self.every)',
      holds: (self) => !self.automatic || self.every !== undefined,
      message: 'automatic needs every',
    },
    {
      cel: '!has(self.every) || !has(self.grace) || duration(self.grace) < duration(self.every)',
      holds: (self) => {
        const { every, grace } = self;
        if (every === undefined || !DURATION_PATTERN.test(every) || !DURATION_PATTERN.test(grace)) return true;
        return parseDuration(grace) < parseDuration(every);
      },
      message: 'grace (24h when left out) must be shorter than every',
    },
  ],
);

export const virtualKeySpec = withRules(
  z
    .strictObject({
      gatewayRef,
      owner: z
        .strictObject({
          type: z.enum(['User', 'Team', 'Service']).describe('What the owner is.'),
          name: z
            .string()
            .min(1)
            .max(253)
            .regex(OWNER_NAME, 'must not contain spaces or commas')
            .describe('User name or e-mail, team, or service.'),
        })
        .describe('Who answers for the key and is charged.'),
      environment: z
        .string()
        .min(1)
        .max(63)
        .describe('Environment the key is for; refused on a Gateway of another one.')
        .optional(),
      credential,
      scopes: scopes('What the key may do: read (models, counts, health), write (messages).')
        .min(1)
        .default(['read', 'write']),
      models: z
        .strictObject({ allow: modelPatterns('Models the key may use, within its policies.').min(1) })
        .describe('Models the key is limited to.')
        .optional(),
      network: z
        .strictObject({ allow: cidrList('Networks the key may be used from.').min(1) })
        .describe('Where the key may be used.')
        .optional(),
      endpoints: listSet(
        z.enum(['Messages', 'CountTokens', 'Models']),
        3,
        'Endpoints the key is limited to; all when left out.',
      )
        .min(1)
        .optional(),
      expiresAt: z.iso.datetime({ offset: true }).max(40).describe("End of the key's life.").optional(),
      ttl: duration(
        { min: '1s', max: '87600h' },
        'Life of the key from its creation; instead of expiresAt.',
      ).optional(),
      rotation: rotation.optional(),
      state: z
        .enum(['Active', 'Disabled', 'Revoked'])
        .default('Active')
        .describe('Disabled can be undone; Revoked is final.'),
    })
    .describe('One non-interactive credential.'),
  [
    {
      cel: '!(has(self.expiresAt) && has(self.ttl))',
      holds: (self) => self.expiresAt === undefined || self.ttl === undefined,
      message: 'expiresAt and ttl exclude each other',
    },
    {
      cel: "!has(self.rotation) || self.credential.type == 'Generated'",
      holds: (self) => self.rotation === undefined || self.credential.type === 'Generated',
      message: 'rotation needs credential type Generated: an imported value is replaced where it comes from',
    },
  ],
  [
    {
      cel: "!has(oldSelf.state) || oldSelf.state != 'Revoked' || (has(self.state) && self.state == 'Revoked')",
      message: 'a revoked key stays revoked; create a new VirtualKey',
    },
  ],
);

export type VirtualKeySpec = z.output<typeof virtualKeySpec>;
