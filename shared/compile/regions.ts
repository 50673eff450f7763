// Data residency: which upstreams lie within the regions of a policy. Who does not say where it computes lies nowhere.
import { issue } from '#shared/api/parse.ts';
import type { UpstreamSpec } from '#shared/api/upstream.ts';
import { matchesPattern } from '#shared/catalog/pattern.ts';
import { BEDROCK_GEOS } from '#shared/catalog/spelling.ts';
import { profileGeo } from '#shared/catalog/upstream-model-id.ts';
import { asSet } from './precedence.ts';
import type { Subject } from './subject.ts';
import type { FieldIssue } from './types.ts';

/** Where an upstream computes, as its manifest says; `global` where that may be anywhere. */
export function regionOf(spec: UpstreamSpec): string | undefined {
  return settledRegion(spec) ?? spec.region;
}

/** Where the settings of the provider put it; undefined for providers that do not say. */
function settledRegion({ bedrock, bedrockMantle, claudePlatformAWS, vertex }: UpstreamSpec): string | undefined {
  if (bedrock?.inference === 'Global') return 'global';
  return vertex?.location ?? (bedrock ?? bedrockMantle ?? claudePlatformAWS)?.region;
}

/** Faults of a manifest that says two things of where it computes: Policies rely on it. */
export function regionIssues(spec: UpstreamSpec): FieldIssue[] {
  const issues: FieldIssue[] = [];
  const settled = settledRegion(spec);
  if (spec.region !== undefined && settled !== undefined && spec.region !== settled) {
    const text = `is ${settled} by the settings of the provider, not ${spec.region}; leave it out`;
    issues.push(issue(['spec', 'region'], text));
  }
  const { bedrock } = spec;
  if (bedrock?.inference === 'Geo' && profileGeo(bedrock.region, 'Geo') === undefined) {
    const text = `no geography is known for region ${bedrock.region}; say Global or InRegion`;
    issues.push(issue(['spec', 'bedrock', 'inference'], text));
  }
  if (bedrock?.inference === 'Global' && profileGeo(bedrock.region, 'Global') === undefined) {
    const text = `the global profiles cannot be called from region ${bedrock.region}; say Geo or InRegion`;
    issues.push(issue(['spec', 'bedrock', 'inference'], text));
  }
  return [...issues, ...profileIssues(spec)];
}

/** The id of a system profile, bare or in an ARN, begins with where it computes. */
const PROFILE = new RegExp(`(?:^|/|%2f)(${BEDROCK_GEOS.join('|')})[.]`, 'i');

/** Models mapped to a profile that computes where the upstream does not say it does. */
function profileIssues({ bedrock, bedrockMantle, models }: UpstreamSpec): FieldIssue[] {
  const inference = bedrock?.inference ?? (bedrockMantle === undefined ? 'Global' : 'InRegion');
  if (inference === 'Global') return [];
  return models.flatMap(({ upstreamId = '' }, index) => {
    const geo = PROFILE.exec(upstreamId)?.[1]?.toLowerCase();
    if (geo === undefined || (inference === 'Geo' && geo !== 'global')) return [];
    const text =
      geo === 'global'
        ? 'a global profile computes anywhere, and Policies count this upstream as its region; use another id, or an Upstream with bedrock.inference Global'
        : `profile ${geo}. computes outside of the region, and this upstream stays in it; use another id, or an Upstream with bedrock.inference Geo`;
    return [issue(['spec', 'models', index, 'upstreamId'], text)];
  });
}

/** @returns keys of the upstreams within the policy's regions; undefined when it names none */
export function upstreamsWithin(
  { resource, report }: Subject<'Policy'>,
  upstreams: ReadonlyMap<string, Subject<'Upstream'>>,
): string[] | undefined {
  const regions = resource.spec.upstreams?.regions;
  if (regions === undefined) return undefined;
  const inside: string[] = [];
  for (const [key, { resource: upstream }] of upstreams) {
    const region = regionOf(upstream.spec);
    if (region !== undefined && regions.some((pattern) => matchesPattern(pattern, region))) inside.push(key);
  }
  if (inside.length === 0) {
    report.warn(
      'spec.upstreams.regions fits no Upstream of this Gateway: callers of this policy can reach no provider',
    );
  }
  return asSet(inside);
}
