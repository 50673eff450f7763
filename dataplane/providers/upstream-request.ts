// From a client call and an upstream to the request that goes there, complete but for its credential. What differs between families
// stands in their files; what they have in common stands here.
import type { IncomingMessage } from 'node:http';
import { refuse, type GatewayError } from '../errors.ts';
import type { AdaptedBody, BodyOutcome, BodyRefusal } from './body-rules.ts';
import type { ProviderRequest, Route, UpstreamRequest } from './provider.ts';
import type { UpstreamTarget } from './target.ts';
import { readableCodings } from '../route/content-coding.ts';
import { upstreamQuery } from './upstream-query.ts';

/** Of the client's headers, those that every upstream of the Messages API gets. */
const FORWARDED = new Set(['accept', 'accept-encoding', 'content-type', 'user-agent']);
/** They speak of the body's format, so they stay here when that is not the one it leaves in. */
const OF_FORMAT = new Set(['accept', 'content-type']);
/** What the rules change, and then is not taken from the client's headers. */
const RULED = new Set(['anthropic-beta', 'anthropic-version']);

/**
 * Never throws: second attempts begin in callbacks of connections and timers, where an error would end the process and every call in it.
 * @returns why this upstream cannot be asked, when it cannot; another one may be. A defect of ours is a 500
 */
export function upstreamRequest(target: UpstreamTarget, request: ProviderRequest): UpstreamRequest | GatewayError {
  try {
    return prepare(target, request);
  } catch {
    return refuse.internal();
  }
}

function prepare(target: UpstreamTarget, request: ProviderRequest): UpstreamRequest | GatewayError {
  const { provider, entry } = target;
  const { operation, format } = request;
  const modelId = modelIdOf(target, request);
  const path = provider.path(routeOf(target, request, modelId), entry);
  if (path === undefined) return countUnavailable();
  const adapted = adapt(target, request, modelId);
  if (!adapted.ok) return asError(adapted);
  const body = operation === 'count' && provider.countBody ? provider.countBody(adapted.body) : adapted.body;
  if (body === undefined) return countUnavailable();
  const open = provider.headers === 'Open';
  const headers = open ? openHeaders(target, request, adapted) : closedHeaders(target, request, adapted);
  headers.push(...(provider.ownHeaders?.(request, entry) ?? []));
  target.appendHeaders(headers);
  const query = open && format === 'Messages' ? upstreamQuery(target, request) : '';
  return { path: `${target.pathPrefix}${path}${query}`, headers, body, modelId, dropped: adapted.dropped };
}

function routeOf({ catalog }: UpstreamTarget, request: ProviderRequest, modelId: string): Route {
  const { operation, model, fields } = request;
  return { operation, modelId, catalogId: model.id, models: catalog.models, stream: fields.stream };
}

/** One of the other names of a model stays where the upstream takes it, so that the body can go as it came. */
function modelIdOf(target: UpstreamTarget, { model, fields }: ProviderRequest): string {
  const keepsName = target.provider.acceptsAliases === true && target.mappedId(model) === undefined;
  return keepsName && model.native.has(fields.model) ? fields.model : (target.modelId(model) ?? model.id);
}

function adapt(target: UpstreamTarget, request: ProviderRequest, modelId: string): BodyOutcome {
  const { operation, fields, model, format, client } = request;
  return target.rulesFor(model, operation).apply({
    body: request.body,
    format,
    bodyModel: fields.modelField && fields.model,
    modelField: fields.modelField,
    model: modelId,
    modelVersions: target.catalog.models.byId.get(model.id)?.bedrockVersions,
    stream: fields.stream,
    modelInBody: operation === 'count' && target.provider.countsByBodyModel === true,
    betasInBody: fields.betasInBody,
    beta: headerOf(client, 'anthropic-beta'),
    version: headerOf(client, 'anthropic-version'),
  });
}

function openHeaders(target: UpstreamTarget, request: ProviderRequest, { beta, version }: AdaptedBody): string[] {
  const { rawHeaders } = request.client;
  const { withheld } = target.provider;
  const asSent =
    beta === headerOf(request.client, 'anthropic-beta') && version === headerOf(request.client, 'anthropic-version');
  const isOfMessages = request.format === 'Messages';
  // A signature covers the type, and what is odd in a client's is not read alike on both sides.
  const isOwnType = !isOfMessages || target.credential.kind === 'AWS';
  const headers: string[] = isOwnType ? ['content-type', 'application/json'] : [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase();
    const open = name.startsWith('anthropic-')
      ? (asSent || !RULED.has(name)) && withheld?.has(name) !== true
      : name.startsWith('x-stainless-') ||
        (FORWARDED.has(name) && (isOfMessages || !OF_FORMAT.has(name)) && !(isOwnType && name === 'content-type'));
    const value = rawHeaders[i + 1]!;
    if (open) add(headers, target, request, name, name === 'accept-encoding' ? readableCodings(value) : value);
  }
  if (!asSent) addRuled(headers, target, request, { beta, version });
  return headers;
}

function closedHeaders(target: UpstreamTarget, request: ProviderRequest, ruled: AdaptedBody): string[] {
  const headers: string[] = ['content-type', 'application/json'];
  add(headers, target, request, 'user-agent', request.client.headers['user-agent']);
  addRuled(headers, target, request, ruled);
  return headers;
}

function addRuled(
  headers: string[],
  target: UpstreamTarget,
  request: ProviderRequest,
  { beta, version }: Pick<AdaptedBody, 'beta' | 'version'>,
): void {
  add(headers, target, request, 'anthropic-version', version);
  add(headers, target, request, 'anthropic-beta', beta);
}

function add(
  headers: string[],
  target: UpstreamTarget,
  request: ProviderRequest,
  name: string,
  value: string | undefined,
): void {
  if (value !== undefined && !target.setsHeader(name) && !holdsAny(value, request)) headers.push(name, value);
}

function holdsAny(text: string, { credentials }: ProviderRequest): boolean {
  return credentials.some((credential) => text.includes(credential));
}

function headerOf({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(',') : value;
}

/** 404 and never 501: after that Claude Code would send a billed message for every count. */
function countUnavailable(): GatewayError {
  return refuse.notFound('count_unavailable', 'token counting is not available for this model');
}

function asError(refusal: BodyRefusal): GatewayError {
  switch (refusal.refusal) {
    case 'too-large':
      return refuse.tooLarge(`request body is larger than the ${refusal.limit} bytes this upstream takes`);
    case 'field':
      return refuse.badRequest('field_not_supported', `${refusal.path} is not available on this upstream`);
    case 'repeated':
      return refuse.badRequest('repeated_field', `field ${JSON.stringify(refusal.key)} stands more than once`);
    case 'betas':
      return refuse.badRequest('bad_betas', 'anthropic_beta must be an array of names of betas');
    case 'invalid':
      return refuse.badRequest('invalid_json', 'the request body is not valid JSON');
  }
}
