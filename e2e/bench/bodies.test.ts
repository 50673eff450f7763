/** The bodies must stay what the targets were set for: their size, their shape, and the same bytes in every process. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { bodyOf } from './bodies.ts';

test('the small body is 300 bytes of a valid request', () => {
  expect(bodyOf('small')).toHaveLength(300);
  expect(JSON.parse(bodyOf('small').toString())).toMatchObject({ messages: [{ role: 'user' }] });
});

test('the turn has the size and shape of one of Claude Code', () => {
  const body = bodyOf('turn');
  const turn = JSON.parse(body.toString()) as {
    system: unknown[];
    tools: { input_schema: { properties: object } }[];
    messages: { role: string }[];
    stream: boolean;
  };
  expect(body).toHaveLength(87_345);
  expect([turn.system.length, turn.tools.length, turn.stream]).toEqual([3, 12, true]);
  expect(turn.tools.every((tool) => Object.keys(tool.input_schema.properties).length > 2)).toBe(true);
  expect(turn.messages.map((message) => message.role)).toEqual(
    Array.from({ length: 13 }, (_, index) => (index % 2 === 0 ? 'user' : 'assistant')),
  );
  // A body without escapes would let a parser skip through it.
  expect(body.toString().split('\\').length).toBeGreaterThan(1000);
});

test('the bytes are the same every time', () => {
  const hash = (): string => createHash('sha256').update(bodyOf('turn')).digest('hex');
  expect(hash()).toBe(hash());
});
