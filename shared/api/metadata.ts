// The metadata of an object, as far as this product uses it. Read by hand: a schema costs more per object than the rest of reading it,
// and there may be 100,000. Other members (resourceVersion, managedFields, ...) are the API server's and none of our business.
import { z } from 'zod';
import type { ObjectMeta } from './kinds.ts';

/** A member of `metadata`, or of a map in it, and what is wrong with it. */
export interface MetadataFault {
  readonly path: readonly string[];
  readonly message: string;
}

const DNS_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const DNS_LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const time = z.iso.datetime({ offset: true });

/**
 * @param raw the `metadata` member as it was written
 * @param namespace given to an object that names none
 * @param faults takes everything that is wrong
 * @returns metadata to use when there are no faults
 */
export function readMetadata(raw: unknown, namespace: string, faults: MetadataFault[]): ObjectMeta {
  if (!isMapping(raw)) {
    faults.push({ path: [], message: raw === undefined ? 'is required' : 'must be an object' });
    return { name: '', namespace };
  }
  const fault = (message: string | undefined, ...path: string[]) =>
    message !== undefined && faults.push({ path, message });
  const { name, namespace: own, uid, generation, creationTimestamp, labels } = raw;
  fault(nameFault(name, 253, DNS_NAME, 'must be lower-case letters, digits, - and .'), 'name');
  if (own !== undefined) fault(nameFault(own, 63, DNS_LABEL, 'must be lower-case letters, digits and -'), 'namespace');
  if (uid !== undefined) fault(textFault(uid), 'uid');
  if (generation !== undefined && !Number.isSafeInteger(generation)) fault('must be a whole number', 'generation');
  if (creationTimestamp !== undefined && !time.safeParse(creationTimestamp).success)
    fault(textFault(creationTimestamp) ?? 'must be a time such as 2027-01-01T00:00:00Z', 'creationTimestamp');
  if (isMapping(labels)) for (const key of Object.keys(labels)) fault(textFault(labels[key]), 'labels', key);
  else if (labels !== undefined) fault('must be an object', 'labels');
  return {
    name,
    namespace: own ?? namespace,
    ...(uid === undefined ? {} : { uid }),
    ...(generation === undefined ? {} : { generation }),
    ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    ...(labels === undefined ? {} : { labels }),
  } as ObjectMeta;
}

function nameFault(value: unknown, longest: number, pattern: RegExp, message: string): string | undefined {
  if (typeof value !== 'string') return textFault(value);
  if (value === '') return 'must have at least 1 character';
  if (value.length > longest) return `must have at most ${longest} characters`;
  return pattern.test(value) ? undefined : message;
}

function textFault(value: unknown): string | undefined {
  if (typeof value === 'string') return undefined;
  return value === undefined ? 'is required' : 'must be a string';
}

const isMapping = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
