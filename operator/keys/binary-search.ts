// Looking up a hash among 100,000 sorted entries without building an index first.

/** @param sorted by hash */
export function binarySearch(sorted: readonly { readonly hash: string }[], hash: string): boolean {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle]?.hash ?? '') < hash) low = middle + 1;
    else high = middle;
  }
  return sorted[low]?.hash === hash;
}
