// Names a place in a Messages body, for tables: `context_management`, `output_config.effort`, `tools[].strict` (that member of
// every item), `tools[advisor_*]` (the items whose `type` begins so).

/** One step down: a member, then perhaps into the array it holds. */
export interface PathStep {
  readonly key: string;
  /** `''`: every item. Otherwise the beginning of the `type` of the items meant; only on the last step. */
  readonly items?: string;
}

export type BodyPath = readonly [PathStep, ...PathStep[]];

const STEP = /^([a-z][a-z0-9_]*)(?:\[(?:([a-z][a-z0-9_]*)\*)?\])?$/;

/**
 * @throws {RangeError} when the text is no path, or ends in `[]`, which would mean every item
 * @example parseBodyPath('tools[].strict') // [{ key: 'tools', items: '' }, { key: 'strict' }]
 */
export function parseBodyPath(text: string): BodyPath {
  const parts = text.split('.');
  const steps = parts.map((part, index): PathStep => {
    const match = STEP.exec(part);
    const last = index === parts.length - 1;
    const items = match?.[2] ?? (part.endsWith(']') ? '' : undefined);
    if (match === null || (items !== undefined && (items !== '') !== last)) {
      throw new RangeError(`"${text.slice(0, 80)}" is not a body path such as "tools[].strict"`);
    }
    return items === undefined ? { key: match[1]! } : { key: match[1]!, items };
  });
  return steps as unknown as BodyPath;
}
