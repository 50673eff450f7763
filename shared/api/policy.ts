// Policy: who may do what. Matching by owner, group, domain or key labels; models, upstreams, networks and scopes allowed.
import { z } from 'zod';
import { cidrList, gatewayRef, listMap, listSet, modelPatterns, scopes, selector } from './scalars.ts';
import { withRules } from './rules.ts';
import { headerMatch } from './header-match.ts';

const matchList = (member: z.ZodType<string>, description: string) => listSet(member, 128, description).min(1);

const match = withRules(
  z
    .strictObject({
      everyone: z.strictObject({}).describe('Matches every caller; other policies merge over it.').optional(),
      groups: matchList(
        z.string().min(1).max(256).regex(/\S/, 'must not be blank'),
        'Groups of people, and teams that own keys.',
      ).optional(),
      emailDomains: matchList(
        z
          .string()
          .min(1)
          .max(253)
          .regex(/^@?[^@\s,]+$/, 'must be a domain such as corp.com, without @, space or comma'),
        'E-mail domains of people; one leading @ is ignored.',
      ).optional(),
      users: matchList(
        z.string().min(1).max(256).regex(/\S/, 'must not be blank'),
        'Users by name or e-mail, as in the owner of a VirtualKey.',
      ).optional(),
      keySelector: selector("Labels of VirtualKeys of the policy's own namespace.").optional(),
      headers: listMap(
        headerMatch,
        'name',
        8,
        'Headers that a call must carry, all of them. Such a policy only narrows what policies without headers grant: clients write their headers themselves.',
      )
        .min(1)
        .optional(),
    })
    .describe('Whom the policy is for. Values of one list are alternatives; the fields add up.'),
  [
    {
      cel: 'has(self.everyone) != (has(self.groups) || has(self.emailDomains) || has(self.users) || has(self.keySelector))',
      holds: (self) =>
        (self.everyone !== undefined) !== Boolean(self.groups ?? self.emailDomains ?? self.users ?? self.keySelector),
      message: 'must be everyone: {} alone, or at least one of groups, emailDomains, users and keySelector',
    },
  ],
);

export const policySpec = z
  .strictObject({
    gatewayRef,
    priority: z
      .int32()
      .min(-1_000_000)
      .max(1_000_000)
      .default(0)
      .describe('Higher wins. Among equals the older policy wins, then the name decides.'),
    match,
    models: z
      .strictObject({
        allow: modelPatterns('Models that may be used; all when left out.').optional(),
        deny: modelPatterns('Models that may not be used, whatever allow says.').default([]),
      })
      .describe('Models this policy grants.')
      .prefault({}),
    upstreams: z
      .strictObject({
        names: listSet(
          z
            .string()
            .min(1)
            .max(317)
            .regex(
              /^([a-z0-9]([-a-z0-9]*[a-z0-9])?\/)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/,
              'must be a name or namespace/name',
            ),
          64,
          'Upstreams by name, or by namespace/name.',
        ).optional(),
        selector: selector("Upstreams of the Gateway's namespace by their labels.").optional(),
        regions: listSet(
          z
            .string()
            .min(1)
            .max(63)
            .regex(
              /^[a-z0-9*]([-a-z0-9*]*[a-z0-9*])?$/,
              'must be a region such as us-east-1, or a pattern such as eu-*',
            ),
          32,
          'Regions a call may go to, as Upstreams name theirs. Bounds whatever this and other matching policies choose; an upstream without region is outside.',
        )
          .min(1)
          .optional(),
        crossProvider: z
          .enum(['Allow', 'Forbid'])
          .default('Allow')
          .describe(
            'Forbid: every call of a caller for a model goes to one provider, that of the upstream first in priority, chosen by weight among equals whatever its health. Holds when any matching policy says so.',
          ),
      })
      .describe(
        "Upstreams that may serve these callers; those of the Gateway's namespace when neither names nor selector is given. Bounds every strategy, failover and fallback.",
      )
      .optional(),
    network: z
      .strictObject({ allow: cidrList('Networks these callers may come from.').min(1) })
      .describe('Where calls may come from.')
      .optional(),
    scopes: scopes('Most that a caller may do: read (models, counts, health), write (messages).').min(1).optional(),
    denyMessage: z.string().min(1).max(500).describe('Sentence added to refusals: whom to ask.').optional(),
  })
  .describe('Who may do what.');

export type PolicySpec = z.output<typeof policySpec>;
