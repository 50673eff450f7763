// Every spelling of a model leads to the same id, so that a rule on a model cannot be passed by writing its name another way.
// A name that no rule below explains is unknown: it is refused or custom, never guessed. Family names alone (`sonnet`) are
// unknown on purpose, because what they mean changes with time.
import type { CatalogModel } from './models.ts';

/** Prefixes of Bedrock inference profiles. `global` is list price, the others are regional. */
export const BEDROCK_GEOS = ['us', 'eu', 'apac', 'jp', 'au', 'global', 'us-gov'] as const;

export type BedrockGeo = (typeof BEDROCK_GEOS)[number];

/** What a name stands for. */
export interface CanonicalModel {
  /** The `id` of the model in the catalog. */
  readonly id: string;
  /** The name ended in `[1m]`: the caller asks for the long context window. */
  readonly longContext: boolean;
  /** The Bedrock profile the name asked for, if any. */
  readonly geo?: BedrockGeo;
}

/** Models with the indexes that make lookups cheap; built by `buildModelCatalog`. */
export interface ModelCatalog {
  readonly models: readonly CatalogModel[];
  readonly byId: ReadonlyMap<string, CatalogModel>;
  /** Lower-case spelling to model, for every spelling of {@link knownSpellings}. */
  readonly bySpelling: ReadonlyMap<string, CanonicalModel>;
  /** Model id to {@link knownSpellings}. */
  readonly spellings: ReadonlyMap<string, readonly string[]>;
}

/** Longer names are unknown: the longest real one, an ARN with an encoded slash, has some 120 characters. */
const MAX_NAME = 256;

// Letters outside ASCII can fold to ASCII ones (the Kelvin sign becomes k), and a provider may not agree.
const PRINTABLE_ASCII = /^[!-~]+$/;
const LONG_CONTEXT = '[1m]';
const ENCODED = /%(?:2f|3a|40|5b|5d)/g;
const PLATFORM =
  /^(?:anthropic|bedrock(?:[_-](?:converse|mantle))?(?:\/(?:converse|invoke))?(?:\/[a-z]{2}(?:-[a-z]+){1,2}-[0-9])?|vertex(?:_ai)?|azure(?:_ai)?|foundry)\//;
const VERTEX_PATH = /^(?:projects\/[^/]+\/locations\/[^/]+\/)?publishers\/anthropic\/models\//;
const BEDROCK_ARN = /^arn:aws(?:-[a-z]+)*:bedrock:[a-z0-9-]*:[0-9]*:(?:foundation-model|inference-profile)\//;
const PROFILE = new RegExp(`^(?:(${BEDROCK_GEOS.join('|')})\\.)?anthropic\\.`);
const DEFAULT_VERSION = '@default';
// Provisioned throughput adds the context size: `-v2:0:200k`.
const VERSION = /-v([0-9])(?::[0-9](?::[0-9]{1,4}k)?)?$/;

/**
 * Resolves a model name in any known spelling: Anthropic ids and aliases, Bedrock ids with or without geo prefix and version,
 * Bedrock ARNs of foundation models and system inference profiles, Vertex `@date` forms and resource paths, names with a
 * platform prefix such as `bedrock/`, any letter case, `[1m]` at the end. Spaces are not trimmed.
 *
 * @returns the model, or undefined when the name is not known. Never throws.
 * @example canonicalModel('us.anthropic.claude-haiku-4-5-20251001-v1:0', catalog)?.id // 'claude-haiku-4-5-20251001'
 */
export function canonicalModel(name: string, catalog: ModelCatalog): CanonicalModel | undefined {
  return catalog.bySpelling.get(name) ?? unwrap(name, catalog);
}

/** The one form in which a model name is compared: the id of a built-in model, else the name in lower case. */
export function modelKey(name: string, catalog: ModelCatalog): string {
  return canonicalModel(name, catalog)?.id ?? name.toLowerCase();
}

