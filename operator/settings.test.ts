import { expect, test } from 'vitest';
import { readSettings } from './settings.ts';

const NEEDED = { POD_NAME: 'operator-0', POD_NAMESPACE: 'portcullis', PORTCULLIS_IMAGE: 'portcullis:1' };

test('the least that is needed, with safe defaults', () => {
  expect(readSettings(NEEDED)).toMatchObject({ PORTCULLIS_HEALTH_PORT: 8081, PORTCULLIS_LOG_LEVEL: 'info' });
  expect(readSettings({ ...NEEDED, PORTCULLIS_NAMESPACES: '' }).PORTCULLIS_NAMESPACES).toBeUndefined();
});

test('namespaces are a list', () => {
  expect(readSettings({ ...NEEDED, PORTCULLIS_NAMESPACES: 'ai, team-a,' }).PORTCULLIS_NAMESPACES).toEqual([
    'ai',
    'team-a',
  ]);
});

test('[OPS-04] every missing or wrong variable is named at once', () => {
  const read = (): unknown =>
    readSettings({ POD_NAME: 'x', PORTCULLIS_HEALTH_PORT: '70000', PORTCULLIS_LOG_LEVEL: 'loud' });
  expect(read).toThrow(/POD_NAMESPACE[^]*PORTCULLIS_IMAGE[^]*PORTCULLIS_LOG_LEVEL[^]*PORTCULLIS_HEALTH_PORT/);
});
