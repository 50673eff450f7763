// Finds the bytes to take out of a JSON document, in one pass that steps over whatever no rule is about. What a cut leaves
// empty is cut too: `output_config` without its only member would be a field the provider has never heard of.
import { byteAt } from '../wire/bytes.ts';
import { BAD_KEY } from '../wire/field-set.ts';
import { FieldSet, scanTopLevel } from '../wire/json-fields.ts';
import { MALFORMED, skipNested, skipSpace, skipString } from '../wire/json-skip.ts';
import { fieldString } from '../wire/json-values.ts';
import type { BodyNode } from './body-rules-plan.ts';

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const TYPE = new FieldSet(['type']);

export interface Span {
  readonly start: number;
  readonly end: number;
}

export type WalkResult =
  | {
      readonly ok: true;
      /** Spans to take out, none overlapping another, in no order. */
      readonly cuts: readonly Span[];
      /** Where the values of the members that were to be reported stand. */
      readonly reported: ReadonlyMap<string, Span>;
      /** Offset behind the opening brace. */
      readonly inside: number;
      /** No member is left at the top level. */
      readonly empty: boolean;
      /** Path of a value that must not be there. */
      readonly refused: string | undefined;
    }
  | { readonly ok: false; readonly refusal: 'invalid' }
  /** A reported member stands there twice; parsers disagree on which one counts. */
  | { readonly ok: false; readonly refusal: 'repeated'; readonly key: string };

/**
 * Walks a body by a plan. Only the structure on the way is checked; a defect inside a value that is stepped over passes.
 *
 * @param body UTF-8 bytes of a JSON object
 */
export function walkBody(body: Buffer, plan: BodyNode): WalkResult {
  return new Walk(body).run(plan);
}

class Walk {
  readonly #body: Buffer;
  readonly #end: number;
  readonly #cuts: Span[] = [];
  readonly #reported = new Map<string, Span>();
  #repeated: string | undefined;
  #refused: string | undefined;
  /** Whether cuts left nothing in the container that was read last. */
  #emptied = false;

  constructor(body: Buffer) {
    this.#body = body;
    this.#end = body.length;
  }

  run(plan: BodyNode): WalkResult {
    const open = skipSpace(this.#body, 0, this.#end);
    if (byteAt(this.#body, open, this.#end) !== OPEN_BRACE) return { ok: false, refusal: 'invalid' };
    const behind = this.#container(plan, open);
    if (behind === MALFORMED || skipSpace(this.#body, behind, this.#end) < this.#end) {
      return { ok: false, refusal: 'invalid' };
    }
    if (this.#repeated !== undefined) return { ok: false, refusal: 'repeated', key: this.#repeated };
    const inside = open + 1;
    const empty = this.#emptied || skipSpace(this.#body, inside, this.#end) === behind - 1;
    const cuts = this.#emptied ? [{ start: inside, end: behind - 1 }] : this.#cuts;
    return { ok: true, cuts, reported: this.#reported, inside, empty, refused: this.#refused };
  }

  /** Reads an object or array whose opening bracket is at `open`; returns the offset behind it, or MALFORMED. */
  #container(node: BodyNode, open: number): number {
    const body = this.#body;
    const end = this.#end;
    const isObject = body[open] === OPEN_BRACE;
    const close = isObject ? CLOSE_BRACE : CLOSE_BRACKET;
    let at = skipSpace(body, open + 1, end);
    this.#emptied = false;
    if (byteAt(body, at, end) === close) return at + 1;

    // Only a container that keeps something notes cuts, so none is ever noted inside what goes as a whole.
    let kept = 0;
    let comma = -1;
    // A run of entries to take out goes up to the next one kept, or, at the end, from the comma before it.
    let runStart = -1;
    let runComma = -1;
    for (;;) {
      const start = at;
      this.#emptied = false;
      const behind = isObject ? this.#member(node, start) : this.#item(node, start);
      if (behind === MALFORMED) return MALFORMED;
      if (this.#emptied) {
        if (runStart < 0) [runStart, runComma] = [start, comma];
      } else {
        kept += 1;
        if (runStart >= 0) this.#cuts.push({ start: runStart, end: start });
        runStart = -1;
      }
      at = skipSpace(body, behind, end);
      const next = byteAt(body, at, end);
      if (next === close) {
        if (runStart >= 0 && kept > 0) this.#cuts.push({ start: runComma, end: behind });
        this.#emptied = kept === 0;
        return at + 1;
      }
      if (next !== COMMA) return MALFORMED;
      comma = at;
      at = skipSpace(body, at + 1, end);
    }
  }

  /** Reads `"key": value`. Afterwards `#emptied` tells whether it is to go. */
  #member({ members, children }: BodyNode, start: number): number {
    const body = this.#body;
    const end = this.#end;
    if (byteAt(body, start, end) !== QUOTE) return MALFORMED;
    const behindKey = skipString(body, start + 1, end);
    if (behindKey === MALFORMED) return MALFORMED;
    const slot = members === undefined ? -1 : members.find(body, start + 1, behindKey - 1);
    if (slot === BAD_KEY) return MALFORMED;
    const colon = skipSpace(body, behindKey, end);
    if (byteAt(body, colon, end) !== COLON) return MALFORMED;
    const valueStart = skipSpace(body, colon + 1, end);
    const child = slot >= 0 ? children[slot] : undefined;
    return child === undefined ? this.#skip(valueStart) : this.#value(child, valueStart);
  }

  #value(node: BodyNode, start: number): number {
    const { cut, reported, refused } = node;
    const first = byteAt(this.#body, start, this.#end);
    const deeper =
      !cut &&
      ((first === OPEN_BRACE && node.members !== undefined) ||
        (first === OPEN_BRACKET && (node.items !== undefined || node.itemTypes.length > 0)));
    const behind = deeper ? this.#container(node, start) : this.#skip(start);
    if (cut) this.#emptied = true;
    if (reported !== undefined) {
      if (this.#reported.has(reported)) this.#repeated ??= reported;
      this.#reported.set(reported, { start, end: behind });
    }
    if (refused !== undefined) this.#refused ??= refused;
    return behind;
  }

  #item({ items, itemTypes }: BodyNode, start: number): number {
    if (itemTypes.length > 0 && byteAt(this.#body, start, this.#end) === OPEN_BRACE) {
      const behind = skipNested(this.#body, start, this.#end);
      if (behind === MALFORMED) return MALFORMED;
      const scan = scanTopLevel(this.#body, TYPE, start, behind);
      const type = scan.ok ? fieldString(this.#body, scan.fields.type) : undefined;
      if (type !== undefined && itemTypes.some((beginning) => type.startsWith(beginning))) {
        this.#emptied = true;
        return behind;
      }
      if (items === undefined) return behind;
    }
    return items === undefined ? this.#skip(start) : this.#value(items, start);
  }

  /** Steps over a value. A number or literal is taken to end where something else begins. */
  #skip(start: number): number {
    const body = this.#body;
    const end = this.#end;
    const first = byteAt(body, start, end);
    if (first === QUOTE) return skipString(body, start + 1, end);
    if (first === OPEN_BRACE || first === OPEN_BRACKET) return skipNested(body, start, end);
    let at = start;
    while (at < end && isScalarByte(body[at]!)) at += 1;
    return at === start ? MALFORMED : at;
  }
}

/** Letters, digits, sign and point: all that numbers, `true`, `false` and `null` are made of. */
function isScalarByte(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    (byte >= 0x61 && byte <= 0x7a) ||
    byte === 0x45 ||
    byte === 0x2b ||
    byte === 0x2d ||
    byte === 0x2e
  );
}
