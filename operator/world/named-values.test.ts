import pino from 'pino';
import { beforeEach, expect, test } from 'vitest';
import { ApiError, type KubeClient, type Reference } from '#shared/kube/client.ts';
import { configMapValues, secretValues } from './named-values.ts';

const asked: string[] = [];
let answer: (at: Reference) => unknown;
const client = {
  get: async (_type: unknown, at: Reference) => {
    asked.push(`${at.namespace}/${at.name}`);
    return answer(at);
  },
} as unknown as KubeClient;
let values: ReturnType<typeof secretValues>;

beforeEach(() => {
  asked.length = 0;
  answer = () => secret('1', 'first');
  values = secretValues(client, pino({ enabled: false }));
});

const secret = (resourceVersion: string, token: string): object => ({
  metadata: { name: 's', namespace: 'ai', resourceVersion },
  data: { token: Buffer.from(token).toString('base64') },
});
const read = async (version: string | undefined, names = ['ai/s']): Promise<string | undefined> => {
  const { values: secrets } = await values.read(new Set(names), () => version);
  return secrets.get('ai/s')?.get('token')?.reveal();
};

test('a value is read once for each version of its Secret', async () => {
  expect(await read('1')).toBe('first');
  expect(await read('1')).toBe('first');
  expect(asked).toEqual(['ai/s']);
  answer = () => secret('2', 'second');
  expect(await read('2')).toBe('second');
  expect(asked).toHaveLength(2);
});

test('a Secret that does not exist is not asked for, one that went away meanwhile has no value', async () => {
  expect(await read(undefined)).toBeUndefined();
  expect(asked).toEqual([]);
  answer = () => {
    throw new ApiError(404, 'NotFound', 'gone');
  };
  expect(await read('1')).toBeUndefined();
});

test('[PROV-16] while the API server does not answer, the last value holds, and the reading says that it is not complete', async () => {
  await read('1');
  answer = () => {
    throw new ApiError(503, 'ServiceUnavailable', 'away');
  };
  const { complete, values: secrets } = await values.read(new Set(['ai/s']), () => '2');
  expect(complete).toBe(false);
  expect(secrets.get('ai/s')?.get('token')?.reveal()).toBe('first');
  answer = () => secret('2', 'second');
  expect(await read('2')).toBe('second');
});

test('what nothing names any more is forgotten', async () => {
  await read('1');
  expect(values.get('ai/s')?.get('token')?.reveal()).toBe('first');
  await read('1', []);
  expect(values.get('ai/s')).toBeUndefined();
  asked.length = 0;
  await read('1');
  await read('1', []);
  await read('1');
  expect(asked).toHaveLength(2);
});

test('a ConfigMap is text as it stands, and the very same object until it changes', async () => {
  answer = () => ({ metadata: { name: 's', namespace: 'ai', resourceVersion: '1' }, data: { 'prices.json': '{}' } });
  const texts = configMapValues(client, pino({ enabled: false }));
  const first = (await texts.read(new Set(['ai/s']), () => '1')).values.get('ai/s');
  expect(first).toEqual(new Map([['prices.json', '{}']]));
  expect((await texts.read(new Set(['ai/s']), () => '1')).values.get('ai/s')).toBe(first);
});
