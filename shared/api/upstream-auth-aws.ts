// AWS credentials, as every family that AWS serves takes them: a key pair, a role for a token, and a role on top of either.
import { z } from 'zod';
import type { Rule } from './rules.ts';
import { secretKeyRef } from './scalars.ts';
import { tokenFile } from './token-file.ts';

const roleArn = (description: string) =>
  z
    .string()
    .min(20)
    .max(1024)
    .regex(/^arn:aws(-[a-z]+)*:iam::[0-9]{12}:role\/[A-Za-z0-9_+=,.@/-]+$/, 'must be the ARN of a role')
    .describe(description);

export const awsAuthMembers = {
  // Both halves or none: the schema asks for both.
  accessKey: z
    .strictObject({
      accessKeyId: secretKeyRef('The access key id.'),
      secretAccessKey: secretKeyRef('The secret access key.'),
      sessionToken: secretKeyRef('The session token of temporary keys.').optional(),
    })
    .describe('A key pair, with type: AccessKey.')
    .optional(),
  webIdentity: z
    .strictObject({ roleArn: roleArn('Role that trusts the issuer of the token.'), tokenFile })
    .describe('A role for a token of the pod, from any cluster or cloud, with type: WebIdentity.')
    .optional(),
  assumeRole: z
    .strictObject({
      roleArn: roleArn('Role to assume.'),
      externalId: z
        .string()
        .min(2)
        .max(1224)
        .regex(/^[A-Za-z0-9_+=,.@:/-]+$/, 'must be letters, digits and _+=,.@:/-')
        .describe('External id that the trust policy of the role asks for.')
        .optional(),
      sessionName: z
        .string()
        .min(2)
        .max(64)
        .regex(/^([A-Za-z0-9_+=,.@-]|[{]user[}])+$/, 'must be letters, digits, _+=,.@- and {user}')
        .default('portcullis-{user}')
        .describe(
          'Name of the session as CloudTrail shows it. {user} stands for the caller and makes one session for each; without it callers share one.',
        ),
    })
    .describe('A role to assume with these credentials, such as one in another account.')
    .optional(),
};

/** @param keyless the type that has no AWS keys */
export function needsAwsKeys(keyless: string): Rule<Readonly<Record<string, unknown>>> {
  return {
    cel: `!has(self.assumeRole) || self.type != '${keyless}'`,
    holds: ({ assumeRole, type }) => assumeRole === undefined || type !== keyless,
    message: `assumeRole begins with AWS keys; type ${keyless} has none`,
    field: 'assumeRole',
  };
}
