// One look at one upstream: authorize, ask, judge. Harmless by what it asks (see request.ts), bounded in time, never on the path of a call.
import type { Dispatcher } from 'undici';
import { canonicalModel } from '#shared/catalog/spelling.ts';
import type { ServedModel } from '../admit/models.ts';
import type { Settings } from '../config/snapshot.ts';
import { OWN_CALLER } from '../credentials/source.ts';
import { CredentialError } from '../credentials/credential-error.ts';
import type { Clock } from '../credentials/source.ts';
import type { UpstreamTarget } from '../providers/target.ts';
import { classify } from './classify.ts';
import { unreachable, type Finding } from './finding.ts';
import { candidates, listRequest, messageRequest, type ProbeRequest } from './request.ts';

export interface ProbePorts {
  readonly clock: Clock;
  /** Connections as calls have them. */
  readonly connections: (target: UpstreamTarget) => Dispatcher;
}

/** In milliseconds, for each question. */
const DEADLINE_MS = 20_000;
const MAX_ANSWER_BYTES = 1024 * 1024;
/** A list that is not offered after all, by another gateway or a private endpoint. */
const NO_LIST: ReadonlySet<number> = new Set([404, 405, 501]);

interface AskPorts extends ProbePorts {
  readonly signal: AbortSignal;
}

interface Reply {
  readonly status: number;
  readonly text: string;
  readonly date: string | undefined;
  /** Headers of the request, with the credential it went under. */
  readonly sent: readonly string[];
}

/**
 * @param signal gives up: the answer interests nobody any more
 * @returns what was found; never rejects
 */
export async function probe(
  target: UpstreamTarget,
  settings: Settings,
  { clock, connections }: ProbePorts,
  signal: AbortSignal,
): Promise<Finding> {
  const ports: AskPorts = { clock, connections, signal };
  const { models, named } = candidates(target, settings, clock.now());
  const [first] = models;
  if (first === undefined)
    return { outcome: 'Unexpected', message: 'No model is served, so there is nothing to ask for.' };
  try {
    const list = listRequest(target, first);
    const answered = list && (await ask(target, list, ports));
    if (answered !== undefined && !NO_LIST.has(answered.status)) return listFinding(target, answered);
    return await messageFinding(target, models, named, ports);
  } catch (error) {
    return error instanceof CredentialError ? noCredential(error) : unreachable(error, target.origin);
  }
}

function listFinding(target: UpstreamTarget, { status, text }: Reply): Finding {
  const finding = classify({ family: target.entry.provider, status, text, model: undefined });
  const listed = finding.outcome === 'Valid' ? completeList(text) : undefined;
  if (listed === undefined || target.entry.models.length === 0) return finding;
  const { models } = target.catalog;
  const known = new Set([...listed, ...listed.flatMap((id) => canonicalModel(id, models)?.id ?? [])]);
  const missing = target.entry.models
    .map(({ upstreamId }) => upstreamId)
    .filter((id) => !known.has(id) && !known.has(canonicalModel(id, models)?.id ?? id));
  return { ...finding, missing: [...new Set(missing)] };
}

/** Ids of a model list that has no further page. */
function completeList(text: string): string[] | undefined {
  try {
    const { data, has_more: more } = JSON.parse(text) as { data?: unknown; has_more?: unknown };
    if (!Array.isArray(data) || more === true) return undefined;
    return data.flatMap((each: { id?: unknown } | null) => (typeof each?.id === 'string' ? [each.id] : []));
  } catch {
    return undefined;
  }
}

async function messageFinding(
  target: UpstreamTarget,
  models: readonly ServedModel[],
  named: boolean,
  ports: AskPorts,
): Promise<Finding> {
  let finding: Finding = { outcome: 'Unexpected', message: 'The upstream cannot be asked for a message.' };
  for (const model of models) {
    const request = messageRequest(target, model);
    if (request === undefined) continue;
    const { status, text } = await ask(target, request, ports);
    finding = classify({ family: target.entry.provider, status, text, model: target.modelId(model) ?? model.id });
    if (finding.outcome !== 'ModelNotEnabled' || named) break;
  }
  return finding;
}

/** Asks once more where the credential has another form, as calls do. */
async function ask(target: UpstreamTarget, request: ProbeRequest, ports: AskPorts): Promise<Reply> {
  const reply = await askOnce(target, request, ports);
  if (reply.status !== 401 && reply.status !== 403) return reply;
  const again = target.credential.rejected(OWN_CALLER, reply.date, reply.sent);
  return again ? askOnce(target, request, ports) : reply;
}

async function askOnce(
  target: UpstreamTarget,
  { method, path, headers: plain, body }: ProbeRequest,
  { clock, connections, signal }: AskPorts,
): Promise<Reply> {
  const headers = [...plain];
  const late = new AbortController();
  const cancel = clock.after(DEADLINE_MS, () => late.abort());
  try {
    await target.credential.authorize({ method, origin: target.origin, path, headers, body }, OWN_CALLER);
    const answer = await connections(target).request({
      origin: target.origin,
      path,
      method,
      headers,
      ...(method === 'POST' ? { body } : {}),
      signal: AbortSignal.any([signal, late.signal]),
    });
    const hint = String(answer.headers['x-amzn-errortype'] ?? '');
    const { date } = answer.headers;
    return {
      status: answer.statusCode,
      text: hint + (await textOf(answer.body)),
      date: typeof date === 'string' ? date : undefined,
      sent: headers,
    };
  } finally {
    cancel();
  }
}

async function textOf(body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** The source's words: they were cleaned when they were written. */
export function noCredential(fault: { readonly message: string }): Finding {
  return { outcome: 'CredentialUnavailable', message: `There is no credential to use: ${fault.message}.` };
}
