// Limits that upstreams name in their answers, by model: what the account may do in a minute. Looked at every five minutes for each model,
// since they change when somebody signs a contract.
import type { IncomingHttpHeaders } from 'node:http';
import type { Quota } from '#shared/upstream-report.ts';

const FRESH_MS = 300_000;
const HEADERS = [
  ['requests', 'anthropic-ratelimit-requests-limit'],
  ['tokens', 'anthropic-ratelimit-tokens-limit'],
  ['inputTokens', 'anthropic-ratelimit-input-tokens-limit'],
  ['outputTokens', 'anthropic-ratelimit-output-tokens-limit'],
] as const;
const FIGURE = /^\d{1,15}$/;

interface Seen {
  readonly quota: Quota;
  /** Milliseconds of the clock given. */
  readonly at: number;
}

export class Quotas {
  readonly #byModel = new Map<string, Seen>();

  /** @param model id the call is routed under, of which there are as many as are served @returns whether a limit is another than before */
  observe(model: string, headers: IncomingHttpHeaders, now: number): boolean {
    const seen = this.#byModel.get(model);
    if (seen !== undefined && now - seen.at < FRESH_MS) return false;
    const quota: Record<string, number> = {};
    for (const [name, header] of HEADERS) {
      const value = headers[header];
      if (typeof value === 'string' && FIGURE.test(value)) quota[name] = Number(value);
    }
    this.#byModel.set(model, { quota, at: now });
    return JSON.stringify(seen?.quota ?? {}) !== JSON.stringify(quota);
  }

  /** Limits by model, where there are any; as old as the last call, but never older than five minutes while there are calls. */
  known(): Readonly<Record<string, Quota>> {
    const known = [...this.#byModel].filter(([, { quota }]) => Object.keys(quota).length > 0);
    return Object.fromEntries(known.map(([model, { quota }]) => [model, quota]));
  }
}
