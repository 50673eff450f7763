import pino from 'pino';
import { beforeEach, expect, test } from 'vitest';
import { RESOURCE } from '#shared/kube/object.ts';
import { GatewayStore } from './store.ts';
import { GATEWAY, hashOf, MemoryApi } from './testing.ts';
import { Tombstones } from './tombstones.ts';

const log = pino({ level: 'silent' });
const BOUNDS = { perObject: 3, objects: 2 };
const hashes = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, at) => hashOf(String(from + at)));

let api: MemoryApi;

async function open(): Promise<{ store: GatewayStore; tombstones: Tombstones }> {
  const store = new GatewayStore(api.client(), GATEWAY, 'operator');
  await store.claim(true);
  const tombstones = new Tombstones(BOUNDS);
  await tombstones.load(store, log);
  return { store, tombstones };
}

beforeEach(() => {
  api = new MemoryApi();
});

test('[KEY-10] go on in a further object when one is full, and only the last is written again', async () => {
  const { store, tombstones } = await open();
  tombstones.add(hashes(0, 4));
  expect(await tombstones.save(store)).toBe(0);
  api.log.length = 0;
  tombstones.add(hashes(0, 5));
  await tombstones.save(store);
  await tombstones.save(store);
  expect(api.log).toEqual(['claude-tombstones-01']);
  const again = (await open()).tombstones;
  expect([...again.hashes].sort()).toEqual(hashes(0, 5).sort());
});

test('beyond their bound hold in this process, and are counted so that people are told', async () => {
  const { store, tombstones } = await open();
  tombstones.add(hashes(0, 9));
  expect(await tombstones.save(store)).toBe(3);
  expect(await tombstones.save(store)).toBe(3);
  expect(tombstones.hashes.size).toBe(9);
  expect((await open()).tombstones.hashes.size).toBe(6);
});

test('altered by hand keep what can be read', async () => {
  const { store, tombstones } = await open();
  tombstones.add(hashes(0, 2));
  await tombstones.save(store);
  api.edit(RESOURCE.Secret, 'claude-tombstones', (object) => {
    const bytes = Buffer.from(object.data!['hashes.bin']!, 'base64').subarray(0, 40);
    return { ...object, data: { 'hashes.bin': bytes.toString('base64') } };
  });
  const next = await open();
  expect(next.tombstones.hashes).toEqual(new Set(hashes(0, 1)));
  next.tombstones.add(hashes(2, 3));
  await next.tombstones.save(next.store);
  expect((await open()).tombstones.hashes).toEqual(new Set([...hashes(0, 1), ...hashes(2, 3)]));
});
