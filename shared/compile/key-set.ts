// The keys of one Gateway together: who has a value that several claim, and the order in which they are published. Few keys change from one
// compile to the next, so what was sorted stays sorted.
import type { KeyEntry } from '#shared/bundle/bundle.ts';
import type { Attachment } from './attach.ts';
import { compileKey, type KeyContext } from './keys.ts';
import type { CompiledKeys, CompileMemo, KeySubject } from './memo.ts';
import { byAge, byText } from './precedence.ts';

interface Candidate {
  readonly subject: KeySubject;
  readonly entry: KeyEntry;
}

/** A key and the Gateway that took it. */
export interface AttachedKey {
  readonly subject: KeySubject;
  readonly attachment: Attachment & { readonly ok: true };
}

/**
 * Compiles the attached keys of one Gateway, sorted by hash. In grace a key has two entries.
 * @param gateway see {@link compileKey}
 * @returns the very list of the compile before when no key changed
 */
export function compileKeys(
  attached: readonly AttachedKey[],
  gateway: object,
  context: KeyContext,
  memo: CompileMemo,
): readonly KeyEntry[] {
  const name = `${context.gateway.namespace}/${context.gateway.name}`;
  const before = memo.keys.get(name);
  let unchanged = before !== undefined && !before.conflicts && before.subjects.length === attached.length;
  const subjects = attached.map(({ subject, attachment }, at) => {
    const known = subject.made;
    const made = compileKey(subject, attachment, gateway, context);
    unchanged &&= made === known && before?.subjects[at] === subject;
    return subject;
  });
  if (unchanged && before !== undefined) return before.entries;
  const compiled = merge(subjects, before);
  memo.keys.set(name, compiled);
  return compiled.entries;
}

function merge(subjects: readonly KeySubject[], before: CompiledKeys | undefined): CompiledKeys {
  const byHash = new Map<string, Candidate>();
  let conflicts = false;
  for (const subject of subjects) {
    for (const entry of subject.made?.entries ?? []) {
      const other = byHash.get(entry.hash);
      const candidate = { subject, entry };
      if (other !== undefined) conflicts = true;
      byHash.set(entry.hash, other === undefined ? candidate : settle(other, candidate));
    }
  }
  return { subjects, entries: sorted(byHash, before?.entries ?? []), conflicts };
}

/** Entries that stand where they stood come first, so that sorting finds one long run and a few that are new. */
function sorted(byHash: ReadonlyMap<string, Candidate>, before: readonly KeyEntry[]): KeyEntry[] {
  const kept = before.filter((entry) => byHash.get(entry.hash)?.entry === entry);
  if (kept.length < byHash.size) {
    const known = new Set(kept);
    for (const { entry } of byHash.values()) if (!known.has(entry)) kept.push(entry);
  }
  return kept.sort((a, b) => byText(a.hash, b.hash));
}

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
