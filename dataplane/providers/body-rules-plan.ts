// What to look for on one walk through a Messages body, as a tree of keys: paths that begin alike are followed once.
import type { FieldDecision } from '#shared/catalog/beta-decision.ts';
import { parseBodyPath } from '#shared/catalog/body-path.ts';
import { FieldSet } from '../wire/json-fields.ts';

/** What to do with one value. */
export interface BodyNode {
  /** Take it out. */
  readonly cut: boolean;
  /** Its path, when it must not be there. */
  readonly refused: string | undefined;
  /** Its name, when its place is to be told. */
  readonly reported: string | undefined;
  /** Keys to look for if it is an object, with a node each at the same index of `children`. */
  readonly members: FieldSet<string> | undefined;
  readonly children: readonly BodyNode[];
  /** For every item if it is an array. */
  readonly items: BodyNode | undefined;
  /** Items to take out if it is an array, by the beginning of their `type`. */
  readonly itemTypes: readonly string[];
}

/** Top-level members that change with the format. */
export interface TopLevelPlan {
  readonly cut: readonly string[];
  /** Told where they stand; cut as well when both name them. */
  readonly reported: readonly string[];
}

/** @throws {RangeError} when a path is none, which a table with a schema does not have */
export function bodyPlan({ removed, refused }: FieldDecision, topLevel: TopLevelPlan): BodyNode {
  const root = new Draft();
  for (const path of removed) {
    const end = draftAt(root, path);
    if (end !== undefined) end.cut = true;
  }
  for (const path of refused) {
    const end = draftAt(root, path);
    if (end !== undefined) end.refused = path;
  }
  for (const name of topLevel.cut) root.member(name).cut = true;
  for (const name of topLevel.reported) root.member(name).reported = name;
  return root.finish();
}

/** The draft a path ends at; none for items of a type, which are noted on their array. */
function draftAt(root: Draft, path: string): Draft | undefined {
  let draft = root;
  for (const { key, items } of parseBodyPath(path)) {
    draft = draft.member(key);
    if (items === '') draft = draft.everyItem();
    else if (items !== undefined) {
      draft.itemTypes.push(items);
      return undefined;
    }
  }
  return draft;
}

class Draft {
  cut = false;
  refused: string | undefined;
  reported: string | undefined;
  readonly itemTypes: string[] = [];
  readonly #members = new Map<string, Draft>();
  #items: Draft | undefined;

  member(key: string): Draft {
    const known = this.#members.get(key) ?? new Draft();
    this.#members.set(key, known);
    return known;
  }

  everyItem(): Draft {
    return (this.#items ??= new Draft());
  }

  finish(): BodyNode {
    const names = [...this.#members.keys()];
    return Object.freeze({
      cut: this.cut,
      refused: this.refused,
      reported: this.reported,
      members: names.length === 0 ? undefined : new FieldSet(names),
      children: Object.freeze([...this.#members.values()].map((draft) => draft.finish())),
      items: this.#items?.finish(),
      itemTypes: Object.freeze(this.itemTypes),
    });
  }
}
