// What a probe sends: the model list where the family has a free one, otherwise one message of one token. Both are made like any other
// call, so that what is tried is what calls will meet: path, own headers, configured headers, body rules, credential.
import type { IncomingMessage } from 'node:http';
import { GatewayError } from '../errors.ts';
import type { ServedModel } from '../admit/models.ts';
import type { Settings } from '../config/snapshot.ts';
import { readMessageFields } from '../providers/message-fields.ts';
import { OWN_CALLER } from '../credentials/source.ts';
import type { UpstreamRequest } from '../providers/provider.ts';
import type { UpstreamTarget } from '../providers/target.ts';
import { upstreamRequest } from '../providers/upstream-request.ts';
import { typicalPrice } from '../route/strategy-price.ts';

export interface ProbeRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Names in lower case and values in turn. */
  readonly headers: string[];
  readonly body: Buffer;
}

/** What the provider's own clients say; a stand-in for the headers of a client. */
const HEADERS = { 'content-type': 'application/json', 'user-agent': 'portcullis-probe' } as const;
const VERSION = '2023-06-01';
/** More than any account has; a shorter page would say nothing about what is missing. */
const LIST_LIMIT = 1_000;
const NOTHING = Buffer.alloc(0);

/** @returns undefined where the family has no free list */
export function listRequest(target: UpstreamTarget, model: ServedModel): ProbeRequest | undefined {
  const { listPath } = target.provider;
  if (listPath === undefined) return undefined;
  const message = messageRequest(target, model);
  if (message === undefined) return undefined;
  const path = `${target.pathPrefix}${listPath}?limit=${target.entry.models.length === 0 ? 1 : LIST_LIMIT}`;
  return { method: 'GET', path, headers: message.headers, body: NOTHING };
}

/** @returns undefined when the upstream cannot be asked for this model */
export function messageRequest(target: UpstreamTarget, model: ServedModel): ProbeRequest | undefined {
  const body = Buffer.from(
    JSON.stringify({ model: model.id, max_tokens: 1, messages: [{ role: 'user', content: '.' }] }),
  );
  const rawHeaders = Object.entries({ ...HEADERS, 'anthropic-version': VERSION }).flat();
  const client = { headers: { ...HEADERS, 'anthropic-version': VERSION }, rawHeaders } as unknown as IncomingMessage;
  const made: UpstreamRequest | GatewayError = upstreamRequest(target, {
    client,
    callId: 'probe',
    caller: { id: OWN_CALLER, owner: OWN_CALLER, email: undefined },
    operation: 'messages',
    search: '',
    format: 'Messages',
    body,
    fields: readMessageFields(body),
    model,
    credentials: [],
  });
  if (made instanceof GatewayError) return undefined;
  return { method: 'POST', path: made.path, headers: made.headers, body: made.body };
}

/** An account need not have every model of the catalog: so many are tried before its models are called missing. */
const TRIED = 3;

export interface Candidates {
  readonly models: readonly ServedModel[];
  /** The platform team wrote it down, so its absence is a fault and not a wrong guess. */
  readonly named: boolean;
}

/**
 * Models to ask for, the best first.
 * @param at milliseconds since 1970, for prices that change
 */
export function candidates(target: UpstreamTarget, { models, prices }: Settings, at: number): Candidates {
  const { probe } = target.entry;
  const wanted = probe?.model === undefined ? undefined : models.resolve(probe.model);
  if (wanted !== undefined && target.serves(wanted)) return { models: [wanted], named: true };
  const byId = new Map<string, ServedModel>();
  for (const model of models.list()) if (target.serves(model)) byId.set(model.id, model);
  const served = [...byId.values()];
  const mapped = served.filter((model) => target.mappedId(model) !== undefined);
  const choice = mapped.length > 0 ? mapped : served;
  const priced = choice.map((model) => ({ model, price: typicalPrice(prices, target, model, at) }));
  priced.sort((a, b) => a.price - b.price);
  return { models: priced.slice(0, TRIED).map(({ model }) => model), named: mapped.length > 0 };
}
