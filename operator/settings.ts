// How the operator itself is set up, from the environment its chart gives it. Every value is checked before anything starts.
import { z } from 'zod';

const port = z.coerce.number().int().min(0).max(65_535);
const list = z
  .string()
  .transform((text) =>
    text
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== ''),
  )
  .transform((names) => (names.length === 0 ? undefined : names));

const schema = z.object({
  /** This replica, as the leader Lease names it. */
  POD_NAME: z.string().min(1),
  /** Where the leader Lease lives. */
  POD_NAMESPACE: z.string().min(1),
  /** Image of the data plane where a Gateway names none. */
  PORTCULLIS_IMAGE: z.string().min(1),
  PORTCULLIS_IMAGE_PULL_POLICY: z.enum(['Always', 'IfNotPresent', 'Never']).optional(),
  /** Comma separated; the whole cluster when absent or empty. */
  PORTCULLIS_NAMESPACES: list.optional(),
  PORTCULLIS_LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  PORTCULLIS_HEALTH_HOST: z.string().default('::'),
  PORTCULLIS_HEALTH_PORT: port.default(8081),
  /** Requests a second to the API server, on average and at once. */
  PORTCULLIS_API_QPS: z.coerce.number().min(1).max(10_000).default(100),
  PORTCULLIS_API_BURST: z.coerce.number().int().min(1).max(20_000).default(200),
  /** Statuses written a second: a large installation is told about in peace. */
  PORTCULLIS_STATUS_QPS: z.coerce.number().min(1).max(10_000).default(100),
  /** Seconds a leader's Lease is good for. */
  PORTCULLIS_LEASE_SECONDS: z.coerce.number().int().min(3).max(300).default(15),
});

export type OperatorSettings = z.output<typeof schema>;

/** @throws {Error} naming every variable that is missing or wrong */
export function readSettings(environment: Readonly<Record<string, string | undefined>>): OperatorSettings {
  const present = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = schema.safeParse(present);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new Error(`the environment is not complete:\n  ${faults.join('\n  ')}`);
}
