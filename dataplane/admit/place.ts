// Places that clients write into paths and model names: a region, a location, a project, an account. None of them chooses anything here,
// the upstreams of the caller do. But a client that asks for a place its policy rules out is told so, instead of being served elsewhere
// and believing otherwise.
//
// The geography before a model id (`eu.anthropic.…`) is not looked at: it is part of a model's name, clients have it built in, and the
// policy's upstreams keep the call where it belongs.
import type { UpstreamEntry } from '#shared/bundle/bundle.ts';
import { matchesPattern } from '#shared/catalog/pattern.ts';
import type { Settings } from '../config/snapshot.ts';
import { refuse } from '../errors.ts';
import type { Access } from './access.ts';

/** What a client asks for; absent members ask for nothing. */
export interface Place {
  /** Region of AWS, or location of Vertex, in lower case. */
  readonly region?: string;
  /** How the client's users set it. */
  readonly regionSetting: string;
  /** AWS account, or project of Google. */
  readonly owner?: string;
}

/** Longer than any region; a path may hold anything. */
const MAX_SHOWN = 64;
/** Anywhere. */
const NOWHERE = 'global';

/** @throws {GatewayError} 403 when the caller's policies rule the place out */
export function checkPlace(settings: Settings, access: Access, place: Place | undefined): void {
  if (place === undefined) return;
  const { region, regionSetting, owner } = place;
  if (region !== undefined && region !== NOWHERE) {
    const bound = access.regions.find(({ patterns }) => !patterns.some((pattern) => matchesPattern(pattern, region)));
    if (bound !== undefined) {
      throw refuse.forbidden(
        'region',
        `your policy does not allow the region ${region.slice(0, MAX_SHOWN)}: ${regionSetting}, one of ${bound.patterns.join(', ')}`,
        bound.rule,
      );
    }
  }
  if (owner !== undefined && isOfOthers(settings, access, owner)) {
    throw refuse.forbidden(
      'account',
      'your policy does not allow the project or account of this path: ask your platform team which one to set',
      access.upstreamRule,
    );
  }
}

/**
 * True for a project or account behind this Gateway that the caller may not use. One that is nobody's here decides nothing: clients keep
 * theirs when the platform team moves from one provider to another.
 */
function isOfOthers({ upstreams }: Settings, access: Access, owner: string): boolean {
  const belongs = upstreams.filter(({ entry }) => isOwnedBy(entry, owner));
  return belongs.length > 0 && !belongs.some((upstream) => access.upstreams.includes(upstream));
}

function isOwnedBy({ vertex, models }: UpstreamEntry, owner: string): boolean {
  return vertex?.project === owner || models.some(({ upstreamId }) => placeIn(upstreamId)?.owner === owner);
}

/** What most names have nothing of. */
const PLACED = /arn|projects|bedrock/i;
const ENCODED = /%(?:2f|3a)/gi;
// arn:partition:service:region:account:resource
const BEDROCK_ARN = /(?:^|\/)arn:aws[a-z-]*:bedrock:([a-z0-9-]*):([0-9]*):/i;
/** As LiteLLM writes it: `bedrock/eu-west-1/anthropic.…` */
const PLATFORM_REGION = /^bedrock[a-z_-]*\/(?:(?:converse|invoke)\/)?([a-z]{2}(?:-[a-z]+){1,2}-[0-9])\//i;
const VERTEX_NAME = /(?:^|\/)projects\/([^/]+)\/locations\/([^/]+)\//i;

/**
 * The place in the name of a model: the ARN of a model or profile, or a resource name of Vertex.
 * @returns undefined for every other name
 */
export function placeIn(name: string): Place | undefined {
  if (!PLACED.test(name)) return undefined;
  const plain = name.replace(ENCODED, decodeURIComponent);
  const regionSetting = 'name the model by its id alone, or by one of a region you may use';
  const vertex = VERTEX_NAME.exec(plain);
  if (vertex !== null) return { owner: vertex[1]!, region: vertex[2]!.toLowerCase(), regionSetting };
  const arn = BEDROCK_ARN.exec(plain);
  const region = PLATFORM_REGION.exec(plain)?.[1]?.toLowerCase();
  if (arn === null) return region === undefined ? undefined : { region, regionSetting };
  const [, regionOfArn = '', owner = ''] = arn;
  return {
    ...(regionOfArn === '' ? {} : { region: regionOfArn.toLowerCase() }),
    ...(owner === '' ? {} : { owner }),
    regionSetting,
  };
}
