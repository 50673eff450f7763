// The keys of one Gateway together: who has a value that several claim, and the order in which they are published. Few keys change from one
// compile to the next, so what was sorted stays sorted.
import type { KeyEntry } from '#shared/bundle/bundle.ts';
import { compileKey, type KeyContext } from './keys.ts';
import type { CompiledKeys, CompileMemo, KeySubject, MadeKey } from './memo.ts';
import { byAge, byText } from './precedence.ts';

interface Candidate {
  readonly subject: KeySubject;
  readonly entry: KeyEntry;
}

/**
 * Compiles the attached keys of one Gateway, sorted by hash. In grace a key has two entries.
 * @param gateway see {@link compileKey}
 * @returns the very list of the compile before when no key changed
 */
export function compileKeys(
  subjects: readonly KeySubject[],
  gateway: object,
  context: KeyContext,
  memo: CompileMemo,
): readonly KeyEntry[] {
  const name = `${context.gateway.namespace}/${context.gateway.name}`;
  const before = memo.keys.get(name);
  const made = subjects.map((subject) => compileKey(subject, gateway, context));
  const compiled = (before && amend(before, made)) ?? gather(subjects, made);
  memo.keys.set(name, compiled);
  return compiled.entries;
}

/** Takes out what is gone and puts in what is new. @returns undefined when several keys hold one value, before or now */
function amend(before: CompiledKeys, made: readonly MadeKey[]): CompiledKeys | undefined {
  if (before.conflicts) return undefined;
  const [gone, fresh] = changes(before.made, made);
  if (gone.length === 0 && fresh.length === 0) return before;
  const hashes = (before.hashes ??= new Set(before.entries.map(({ hash }) => hash)));
  const dropped = new Set(gone.flatMap(({ entries }) => entries));
  const added = fresh.flatMap(({ entries }) => entries);
  for (const { hash } of dropped) hashes.delete(hash);
  for (const { hash } of added) {
    if (hashes.has(hash)) return undefined;
    hashes.add(hash);
  }
  // One long run that is sorted already, and a few at its end.
  const entries = before.entries.filter((entry) => !dropped.has(entry)).concat(added);
  return { made, entries: entries.sort(inOrder), conflicts: false, hashes };
}

/** What is in one list only. Most of both is the same, in the same order. */
function changes(before: readonly MadeKey[], now: readonly MadeKey[]): [gone: MadeKey[], fresh: MadeKey[]] {
  let head = 0;
  while (head < before.length && head < now.length && before[head] === now[head]) head++;
  let [oldEnd, newEnd] = [before.length, now.length];
  while (oldEnd > head && newEnd > head && before[oldEnd - 1] === now[newEnd - 1])
    [oldEnd, newEnd] = [oldEnd - 1, newEnd - 1];
  const [was, is] = [before.slice(head, oldEnd), now.slice(head, newEnd)];
  const [olds, news] = [new Set(was), new Set(is)];
  return [was.filter((each) => !news.has(each)), is.filter((each) => !olds.has(each))];
}

function gather(subjects: readonly KeySubject[], made: readonly MadeKey[]): CompiledKeys {
  const entries = sortedByHash(made.flatMap((each) => each.entries));
  const conflicts = entries.some(({ hash }, at) => hash === entries[at + 1]?.hash);
  return { made, entries: conflicts ? settled(subjects, made) : entries, conflicts };
}

/** The entries of those who keep their values, sorted by hash. */
function settled(subjects: readonly KeySubject[], made: readonly MadeKey[]): KeyEntry[] {
  const byHash = new Map<string, Candidate>();
  for (const [at, subject] of subjects.entries()) {
    for (const entry of made[at]!.entries) {
      const other = byHash.get(entry.hash);
      const candidate = { subject, entry };
      byHash.set(entry.hash, other === undefined ? candidate : settle(other, candidate));
    }
  }
  return sortedByHash(Array.from(byHash.values(), ({ entry }) => entry));
}

/** Room for positions beside 32 bits of a hash in the 53 bits of a whole number. */
const POSITIONS = 2 ** 21;

/**
 * Hashes differ in their first 32 bits, all but a few, and numbers sort six times as fast as texts. What remains for the comparison of texts is
 * nearly in order.
 */
function sortedByHash(entries: readonly KeyEntry[]): KeyEntry[] {
  if (entries.length > POSITIONS) return [...entries].sort(inOrder);
  const order = Float64Array.from(entries, ({ hash }, at) => Number.parseInt(hash.slice(0, 8), 16) * POSITIONS + at);
  return Array.from(order.sort(), (each) => entries[each % POSITIONS]!).sort(inOrder);
}

const inOrder = (a: KeyEntry, b: KeyEntry): number => byText(a.hash, b.hash);

/** Two objects with one value: the older one keeps it. */
function settle(a: Candidate, b: Candidate): Candidate {
  const [winner, loser] = byAge(a.subject.resource.metadata, b.subject.resource.metadata) < 0 ? [a, b] : [b, a];
  // Only neighbours may be named; elsewhere the name of the winner would tell who holds this value.
  const holder =
    winner.entry.namespace === loser.entry.namespace
      ? `VirtualKey ${winner.subject.resource.metadata.name}`
      : 'another VirtualKey';
  const { subject } = loser;
  // What others have holds for this compile only; what was made of the key alone is kept as it is.
  if (subject.report === subject.made?.report) subject.report = subject.report.copy();
  // A key that only lost what it was rotated away from goes on with its new value.
  if (loser.entry.previous) subject.report.warn(`${holder} holds the previous value; grace is over for this key`);
  else subject.report.refuse('Conflicted', `${holder} already holds this value; give this key a value of its own`);
  return winner;
}
