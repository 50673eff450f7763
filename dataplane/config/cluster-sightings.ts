// Which index is the newest, out of what the watch, plain reads and mounted files show.
//
// Sequences count up, so a lower one is old news and is not taken: a watch may start at a server that lags behind, a mount lags by nature.
// There is one exception, a writer that starts anew: the index was deleted and made again, or the API server's store was restored from a
// backup. A plain read is answered from the store itself, so a read that began after we knew sequence N and shows less than N, or another
// revision under N, proves just that. From then on the server's word counts, and mounted files of the time before do not.
import type { BundleIndex } from '#shared/bundle/publication.ts';

export type Verdict =
  /** The newest so far. */
  | 'newer'
  /** Known already, or old news. */
  | 'known'
  /** Below what is known: only a plain read can tell whether that is old news or a new start. */
  | 'doubtful'
  /** The writer started anew. */
  | 'restarted';

export interface Candidate {
  readonly index: BundleIndex;
  readonly place: 'api' | 'mount';
}

export class Sightings {
  #api: BundleIndex | undefined;
  #mount: BundleIndex | undefined;
  #newest: BundleIndex | undefined;
  /** Sequence in force: only higher ones are candidates. */
  #base = 0;
  /** Mounted files at or below this are of the time before a new start. */
  #mountFloor = 0;
  #starts = 0;

  /** Note it before a plain read, for {@link fromRead}. */
  get newest(): BundleIndex | undefined {
    return this.#newest;
  }

  /** Counts new starts of the writer: what was begun under another number is void. */
  get starts(): number {
    return this.#starts;
  }

  fromWatch(index: BundleIndex): Verdict {
    if (this.#newest !== undefined && contradicts(index, this.#newest)) return 'doubtful';
    const isNews = this.#newest?.sequence !== index.sequence;
    this.#api = this.#newest = index;
    return isNews ? 'newer' : 'known';
  }

  /** @param newestBefore {@link newest} when the read began */
  fromRead(index: BundleIndex, newestBefore: BundleIndex | undefined): Verdict {
    if (newestBefore === undefined || !contradicts(index, newestBefore)) {
      const verdict = this.fromWatch(index);
      // Something newer came while the read was under way.
      return verdict === 'doubtful' ? 'known' : verdict;
    }
    this.#mountFloor = Math.max(this.#mountFloor, newestBefore.sequence, this.#mount?.sequence ?? 0);
    this.#mount = undefined;
    this.#api = this.#newest = index;
    this.#base = index.sequence - 1;
    this.#starts++;
    return 'restarted';
  }

  fromMount(index: BundleIndex): Verdict {
    if (index.sequence <= Math.max(this.#base, this.#mountFloor)) return 'known';
    if (this.#mount?.sequence === index.sequence) return 'known';
    this.#mount = index;
    if (index.sequence > (this.#newest?.sequence ?? 0)) this.#newest = index;
    return 'newer';
  }

  /** What could be loaded now, the best first: the highest sequence, and of equal ones the API server's. */
  candidates(): Candidate[] {
    const all: Candidate[] = [];
    if (this.#api !== undefined) all.push({ index: this.#api, place: 'api' });
    if (this.#mount !== undefined) all.push({ index: this.#mount, place: 'mount' });
    return all
      .filter(({ index }) => index.sequence > this.#base)
      .sort((a, b) => b.index.sequence - a.index.sequence || (a.place === 'api' ? -1 : 1));
  }

  inForce({ sequence }: BundleIndex): void {
    this.#base = sequence;
  }
}

function contradicts(index: BundleIndex, newest: BundleIndex): boolean {
  if (index.sequence === newest.sequence) return index.revision !== newest.revision;
  return index.sequence < newest.sequence;
}
