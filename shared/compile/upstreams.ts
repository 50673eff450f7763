// Upstreams: which may be called, where, with which models, and the credentials they need. An upstream whose credential is not
// there is left out, so that calls go to the next one instead of failing at the provider.
import { isLoopbackHost } from '#shared/api/loopback.ts';
import { issue } from '#shared/api/parse.ts';
import { objectKey } from '#shared/api/kinds.ts';
import type { UpstreamEntry } from '#shared/bundle/bundle.ts';
import type { CredentialConfig, CredentialRef } from '#shared/bundle/credential-config.ts';
import { modelKey, canonicalModel, type ModelCatalog } from '#shared/catalog/spelling.ts';
import { parseDuration } from '#shared/duration.ts';
import type { SecretText } from '#shared/secret-text.ts';
import { regionOf } from './regions.ts';
import { readSecret } from './secret-value.ts';
import type { Subject } from './subjects.ts';
import type { CompileInput, FieldIssue } from './types.ts';

const DEFAULT_BASE_URL = {
  Anthropic: 'https://api.anthropic.com',
} as const;

/** An upstream that can be called, and the secrets this takes. */
export interface CompiledUpstream {
  readonly entry: UpstreamEntry;
  readonly credentials: ReadonlyMap<CredentialRef, SecretText>;
}

/**
 * Refuses an upstream for what its manifest says, before its references are looked at.
 * @param loopback whether the Gateway serves this machine only
 */
export function judgeUpstream(
  { resource, report }: Subject<'Upstream'>,
  loopback: boolean,
  catalog: ModelCatalog,
): void {
  const { spec } = resource;
  report.invalid(modelIssues(spec.models, catalog));
  const url = spec.baseUrl === undefined || loopback ? undefined : URL.parse(spec.baseUrl);
  if (url && url.protocol !== 'https:') {
    report.refuse(
      'InsecureUrl',
      issue(
        ['spec', 'baseUrl'],
        'plain http would carry the credential in the clear; it is only for a Gateway whose publicUrl is on loopback, use https',
      ),
    );
  } else if (url && isLoopbackHost(url.hostname)) {
    // In a pod, loopback is whatever else runs there.
    report.refuse(
      'InsecureUrl',
      issue(
        ['spec', 'baseUrl'],
        'names this machine, which only a Gateway whose publicUrl is on loopback may do; name the upstream itself',
      ),
    );
  }
}

/** @returns undefined when a credential is missing or unusable; the report says which */
export function compileUpstream(
  { resource, report }: Subject<'Upstream'>,
  secrets: CompileInput['secrets'],
  catalog: ModelCatalog,
): CompiledUpstream | undefined {
  const { spec, metadata } = resource;
  const key = objectKey(metadata);
  const credentials = new Map<CredentialRef, SecretText>();
  report.refsChecked();

  const take = (path: string, name: string, ref: { name: string; key: string }): CredentialRef => {
    const credential = `upstreams/${key}/${name}`;
    const reading = readSecret(secrets, metadata.namespace, ref);
    if (reading.ok) credentials.set(credential, reading.value);
    else report.unresolved(reading.reason, `${path}: ${reading.message}; no call goes to this upstream until then`);
    return credential;
  };

  const auth = spec.anthropic?.auth;
  const authRef = auth?.apiKey ?? auth?.bearerToken;
  const member = auth?.apiKey === undefined ? 'bearerToken' : 'apiKey';
  const region = regionOf(spec);
  const entry: UpstreamEntry = {
    key,
    name: metadata.name,
    namespace: metadata.namespace,
    labels: metadata.labels ?? {},
    provider: spec.provider,
    baseUrl: (spec.baseUrl ?? DEFAULT_BASE_URL[spec.provider]).replace(/\/+$/, ''),
    credential:
      authRef === undefined
        ? { type: 'Headers' }
        : fixed(member, take(`spec.anthropic.auth.${member}`, 'auth', authRef)),
    headers: spec.headers.map(({ name, valueFrom }, index) => ({
      name,
      credential: take(`spec.headers[${index}].valueFrom`, `headers/${name}`, valueFrom),
    })),
    ...(region === undefined ? {} : { region }),
    priority: spec.priority,
    weight: spec.weight,
    ...(spec.maxConcurrent === undefined ? {} : { maxConcurrent: spec.maxConcurrent }),
    models: spec.models.map(({ id, upstreamId, price }) => ({
      id: modelKey(id, catalog),
      upstreamId: upstreamId ?? canonicalModel(id, catalog)?.id ?? id,
      ...(price === undefined ? {} : { price }),
    })),
    countTokens: spec.capabilities.countTokens,
    ...(spec.timeouts.firstByte === undefined ? {} : { firstByteTimeout: parseDuration(spec.timeouts.firstByte) }),
    connectRetries: spec.retries.connect,
    breaker: {
      consecutiveFailures: spec.breaker.consecutiveFailures,
      openFor: parseDuration(spec.breaker.openFor),
    },
  };
  return report.resolved ? { entry, credentials } : undefined;
}

function fixed(member: 'apiKey' | 'bearerToken', credential: CredentialRef): CredentialConfig {
  return member === 'apiKey'
    ? { type: 'Fixed', header: 'x-api-key', credential }
    : { type: 'Fixed', header: 'authorization', scheme: 'Bearer ', credential };
}

/** Two spellings of one model would leave open which of the two rows counts. */
function modelIssues(models: Subject<'Upstream'>['resource']['spec']['models'], catalog: ModelCatalog): FieldIssue[] {
  const issues: FieldIssue[] = [];
  const seen = new Map<string, number>();
  for (const [index, { id }] of models.entries()) {
    const key = modelKey(id, catalog);
    const first = seen.get(key);
    if (first === undefined) seen.set(key, index);
    else {
      const text = `is the same model as entry ${first} (${key}); remove one of them`;
      issues.push(issue(['spec', 'models', index, 'id'], text));
    }
  }
  return issues;
}
