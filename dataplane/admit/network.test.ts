import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { IncomingMessage } from 'node:http';
import { clientAddress, NetworkList, plainAddress } from './network.ts';

describe('lists', () => {
  test.each([
    [['10.0.0.0/8'], '10.0.0.0', true],
    [['10.0.0.0/8'], '10.255.255.255', true],
    [['10.0.0.0/8'], '11.0.0.0', false],
    [['192.0.2.7/32'], '192.0.2.7', true],
    [['192.0.2.7/32'], '192.0.2.6', false],
    [['192.0.2.0/25', '10.0.0.0/8'], '10.1.1.1', true],
    [['0.0.0.0/0'], '203.0.113.1', true],
    [['0.0.0.0/0'], '2001:db8::1', false],
    [['2001:db8::/32'], '2001:0DB8:0::1', true],
    [['2001:db8::/32'], '2001:db9::', false],
    [['::1/128'], '::1', true],
    [['10.0.0.0/8'], '::ffff:10.1.2.3', true],
    [['10.0.0.0/8'], '::ffff:a01:203', true],
    [['10.0.0.0/8'], '', false],
    [['10.0.0.0/8'], 'unknown', false],
    [['10.0.0.0/8'], '10.1', false],
    [['fe80::/10'], 'fe80::1', true],
    [[], '10.0.0.1', false],
  ])('[SEC-11] %j holds %s: %s', (networks, address, expected) => {
    expect(new NetworkList(networks).has(address)).toBe(expected);
  });

  test('[SEC-11] membership is that of the first bits, for any IPv4 network', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 2 ** 32 - 1 }),
        fc.nat({ max: 2 ** 32 - 1 }),
        fc.integer({ min: 0, max: 32 }),
        (a, b, bits) => {
          const expected = bits === 0 || a >>> (32 - bits) === b >>> (32 - bits);
          expect(new NetworkList([`${dotted(a)}/${bits}`]).has(dotted(b))).toBe(expected);
        },
      ),
    );
  });
});

function dotted(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
}

test.each([
  ['::ffff:10.1.2.3', '10.1.2.3'],
  ['::FFFF:10.1.2.3', '10.1.2.3'],
  ['10.1.2.3', '10.1.2.3'],
  ['::ffff:a01:203', '::ffff:a01:203'],
  ['2001:db8::1', '2001:db8::1'],
])('plain %s: %s', (address, plain) => {
  expect(plainAddress(address)).toBe(plain);
});

describe('X-Forwarded-For', () => {
  const trusted = new NetworkList(['10.0.0.0/8', '::1/128']);
  const request = (peer: string, forwarded?: string) =>
    ({ socket: { remoteAddress: peer }, headers: { 'x-forwarded-for': forwarded } }) as unknown as IncomingMessage;

  test('[SEC-12] nothing a client writes changes the address its first honest proxy saw', () => {
    const hop = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.string(),
      fc.constantFrom('', ' ', '10.9.9.9', '[', '[]:1', '::1', 'fe80::1%x'),
    );
    fc.assert(
      fc.property(fc.array(hop, { maxLength: 6 }), fc.constantFrom('192.0.2.1', '2001:db8::9'), (written, client) => {
        const chain = [...written, client, '10.1.1.1'].join(',');
        expect(clientAddress(request('::ffff:10.2.2.2', chain), trusted)).toBe(client);
      }),
    );
  });

  test('[SEC-12] without a trusted peer the header is not read, whatever it says', () => {
    fc.assert(
      fc.property(fc.string(), (header) => {
        expect(clientAddress(request('192.0.2.1', header), trusted)).toBe('192.0.2.1');
        expect(clientAddress(request('10.0.0.1', header), new NetworkList([]))).toBe('10.0.0.1');
      }),
    );
  });

  test('no header: the proxy itself is the client', () => {
    expect(clientAddress(request('10.0.0.1'), trusted)).toBe('10.0.0.1');
  });
});
