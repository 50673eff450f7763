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
  const { name, namespace: own, uid, generation, creationTimestamp, labels, annotations } = raw;
  note(faults, nameFault(name, 253, DNS_NAME, 'must be lower-case letters, digits, - and .'), 'name');
  if (own !== undefined)
    note(faults, nameFault(own, 63, DNS_LABEL, 'must be lower-case letters, digits and -'), 'namespace');
  if (uid !== undefined) note(faults, textFault(uid), 'uid');
  if (generation !== undefined && !Number.isSafeInteger(generation))
    note(faults, 'must be a whole number', 'generation');
  if (creationTimestamp !== undefined && !time.safeParse(creationTimestamp).success)
    note(faults, textFault(creationTimestamp) ?? 'must be a time such as 2027-01-01T00:00:00Z', 'creationTimestamp');
  noteTexts(faults, labels, 'labels');
  noteTexts(faults, annotations, 'annotations');
  const metadata: Record<string, unknown> = { name, namespace: own ?? namespace };
  if (uid !== undefined) metadata['uid'] = uid;
  if (generation !== undefined) metadata['generation'] = generation;
  if (creationTimestamp !== undefined) metadata['creationTimestamp'] = creationTimestamp;
  if (labels !== undefined) metadata['labels'] = labels;
  if (annotations !== undefined) metadata['annotations'] = annotations;
  return metadata as unknown as ObjectMeta;
}

function note(faults: MetadataFault[], message: string | undefined, member: string): void {
  if (message !== undefined) faults.push({ path: [member], message });
}

function noteTexts(faults: MetadataFault[], map: unknown, member: string): void {
  if (map === undefined) return;
  if (!isMapping(map)) return note(faults, 'must be an object', member);
  for (const key of Object.keys(map)) {
    const message = textFault(map[key]);
    if (message !== undefined) faults.push({ path: [member, key], message });
  }
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
