// Upstreams: which may be called, where, with which models, and the credentials they need. An upstream whose credential is not
// there is left out, so that calls go to the next one instead of failing at the provider.
import { objectKey } from '#shared/api/kinds.ts';
import { isLoopbackHost } from '#shared/api/loopback.ts';
import { issue } from '#shared/api/parse.ts';
import type { UpstreamSpec } from '#shared/api/upstream.ts';
import type { ProbeConfig, UpstreamEntry } from '#shared/bundle/bundle.ts';
import type { CredentialRef } from '#shared/bundle/credential-config.ts';
import type { ProviderFamily } from '#shared/catalog/families.ts';
import type { ModelCatalog } from '#shared/catalog/spelling.ts';
import { parseDuration } from '#shared/duration.ts';
import { PROBE_ANNOTATION } from '#shared/api/probe-annotation.ts';
import type { SecretText } from '#shared/secret-text.ts';
import { baseUrlOf } from './base-url.ts';
import { credentialOf, type TakeSecret } from './credential-of.ts';
import { podIdentityPath } from './pod-identity.ts';
import { present } from './present.ts';
import { regionIssues, regionOf } from './regions.ts';
import { readSecret } from './secret-value.ts';
import type { Subject } from './subject.ts';
import type { CompileInput } from './types.ts';
import { modelIssues, upstreamModels } from './upstream-models.ts';
import { keyFits, tlsOf } from './upstream-tls.ts';

/** An upstream that can be called, and the secrets this takes. */
export interface CompiledUpstream {
  readonly entry: UpstreamEntry;
  readonly credentials: ReadonlyMap<CredentialRef, SecretText>;
}

/** What of the Gateway decides about its upstreams. */
export interface UpstreamHost {
  readonly namespace: string;
  /** It serves this machine only. */
  readonly loopback: boolean;
}

/** Refuses an upstream for what its manifest says, before its references are looked at. */
export function judgeUpstream(
  { resource, report }: Subject<'Upstream'>,
  { namespace, loopback }: UpstreamHost,
  catalog: ModelCatalog,
): void {
  const { spec, metadata } = resource;
  report.invalid([...modelIssues(spec.models, catalog), ...regionIssues(spec)]);
  const identity = podIdentityPath(spec);
  if (identity !== undefined && metadata.namespace !== namespace) {
    // It could name an address of its own, and be sent the tokens of the platform team.
    const text = `is the identity of the Gateway's own pods, which only Upstreams of namespace ${namespace} may use; name a Secret of this namespace`;
    report.refuse('NotAllowedByGateway', issue(identity, text));
  }
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

  const take: TakeSecret = (path, name, ref, form) => {
    const credential = `upstreams/${key}/${name}`;
    const reading = readSecret(secrets, metadata.namespace, ref, form);
    if (reading.ok) credentials.set(credential, reading.value);
    else report.unresolved(reading.reason, `${path}: ${reading.message}; no call goes to this upstream until then`);
    return credential;
  };

  const region = regionOf(spec);
  const tls = tlsOf(spec, take);
  const { betas, countTokens, extendedCacheTtl } = spec.capabilities;
  const probe = probeConfig(spec, metadata.annotations?.[PROBE_ANNOTATION]);
  const entry: UpstreamEntry = {
    key,
    name: metadata.name,
    namespace: metadata.namespace,
    labels: metadata.labels ?? {},
    provider: familyOf(spec),
    baseUrl: baseUrlOf(spec),
    ...familySettings(spec),
    credential: credentialOf(spec, take),
    headers: spec.headers.map(({ name, valueFrom }, index) => ({
      name,
      credential: take(`spec.headers[${index}].valueFrom`, `headers/${name}`, valueFrom),
    })),
    ...(spec.anthropicCompatible?.forwardUserIdentity === true ? { forwardsIdentity: true as const } : {}),
    ...(tls === undefined ? {} : { tls }),
    ...(region === undefined ? {} : { region }),
    priority: spec.priority,
    weight: spec.weight,
    ...(spec.maxConcurrent === undefined ? {} : { maxConcurrent: spec.maxConcurrent }),
    models: upstreamModels(spec, catalog, report),
    ...(betas === undefined ? {} : { betas: present(betas) }),
    ...(extendedCacheTtl ? {} : { extendedCacheTtl }),
    countTokens,
    ...(spec.timeouts.firstByte === undefined ? {} : { firstByteTimeout: parseDuration(spec.timeouts.firstByte) }),
    connectRetries: spec.retries.connect,
    breaker: {
      consecutiveFailures: spec.breaker.consecutiveFailures,
      openFor: parseDuration(spec.breaker.openFor),
    },
    ...(probe === undefined ? {} : { probe }),
  };
  const [chain, own] = [tls?.certificate, tls?.key].map((ref) =>
    ref === undefined ? undefined : credentials.get(ref),
  );
  if (chain !== undefined && own !== undefined && !keyFits(chain, own)) {
    report.unresolved(
      'InvalidValue',
      'spec.tls.clientCertificate: the key is not that of the certificate; no call goes to this upstream until then',
    );
  }
  return report.resolved ? { entry, credentials } : undefined;
}

/** What the upstream speaks. The Messages API of Bedrock's runtime is that of Mantle, with the names and rights of the runtime. */
function familyOf({ provider, bedrock }: UpstreamSpec): ProviderFamily {
  return bedrock?.api === 'Messages' ? 'BedrockMantle' : provider;
}

/** What the data plane needs to know of a family beyond the URL. */
function familySettings({
  bedrock,
  claudePlatformAWS,
  foundry,
  vertex,
}: UpstreamSpec): Pick<UpstreamEntry, 'bedrock' | 'claudePlatformAws' | 'foundry' | 'vertex'> {
  return {
    ...(bedrock === undefined ? {} : { bedrock: { region: bedrock.region, inference: bedrock.inference } }),
    ...(claudePlatformAWS === undefined ? {} : { claudePlatformAws: { workspaceId: claudePlatformAWS.workspaceId } }),
    ...(foundry === undefined ? {} : { foundry: foundry.zone === 'US' ? { zone: 'us' as const } : {} }),
    ...(vertex === undefined ? {} : { vertex: { project: vertex.project, location: vertex.location } }),
  };
}

/** Longer values of an annotation are told apart by their beginning; it is copied to every pod. */
const MAX_TRIGGER = 64;

function probeConfig({ validation }: UpstreamSpec, trigger: string | undefined): ProbeConfig | undefined {
  const { enabled, interval, model } = validation;
  if (!enabled) return undefined;
  return {
    interval: parseDuration(interval),
    ...(model === undefined ? {} : { model }),
    ...(trigger === undefined ? {} : { trigger: trigger.slice(0, MAX_TRIGGER) }),
  };
}
