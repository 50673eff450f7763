// Who still uses the old secret of a rotated key, as the pods' Leases tell it.
import { PREVIOUS_SECRET_ANNOTATION, type PreviousSecretUse } from '#shared/kube/labels.ts';
import type { KubeObject } from '#shared/kube/object.ts';
import { z } from 'zod';

/** Pods write it, so it is read like anything that comes from outside. */
const uses = z.record(
  z.string().max(512),
  z.object({
    at: z.iso.datetime({ offset: true }),
    count: z.int().min(0),
    addresses: z.array(z.string().max(64)).max(16),
  }),
);

/** Uses by `namespace/name` of the VirtualKey, one entry for each pod that saw the old secret. */
export function previousUse(leases: readonly KubeObject[]): Map<string, PreviousSecretUse[]> {
  const byKey = new Map<string, PreviousSecretUse[]>();
  for (const { metadata } of leases) {
    const text = metadata.annotations?.[PREVIOUS_SECRET_ANNOTATION];
    if (text === undefined) continue;
    for (const [key, use] of Object.entries(read(text))) byKey.set(key, [...(byKey.get(key) ?? []), use]);
  }
  return byKey;
}

function read(text: string): Record<string, PreviousSecretUse> {
  try {
    return uses.safeParse(JSON.parse(text)).data ?? {};
  } catch {
    return {};
  }
}
