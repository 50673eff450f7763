// Fields that the operator of a cluster acts on. `run` does not, and says so rather than let somebody believe in them.
import type { Fault } from '#shared/api/documents.ts';
import type { RawObject } from '#shared/compile/types.ts';
import { identity, type LoadedFiles } from './load.ts';

const PODS = 'it describes pods, and this is one process without a cluster';
/** By kind the fields, and why. */
const CLUSTER_ONLY: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Gateway: { deployment: PODS, networkPolicy: PODS },
  Upstream: {
    maxCredentialAge: 'age counts from when a Secret in a cluster last changed, and a file does not say that',
  },
};

/** @returns a note for every such field, where it stands, and one for all keys that ask for rotation, where the first does */
export function clusterOnlyNotes(objects: readonly RawObject[], places: LoadedFiles['documents']): Fault[] {
  return [...objects.flatMap((object) => fieldNotes(object, places)), ...rotationNote(objects, places)];
}

function fieldNotes(object: RawObject, places: LoadedFiles['documents']): Fault[] {
  const { kind, spec } = object;
  const fields = CLUSTER_ONLY[kind];
  // Nearly every object is a key, which has no such field.
  if (fields === undefined || typeof spec !== 'object' || spec === null) return [];
  const document = places.get(identity(object));
  if (document === undefined) return [];
  return Object.entries(fields)
    .filter(([field]) => field in spec)
    .map(([field, why]) => ({
      ...document.locate(['spec', field]),
      message: `spec.${field} has no effect here: ${why}`,
    }));
}

/** Rotation needs somebody who puts the new value where its clients read it; here that is a person. */
function rotationNote(objects: readonly RawObject[], places: LoadedFiles['documents']): Fault[] {
  const rotating = objects.filter(
    ({ kind, spec }) => kind === 'VirtualKey' && typeof spec === 'object' && spec !== null && 'rotation' in spec,
  );
  const document = rotating[0] && places.get(identity(rotating[0]));
  if (document === undefined) return [];
  const whose = rotating.length === 1 ? 'a value' : `(${rotating.length} keys) a value`;
  const message =
    `spec.rotation has no effect here: ${whose} stays good until its file in the state folder is deleted and the gateway is started again, ` +
    'which makes a new one';
  return [{ ...document.locate(['spec', 'rotation']), message }];
}
