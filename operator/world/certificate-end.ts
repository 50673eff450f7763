// When PEM certificates end. Nothing else is kept of one that was read.
import { X509Certificate } from 'node:crypto';
import { pemCertificates } from '#shared/compile/secret-value.ts';
import type { SecretText } from '#shared/secret-text.ts';

/** A value is the same object for as long as its Secret does not change, and is asked for at every pass; `Infinity`: it holds no certificate. */
const known = new WeakMap<SecretText, number>();

/**
 * @param pem one certificate or several; those that cannot be read are the compile step's to complain of
 * @returns milliseconds since 1970 at which the first of them ends; undefined when there is none
 */
export function certificateEnd(pem: SecretText): number | undefined {
  let end = known.get(pem);
  if (end === undefined) known.set(pem, (end = Math.min(...pemCertificates(pem.reveal()).flatMap(endOf))));
  return end === Infinity ? undefined : end;
}

function endOf(certificate: string): number[] {
  try {
    const end = new X509Certificate(certificate).validToDate.getTime();
    return Number.isNaN(end) ? [] : [end];
  } catch {
    return [];
  }
}
