// Betas in a body are held against the same rules as those in the header, in every format and however they are written: a name that a
// platform team denies must not reach an upstream, and nothing in a body may harm the upstream of others.
import { expect, test } from 'vitest';
import type { ProviderFamily } from '#shared/catalog/families.ts';
import { ask as askFormat, EVERY_DIALECT, formatOf } from './dialects.ts';
import { ask, closeCloud, COUNT, openCloud, received, type CloudScene } from './providers-scene.ts';
import { errorOf } from './routing.ts';

const DENIED = 'context-1m-2025-08-07';
const DENIES = { capabilities: { betas: { deny: [DENIED] } } };

async function withCloud(family: ProviderFamily, work: (scene: CloudScene) => Promise<void>): Promise<void> {
  const scene = await openCloud(family, { spec: DENIES, gatewaySpec: { dialects: EVERY_DIALECT } });
  try {
    await work(scene);
  } finally {
    await closeCloud(scene);
  }
}

/** Whatever of the request an upstream could read a beta from. */
function told(scene: CloudScene): string {
  const { request } = received(scene);
  return `${JSON.stringify(request.headers)} ${JSON.stringify(request.json())}`;
}

const SPELLINGS = [
  ['by itself', DENIED],
  ['behind a comma', `x-2026-01-01,${DENIED}`],
  ['with blanks', ` ${DENIED}\t`],
] as const;

test.each(SPELLINGS)('[XLAT-23] a denied beta in a Bedrock body, written %s, stays here', async (_how, name) => {
  await withCloud('Anthropic', async (scene) => {
    const { plain, body } = formatOf('Bedrock');
    const answer = await askFormat(scene.gateway, plain, body(false, { anthropic_beta: [name] }));
    expect(answer.status).toBe(200);
    expect(told(scene)).not.toContain(DENIED);
  });
});

test.each(['Anthropic', 'AnthropicCompatible', 'BedrockMantle', 'ClaudePlatformAWS', 'Foundry'] as const)(
  '[XLAT-23] a denied beta in the body of a Messages call is not told to %s',
  async (family) => {
    await withCloud(family, async (scene) => {
      for (const more of [{}, COUNT]) {
        await ask(scene, { anthropic_beta: [DENIED] }, {}, more);
        expect(scene.cloud.requests.map((request) => JSON.stringify(request.json())).join()).not.toContain(DENIED);
      }
    });
  },
);

test('a beta that no header can carry is the fault of its client, and the upstream stays well for others', async () => {
  await withCloud('Anthropic', async (scene) => {
    const { plain, body } = formatOf('Bedrock');
    for (const name of ['a\r\nx-injected: yes', 'a\u0000', 'b\u20ac']) {
      const answer = await askFormat(scene.gateway, plain, body(false, { anthropic_beta: [name] }));
      expect([answer.status, JSON.parse(answer.body.toString())]).toMatchObject([
        400,
        { message: expect.stringContaining('anthropic_beta') as string },
      ]);
    }
    expect(scene.cloud.received()).toBe(0);
    expect((await ask(scene)).status).toBe(200);
  });
});

test('a list of betas longer than any client sends is refused in every format', async () => {
  await withCloud('Bedrock', async (scene) => {
    const betas = Array.from({ length: 1000 }, (_, i) => `invented-${i}`);
    const plain = await ask(scene, { anthropic_beta: betas });
    expect([plain.status, errorOf(plain).error.message]).toEqual([400, expect.stringContaining('anthropic_beta')]);
    const count = await askFormat(scene.gateway, formatOf('Vertex').count, {
      ...formatOf('Vertex').countBody(),
      anthropic_beta: betas,
    });
    expect(count.status).toBe(400);
    expect(scene.cloud.received()).toBe(0);
  });
});

test('what a Messages call says of betas in its body goes where the upstream reads them', async () => {
  await withCloud('Anthropic', async (scene) => {
    const kept = 'interleaved-thinking-2025-05-14';
    const answer = await ask(scene, { anthropic_beta: [kept, DENIED] }, { 'anthropic-beta': 'claude-code-20250219' });
    expect(answer.status).toBe(200);
    const { request, body } = received(scene);
    expect(body).not.toHaveProperty('anthropic_beta');
    expect(request.headers['anthropic-beta']).toBe(`claude-code-20250219,${kept}`);
  });
});
