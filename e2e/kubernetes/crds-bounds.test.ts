// Every bound of the four kinds, one step beyond: what the API server says, word for word. Our own reader is tried with the same manifests
// in shared/api/bounds.test.ts.
import { describe, expect, test } from 'vitest';
import { structuralSchema } from '#shared/api/crd-schema.ts';
import { KINDS, type Kind } from '#shared/api/kinds.ts';
import { BASE_SPECS } from '#shared/api/rule-case.ts';
import { replaced, schemaFaults, type SchemaFault } from '#shared/api/schema-faults.ts';
import { STATUS } from '#shared/api/status.ts';
import { sharedControlPlane, testNamespace } from '../harness/kubernetes/shared-control-plane.ts';
import { collection, create, manifest, tryCreate, TRIAL, verdict } from './manifest-door.ts';

const plane = await sharedControlPlane();
const namespace = await testNamespace('bounds');

/** Cases by the bound they break, so that a failure of many is one failure. */
function byKeyword(faults: readonly SchemaFault[]): [keyword: string, count: number, faults: SchemaFault[]][] {
  return Object.entries(Object.groupBy(faults, ({ keyword }) => keyword)).map(([keyword, same = []]) => [
    keyword,
    same.length,
    same,
  ]);
}

/** What was said instead, for each fault that was not answered with its own words. */
async function misjudged(
  faults: readonly SchemaFault[],
  judge: (fault: SchemaFault) => Promise<string>,
): Promise<string[]> {
  const wrong: string[] = [];
  for (const fault of faults) {
    const said = await judge(fault);
    if (!said.includes(fault.says)) wrong.push(`${fault.place}: ${said.slice(0, 600) || 'accepted'}`);
  }
  return wrong;
}

describe.each(KINDS.map(({ kind, spec }) => [kind, schemaFaults(structuralSchema(spec), 'spec')] as const))(
  'spec of %s',
  (kind, faults) => {
    test.each(byKeyword(faults))('[OPS-07] %s: %i bad manifests', async (_keyword, _count, same) => {
      const specOf = ({ path, value }: SchemaFault) => replaced(BASE_SPECS[kind], path.slice(1), value);
      const wrong = await misjudged(same, async (fault) => {
        return (await tryCreate(plane, namespace, kind, specOf(fault))).said;
      });
      expect(wrong).toEqual([]);
    });
  },
);

describe.each(KINDS.map(({ kind }) => [kind, schemaFaults(structuralSchema(STATUS[kind]), 'status')] as const))(
  'status of %s',
  (kind: Kind, faults) => {
    test.each(byKeyword(faults))('%s: %i bad reports', async (_keyword, _count, same) => {
      const name = `reported-${same[0]?.keyword.toLowerCase()}`;
      const { metadata } = await create(plane, namespace, kind, name, BASE_SPECS[kind]);
      const at = `${collection(kind, namespace)}/${name}/status?${TRIAL}`;
      const wrong = await misjudged(same, async (fault) => {
        const object = { ...manifest(kind, name, BASE_SPECS[kind]), metadata };
        return (await verdict(plane.raw.send('PUT', at, replaced(object, fault.path, fault.value) as object))).said;
      });
      expect(wrong).toEqual([]);
    });
  },
);
