// Which model a name means here. Every spelling of one model leads to the same entry, so that no spelling escapes a rule: names of
// the platform team first, then the built-in catalog, then models that only an upstream maps.
import type { CustomModel, UpstreamEntry } from '#shared/bundle/bundle.ts';
import { builtinCatalog } from '#shared/catalog/catalog.ts';
import { canonicalModel, spellingsOf, type ModelCatalog } from '#shared/catalog/spelling.ts';

/** What an upstream calls a model. */
export interface Behind {
  /** In lower case; every spelling where the catalog knows the model. */
  readonly names: readonly string[];
  /** The catalog knows it, so it is another model and not just another name. */
  readonly known: boolean;
}

export interface ServedModel {
  /** Id under which the model is routed, priced and reported: canonical, or the id of a custom model. */
  readonly id: string;
  /** Name shown in lists; differs from `id` for names of the platform team's own. */
  readonly listedId: string;
  readonly displayName: string;
  readonly description: string | undefined;
  readonly maxInputTokens: number | undefined;
  /** Every name of its own that a rule may use for it, in lower case. */
  readonly names: readonly string[];
  /** By upstream key: what the upstream serves under this id, where that is another model or a name of its own. */
  readonly behind: ReadonlyMap<string, Behind>;
  /** In the built-in catalog, so every upstream serves it under its own spelling. */
  readonly builtin: boolean;
  /** Spellings that the Anthropic API itself accepts: a body naming one of them is forwarded as received. */
  readonly native: ReadonlySet<string>;
}

/** Names resolved before are remembered; a caller who sends ever new ones only empties the memory. */
const MEMORY = 4096;
const LONG_CONTEXT = '[1m]';
/** As long as a name in a Gateway or Upstream may be, and `[1m]`. A longer one is nothing's name and is not remembered. */
const MAX_NAME = 256 + LONG_CONTEXT.length;
const NOTHING_BEHIND: ReadonlyMap<string, Behind> = new Map();

export class ModelTable {
  readonly #served = new Map<string, ServedModel>();
  readonly #aliases = new Map<string, ServedModel>();
  readonly #listed: ServedModel[] = [];
  readonly #memory = new Map<string, ServedModel | undefined>();
  readonly #catalog: ModelCatalog;

  /** @param catalog of the Gateway */
  constructor(
    builtin: boolean,
    entries: readonly CustomModel[],
    upstreams: readonly UpstreamEntry[],
    catalog: ModelCatalog = builtinCatalog.models,
  ) {
    this.#catalog = catalog;
    const mapped = mappedModels(upstreams);
    if (builtin) for (const { id } of this.#catalog.models) this.#serve(id, mapped.get(id));
    for (const [id, upstreamIds] of mapped) if (!this.#served.has(id)) this.#serve(id, upstreamIds);
    for (const entry of entries) this.#alias(entry);
    const plain = [...this.#served.values()].filter(({ id }) => !this.#aliases.has(id.toLowerCase()));
    this.#listed.push(...this.#aliases.values(), ...plain);
  }

  /**
   * @param name the `model` of a request, as sent
   * @returns undefined for a model nothing here serves
   */
  resolve(name: string): ServedModel | undefined {
    if (name.length > MAX_NAME) return undefined;
    if (this.#memory.has(name)) return this.#memory.get(name);
    const model = this.#lookUp(name);
    if (this.#memory.size >= MEMORY) this.#memory.clear();
    this.#memory.set(name, model);
    return model;
  }

  /** Models in the order of `GET /v1/models`: names of the platform team's own first. */
  list(): readonly ServedModel[] {
    return this.#listed;
  }

  #lookUp(name: string): ServedModel | undefined {
    const lower = name.toLowerCase();
    const plain = lower.endsWith(LONG_CONTEXT) ? lower.slice(0, -LONG_CONTEXT.length) : lower;
    const direct = this.#aliases.get(lower) ?? this.#aliases.get(plain) ?? this.#served.get(plain);
    if (direct !== undefined) return direct;
    const canonical = canonicalModel(name, this.#catalog);
    return canonical === undefined ? undefined : this.#served.get(canonical.id);
  }

  #serve(id: string, upstreamIds?: ReadonlyMap<string, string>): void {
    const known = this.#catalog.byId.get(id);
    this.#served.set(id, {
      id,
      listedId: id,
      displayName: known?.displayName ?? id,
      description: undefined,
      maxInputTokens: known?.maxInputTokens,
      names: [...new Set([id, ...spellingsOf(id, this.#catalog)].map((name) => name.toLowerCase()))],
      behind: upstreamIds === undefined ? NOTHING_BEHIND : this.#behind(id, upstreamIds),
      builtin: known !== undefined,
      native: new Set(known === undefined ? [id] : [known.id, ...known.aliases]),
    });
  }

  /** A custom model is also what its upstreams call it: a rule against Opus holds for a private name of Opus. */
  #behind(id: string, upstreamIds: ReadonlyMap<string, string>): Map<string, Behind> {
    const behind = new Map<string, Behind>();
    for (const [upstream, upstreamId] of upstreamIds) {
      const target = canonicalModel(upstreamId, this.#catalog)?.id;
      if (target === id) continue;
      const names = target === undefined ? [upstreamId] : spellingsOf(target, this.#catalog);
      behind.set(upstream, { names: names.map((name) => name.toLowerCase()), known: target !== undefined });
    }
    return behind;
  }

  #alias(entry: CustomModel): void {
    const target = this.#served.get(entry.target) ?? this.#serveHidden(entry.target);
    this.#aliases.set(entry.id.toLowerCase(), {
      ...target,
      listedId: entry.id,
      displayName: entry.displayName,
      description: entry.description,
      names: [entry.id.toLowerCase(), ...target.names],
    });
  }

  /** With the built-in catalog off, a target is served only under the names given to it. */
  #serveHidden(id: string): ServedModel {
    this.#serve(id);
    const model = this.#served.get(id)!;
    this.#served.delete(id);
    return model;
  }
}

/** Ids that upstreams map, each with what every upstream calls it. */
function mappedModels(upstreams: readonly UpstreamEntry[]): Map<string, Map<string, string>> {
  const mapped = new Map<string, Map<string, string>>();
  for (const { key, models } of upstreams) {
    for (const { id, upstreamId } of models) mapped.set(id, (mapped.get(id) ?? new Map()).set(key, upstreamId));
  }
  return mapped;
}