/** The uncommon spellings: peel one layer after the other, then look up what is left. */
function unwrap(name: string, catalog: ModelCatalog): CanonicalModel | undefined {
  if (name.length > MAX_NAME || !PRINTABLE_ASCII.test(name)) return undefined;
  // Decoded once and only where a path segment needs it: a doubly encoded name is nobody's honest spelling.
  let rest = name.toLowerCase().replace(ENCODED, decodeURIComponent);
  const longContext = rest.endsWith(LONG_CONTEXT);
  if (longContext) rest = rest.slice(0, -LONG_CONTEXT.length);
  // Twice, for `bedrock/anthropic/…`.
  rest = rest.replace(PLATFORM, '').replace(PLATFORM, '').replace(VERTEX_PATH, '').replace(BEDROCK_ARN, '');
  const profile = PROFILE.exec(rest);
  const geo = profile?.[1] as BedrockGeo | undefined;
  if (profile) rest = rest.slice(profile[0].length);
  if (rest.endsWith(DEFAULT_VERSION)) rest = rest.slice(0, -DEFAULT_VERSION.length);

  const id = idOfStem(rest, catalog);
  if (id === undefined) return undefined;
  return geo === undefined ? { id, longContext } : { id, longContext, geo };
}

/** The id behind a name without prefixes; a Bedrock version is taken off if it is the model's own. */
function idOfStem(stem: string, catalog: ModelCatalog): string | undefined {
  const known = plain(stem, catalog);
  if (known !== undefined) return known;
  const version = VERSION.exec(stem);
  if (!version) return undefined;
  const id = plain(stem.slice(0, version.index), catalog);
  if (id === undefined) return undefined;
  // Most models are `-v1` or carry no version; Sonnet 3.5 of October 2024 is `-v2`, and a `-v1` of it never existed.
  const bedrock = catalog.byId.get(id)?.bedrock;
  const own = bedrock === undefined ? '1' : (VERSION.exec(bedrock)?.[1] ?? '1');
  return version[1] === own ? id : undefined;
}

/** Looks up a stem; a prefix that is still on it after peeling was written twice, and the name is not honest. */
function plain(stem: string, catalog: ModelCatalog): string | undefined {
  return stem.startsWith('claude-') ? catalog.bySpelling.get(stem)?.id : undefined;
}

/**
 * Every spelling that can be listed, for matching patterns such as `us.anthropic.claude-opus-*`. ARNs, resource paths, `[1m]`
 * and platform prefixes other than `anthropic/` are left out; {@link canonicalModel} still resolves them.
 *
 * @param id a catalog id, as {@link canonicalModel} returns it
 * @returns lower-case names, the id first; empty when the id is not in the catalog
 */
export function spellingsOf(id: string, catalog: ModelCatalog): readonly string[] {
  return catalog.spellings.get(id) ?? [];
}

/** The spellings of one row, without repetition, the id first. */
export function knownSpellings(model: CatalogModel): readonly string[] {
  const own = [model.id, ...model.aliases];
  const onVertexAndFoundry = [model.vertex, ...(model.vertexAliases ?? []), model.foundry];
  const bedrock = model.bedrock;
  // `…-v1:0` is also written `…-v1` and without version.
  const shorter = bedrock === undefined ? [] : [bedrock.replace(/:[0-9]$/, ''), bedrock.replace(VERSION, '')];
  const onBedrock = [bedrock, ...shorter, model.mantle, ...own.map((name) => `anthropic.${name}`)].filter(
    (name) => name !== undefined,
  );
  const names = [
    ...own,
    ...onVertexAndFoundry.filter((name) => name !== undefined),
    ...own.map((name) => `anthropic/${name}`),
    ...onBedrock,
    ...BEDROCK_GEOS.flatMap((geo) => onBedrock.map((name) => `${geo}.${name}`)),
  ];
  return Object.freeze([...new Set(names)]);
}

/** The geo prefix of a spelling from {@link knownSpellings}. */
export function geoOf(spelling: string): BedrockGeo | undefined {
  return PROFILE.exec(spelling)?.[1] as BedrockGeo | undefined;
}
