// The name under which STS and CloudTrail see a caller. STS allows 2 to 64 of `[\w+=,.@-]`; whatever does not fit is marked by a hash, so
// that two callers never share a name.
import { hash } from 'node:crypto';

const MAX_CHARS = 64;
const HASH_CHARS = 10;

/** @param template text in which `{user}` stands for the caller */
export function sessionName(template: string, caller: string): string {
  const wanted = template.split('{user}').join(caller);
  if (/^[\w+=,.@-]{2,64}$/.test(wanted)) return wanted;
  const fitting = wanted.replace(/[^\w+=,.@-]/g, '-').slice(0, MAX_CHARS - HASH_CHARS - 1);
  return `${fitting}-${hash('sha256', wanted, 'hex').slice(0, HASH_CHARS)}`;
}

export function namesCaller(template: string): boolean {
  return template.includes('{user}');
}
