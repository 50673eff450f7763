// Request bodies. One spelling for one value, and nothing in it that a YAML reader refuses: the API server reads server-side apply as YAML.
import { canonicalJson } from '../canonical-json.ts';

/** JSON allows these unescaped inside strings; YAML does not print them, takes them for line ends, or for a byte order mark. */
const REFUSED_BY_YAML = /[\u007f-\u009f\u2028\u2029\ufeff]/g;
/** Half a character, as JSON.stringify spells it; the backslash must not itself be escaped. */
const LONE_SURROGATE = /(?<!\\)((?:\\\\)*)\\ud[89a-f][0-9a-f]{2}/g;

/**
 * Keys sorted, `undefined` left out, characters that YAML refuses written as escapes, half surrogate pairs replaced by U+FFFD (the server
 * stores UTF-8, which cannot hold them).
 */
export function requestBody(value: object): string {
  return canonicalJson(value)
    .replace(LONE_SURROGATE, '$1\ufffd')
    .replace(REFUSED_BY_YAML, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
