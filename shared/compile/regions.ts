// Data residency: which upstreams lie within the regions of a policy. Who does not say where it computes lies nowhere.
import type { UpstreamSpec } from '#shared/api/upstream.ts';
import { matchesPattern } from '#shared/catalog/pattern.ts';
import { asSet } from './precedence.ts';
import type { Subject } from './subjects.ts';

/** Where an upstream computes, as its manifest says. */
export function regionOf({ region }: UpstreamSpec): string | undefined {
  return region;
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
