// Offsets to lines, and paths to offsets.
import { isAlias, isMap, isNode, isScalar, isSeq, type Document as YamlDocument } from 'yaml';

/** A place in a file; line and column count from 1. */
export interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Members from the root of a document, such as `['spec', 'models', 'allow', 0]`. */
export type Path = readonly (string | number)[];

export interface Lines {
  readonly at: (file: string, offset: number) => Position;
}

/** Finds lines and columns (from 1) by offset. The table of lines is made when the first one is asked for. */
export function linesOf(text: string): Lines {
  let starts: number[] | undefined;
  return {
    at(file, offset) {
      starts ??= [0, ...Array.from(text.matchAll(/\n/g), (newline) => newline.index + 1)];
      let [low, high] = [0, starts.length - 1];
      while (low < high) {
        const middle = Math.ceil((low + high) / 2);
        if ((starts[middle] ?? 0) <= offset) low = middle;
        else high = middle - 1;
      }
      return { file, line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
    },
  };
}

/**
 * @param document gives meaning to aliases
 * @returns offset of the last member of the path that exists: of its key in an object, of itself in a list
 */
export function locateNode(document: YamlDocument.Parsed, path: Path): number {
  let node: unknown = document.contents;
  let offset = isNode(node) ? (node.range?.[0] ?? 0) : 0;
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
      if (pair === undefined) return offset;
      if (isNode(pair.key)) offset = pair.key.range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      const item = node.items[Number(step)];
      if (!isNode(item)) return offset;
      offset = item.range?.[0] ?? offset;
      node = item;
    } else return offset;
  }
  return offset;
}
