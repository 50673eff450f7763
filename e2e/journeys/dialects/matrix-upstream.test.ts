// The other side of the matrix: what a family is sent is the same whatever dialect the client speaks, with every feature that the family has
// and nothing that it does not know.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PROVIDER_FAMILIES, type ProviderFamily } from '#shared/catalog/families.ts';
import type { RecordedRequest } from '../../harness/mock-anthropic.ts';
import { CLIENT_FORMATS, type Json } from './client-formats.ts';
import { startClouds, type Clouds } from './clouds.ts';
import { asking, succeeded } from './matrix-call.ts';

const { betas: ALL, body: BODY } = asking('plain', true);
const { tags: _tags, ...WITHOUT_TAGS } = BODY;

const CLOSED = ['interleaved-thinking-2025-05-14', 'context-management-2025-06-27', 'tool-search-tool-2025-10-19'];
const EFFORT = 'effort-2025-11-24';

interface Expected {
  readonly rows: string;
  readonly model: string | undefined;
  readonly betas: readonly string[];
  /** All but model, stream and the version of the dialect. */
  readonly body: Json;
}

const EXPECTED: Readonly<Record<ProviderFamily, Expected>> = {
  Anthropic: { rows: '[API-26]', model: 'claude-sonnet-4-6', betas: ALL, body: BODY },
  AnthropicCompatible: { rows: '[API-26]', model: 'claude-sonnet-4-6', betas: ALL, body: BODY },
  Bedrock: {
    rows: '[API-26] [XLAT-05] [XLAT-12]',
    model: undefined,
    betas: [...CLOSED, EFFORT],
    body: WITHOUT_TAGS,
  },
  BedrockMantle: {
    rows: '[API-26] [XLAT-11] [XLAT-12]',
    model: 'anthropic.claude-sonnet-4-6',
    betas: ['claude-code-20250219', ...CLOSED, EFFORT],
    body: WITHOUT_TAGS,
  },
  ClaudePlatformAWS: { rows: '[API-26] [XLAT-10]', model: 'claude-sonnet-4-6', betas: ALL, body: BODY },
  Foundry: { rows: '[API-26] [XLAT-10]', model: 'claude-sonnet-4-6', betas: ALL, body: BODY },
  Vertex: {
    rows: '[API-26] [XLAT-09] [XLAT-12]',
    model: undefined,
    betas: ['claude-code-20250219', ...CLOSED, EFFORT],
    body: WITHOUT_TAGS,
  },
};

let clouds: Clouds;

beforeAll(async () => {
  clouds = await startClouds();
});

afterAll(() => clouds?.close());

function betasOf(request: RecordedRequest, body: Json): unknown {
  return body['anthropic_beta'] ?? String(request.headers['anthropic-beta']).split(',');
}

describe.each(CLIENT_FORMATS.map((dialect) => [dialect.dialect, dialect] as const))('%s', (name, dialect) => {
  describe.each(PROVIDER_FAMILIES)(`${name} → %s`, (family) => {
    const { rows, model, betas, body } = EXPECTED[family];

    test(`${rows} features reach the provider, each beta with its field`, async () => {
      await succeeded({ clouds, dialect, family }, dialect.turn(asking('plain', true)));
      const request = clouds.mocks[family].requests.at(-1)!;
      const received = request.json()!;
      expect(betasOf(request, received)).toEqual(betas);
      const { model: asked, stream: _, anthropic_version: __, anthropic_beta: ___, ...rest } = received;
      expect(asked).toBe(model);
      expect(rest).toEqual(body);
      expect(request.rawHeaders).not.toContain('wrkspc_client');
    });
  });
});
