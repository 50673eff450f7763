import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SecretText } from '#shared/secret-text.ts';
import type { Bundle } from './bundle.ts';
import {
  bundleJson,
  credentialsJson,
  decodePart,
  digestOf,
  encodePart,
  MAX_PART_JSON_BYTES,
  PartError,
  readBundle,
  readCredentials,
} from './parts.ts';

const json = Buffer.from('[{"hash":"00"}]');
const entry = { sha256: digestOf(json), size: json.length };

/** Random bytes as text, which compresses to no less than three quarters. */
function noise(length: number): Buffer {
  let state = 1;
  const bytes = Buffer.alloc((length * 3) / 4);
  for (let at = 0; at < bytes.length; at++) {
    state = (state * 48_271) % 2_147_483_647;
    bytes[at] = state >> 8;
  }
  return Buffer.from(bytes.toString('base64'));
}

const faultOf = async (reading: Promise<unknown>): Promise<PartError> => {
  const error = await reading.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(PartError);
  return error as PartError;
};

describe('a part', () => {
  test('comes back as it was written', async () => {
    await fc.assert(
      fc.asyncProperty(fc.json({ maxDepth: 4 }), async (text) => {
        const content = Buffer.from(text);
        const part = await encodePart('bundle', content);
        expect(await decodePart('bundle', part.bytes, part)).toEqual(content);
      }),
      { numRuns: 50 },
    );
  });

  test('that was altered, cut or exchanged is refused by name', async () => {
    const { bytes } = await encodePart('keys-03', json);
    const cases: [string, Uint8Array, typeof entry, string][] = [
      ['other content', gzipSync('[{"hash":"01"}]'), entry, 'digest_mismatch'],
      ['longer content', gzipSync(`${json.toString()} `), entry, 'digest_mismatch'],
      ['shorter content', gzipSync('[]'), entry, 'digest_mismatch'],
      ['a bomb', gzipSync(Buffer.alloc(8_000_000)), entry, 'digest_mismatch'],
      ['an index of other content', bytes, { ...entry, sha256: 'a'.repeat(64) }, 'digest_mismatch'],
      ['an index of another size', bytes, { ...entry, size: entry.size + 1 }, 'digest_mismatch'],
      ['half of it', bytes.subarray(0, bytes.length - 9), entry, 'corrupt'],
      ['no gzip', json, entry, 'corrupt'],
      ['nothing', new Uint8Array(), entry, 'corrupt'],
    ];
    for (const [title, content, named, code] of cases) {
      const error = await faultOf(decodePart('keys-03', content, named));
      expect([title, error.code, error.part]).toEqual([title, code, 'keys-03']);
      expect(error.message).toContain('keys-03');
    }
  });

  test('too large for an object is refused with its size and the limit', async () => {
    const error = await faultOf(encodePart('keys-00', noise(1_400_000)));
    expect(error.code).toBe('too_large');
    expect(error.message).toMatch(/^keys-00: 1\d{6} bytes when compressed, and 1000000 /);
    expect((await faultOf(encodePart('bundle', Buffer.alloc(MAX_PART_JSON_BYTES + 1)))).code).toBe('too_large');
    await encodePart('keys-00', noise(1_200_000));
  });
});

describe('what is in a part', () => {
  test('[SEC-21] credentials travel as text and come back as secrets; a fault tells nothing of them', () => {
    const stored = credentialsJson({
      pepper: new SecretText('p'),
      values: { b: new SecretText('2'), a: new SecretText('1') },
    });
    expect(stored.toString()).toBe('{"pepper":"p","values":{"a":"1","b":"2"}}');
    const read = readCredentials(stored);
    expect([read.pepper.reveal(), read.values['a']?.reveal(), read.values['b']?.reveal()]).toEqual(['p', '1', '2']);
    expect(JSON.stringify(read)).not.toMatch(/"[p12]"/);
    for (const text of [
      '{"pepper":"sk-hidden',
      '{"pepper":"sk-hidden","values":{"a":5}}',
      '{"values":{"a":"sk-hidden"}}',
    ]) {
      expect(() => readCredentials(Buffer.from(text))).toThrow(
        /^credentials: (is not JSON|does not hold a pepper and values)$/,
      );
    }
  });

  test('a bundle of another format is told from one that is broken', () => {
    const bundle = { format: 1, models: [] } as unknown as Bundle;
    expect(readBundle(bundleJson(bundle))).toEqual(bundle);
    const cases = [
      ['{"format":2}', 'unknown_format'],
      ['{}', 'unknown_format'],
      ['[]', 'unknown_format'],
      ['null', 'unknown_format'],
      ['{', 'corrupt'],
    ] as const;
    for (const [text, code] of cases) {
      expect(() => readBundle(Buffer.from(text))).toThrow(expect.objectContaining({ code, part: 'bundle' }));
    }
  });
});
