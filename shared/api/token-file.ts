// A token file as manifests name it.
import { z } from 'zod';

/** A file that a projected volume or an agent keeps fresh; the gateway reads it again for each exchange. */
export const tokenFile = z
  .string()
  .min(2)
  .max(512)
  .regex(/^\/\S+$/, 'must be an absolute path such as /var/run/secrets/tokens/provider')
  .describe('Absolute path of a token in the pods of the gateway. Read anew for each exchange.');
