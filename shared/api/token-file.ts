// Token files as manifests name them: those that the operator mounts, by a folder and a name, and those of anybody else.
import { z } from 'zod';

/** In the pods of a Gateway: one file for each entry of its `deployment.tokens`. */
export const TOKENS_FOLDER = '/var/run/secrets/portcullis/tokens';

/** A file that a projected volume or an agent keeps fresh; the gateway reads it again for each exchange. */
export const tokenFile = z
  .string()
  .min(2)
  .max(512)
  .regex(/^\/\S+$/, 'must be an absolute path such as /var/run/secrets/tokens/provider')
  .describe(
    `Absolute path of a token in the pods of the gateway, such as ${TOKENS_FOLDER}/<name> for an entry of Gateway.spec.deployment.tokens. Read anew for each exchange.`,
  );
