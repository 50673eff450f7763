// Records against real file descriptors: a file, a pipe whose reader is slow, a pipe whose reader goes away.
import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AuditOutput } from './audit-output.ts';

const { O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
const POLL = { timeout: 5_000, interval: 10 };

let folder: string;
let told: string[];
let clock: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'portcullis-audit-'));
  [told, clock] = [[], 0];
});
afterEach(() => rmSync(folder, { recursive: true }));

const line = (number: number): string => JSON.stringify({ number, filler: 'x'.repeat(200) });

function opened(fd: number, maxWaiting?: number): AuditOutput {
  return new AuditOutput({
    fd,
    ...(maxWaiting === undefined ? {} : { maxWaiting }),
    now: () => clock,
    tell: (lost, reason) => told.push(`${lost} ${reason}`),
  });
}

function pipe(): { readonly reader: number; readonly writer: number } {
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  return { reader: openSync(path, O_RDONLY | O_NONBLOCK), writer: openSync(path, O_WRONLY | O_NONBLOCK) };
}

/** What a pipe holds now. */
function readAll(fd: number): string {
  const chunk = Buffer.alloc(65_536);
  let text = '';
  for (;;) {
    try {
      const read = readSync(fd, chunk);
      if (read === 0) return text;
      text += chunk.toString('utf8', 0, read);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return text;
      throw error;
    }
  }
}

test('records wait for others for a moment, leave by themselves, and a flush writes the rest at once', async () => {
  const path = join(folder, 'records');
  const audit = opened(openSync(path, 'w'));
  for (let i = 0; i < 3; i++) audit.write(line(i));
  expect(readFileSync(path, 'utf8')).toBe('');
  await expect.poll(() => readFileSync(path, 'utf8'), POLL).toBe(`${line(0)}\n${line(1)}\n${line(2)}\n`);
  audit.write(line(3));
  audit.flush();
  expect(readFileSync(path, 'utf8')).toMatch(new RegExp(`${line(3)}\n$`));
  expect(audit.lost).toBe(0);
});

test('what a slow reader leaves no room for is lost, counted and told once a minute; the rest arrives whole', async () => {
  const { reader, writer } = pipe();
  const audit = opened(writer, 256 * 1024);
  const count = 5_000;
  for (let i = 0; i < count; i++) audit.write(line(i));
  expect(audit.lost).toBeGreaterThan(0);
  expect(told).toHaveLength(1);
  let text = '';
  await expect
    .poll(() => {
      text += readAll(reader);
      return text.split('\n').length - 1 + audit.lost;
    }, POLL)
    .toBe(count);
  for (const each of text.trimEnd().split('\n'))
    expect(each).toBe(line((JSON.parse(each) as { number: number }).number));
  // There is room again.
  const before = audit.lost;
  audit.write(line(count));
  await expect.poll(() => readAll(reader), POLL).toBe(`${line(count)}\n`);
  expect(audit.lost).toBe(before);

  clock = 60_000;
  for (let i = 0; i < count; i++) audit.write(line(i));
  expect(told).toHaveLength(2);
  expect(told.every((text) => text.endsWith('whatever reads standard output is too slow'))).toBe(true);
  closeSync(reader);
  closeSync(writer);
});

test('a reader that goes away costs every record from then on, and nothing else', async () => {
  const { reader, writer } = pipe();
  const audit = opened(writer);
  closeSync(reader);
  for (let i = 0; i < 10; i++) audit.write(line(i));
  audit.flush();
  await expect.poll(() => audit.lost, POLL).toBe(10);
  audit.write(line(10));
  expect(audit.lost).toBe(11);
  expect(told).toEqual(['10 nobody reads standard output any more']);
  closeSync(writer);
});

test('nor are those forgotten that were still waiting for others when it went', async () => {
  const { reader, writer } = pipe();
  const audit = opened(writer);
  closeSync(reader);
  // A batch and the beginning of the next.
  for (let i = 0; i < 200; i++) audit.write(line(i));
  await expect.poll(() => audit.lost, POLL).toBe(200);
  closeSync(writer);
});
