// Patterns over model names, in which `*` stands for any characters.

/**
 * Whether a name fits a pattern in which `*` stands for any characters. Both are compared as they are; bring them to lower
 * case first. Steps back to the last `*` only, so the time is bounded by the product of the lengths however hostile the pattern.
 */
export function matchesPattern(pattern: string, name: string): boolean {
  let [at, star, mark] = [0, -1, 0];
  for (let index = 0; index < name.length;) {
    if (pattern[at] === '*') [star, mark] = [at++, index];
    else if (pattern[at] === name[index]) [at, index] = [at + 1, index + 1];
    else if (star >= 0) [at, index] = [star + 1, ++mark];
    else return false;
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}
