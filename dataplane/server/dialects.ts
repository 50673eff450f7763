// Which client format a path belongs to, and whether this Gateway serves it. Decided by the path alone, so that whatever goes wrong before
// a door is reached is told in the client's own format.
import type { Dialect, GatewayConfig } from '#shared/bundle/bundle.ts';
import { refuse, type GatewayError } from '../errors.ts';
import type { ClientDialect } from './dialect.ts';
import { anthropicDialect, claudePlatformAwsDialect, foundryDialect } from './dialect-anthropic.ts';
import { bedrockDialect } from './dialect-bedrock.ts';
import { oauthDialect } from './dialect-oauth.ts';
import { vertexDialect } from './dialect-vertex.ts';

/** By what a path begins with, after {@link clientUrl}. */
const STARTS: readonly (readonly [start: string, dialect: ClientDialect])[] = [
  ['/v1/projects/', vertexDialect],
  ['/model/', bedrockDialect],
  ['/inference-profiles', bedrockDialect],
  ['/oauth/', oauthDialect],
  ['/foundry/', foundryDialect],
  ['/anthropic-aws/', claudePlatformAwsDialect],
];

/** @param path without query, after lenient rewriting */
export function dialectOf(path: string): ClientDialect {
  // Most calls by far.
  if (path.startsWith('/v1/m')) return anthropicDialect;
  return STARTS.find(([start]) => path.startsWith(start))?.[1] ?? anthropicDialect;
}

const ANTHROPIC_ALONE: readonly Dialect[] = ['Anthropic'];

export function isServed({ dialects = ANTHROPIC_ALONE }: GatewayConfig, dialect: Dialect): boolean {
  return dialects.includes(dialect);
}

/** Worded for whoever set the base URL, and for the platform team behind them. */
export function notServed(dialect: Dialect): GatewayError {
  return refuse.notFound(
    'dialect_not_served',
    `this gateway does not serve the ${dialect} format: your platform team adds ${dialect} to spec.dialects of the Gateway to serve it`,
  );
}
