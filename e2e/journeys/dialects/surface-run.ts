// A query of the Agent SDK as a surface of Claude Code makes it, and what came of it.
import { fileURLToPath } from 'node:url';
import { runScript } from '../../harness/cloud-sdks.ts';
import type { ClaudeMode } from './claude-code-modes.ts';
import type { Json } from './client-formats.ts';
import type { TappedClouds } from './clouds.ts';

const SCRIPT = fileURLToPath(new URL('./surfaces.mjs', import.meta.url));

/** Where the SDK and the program that it drives are. */
export interface InstalledSdk {
  readonly sdk: string;
  readonly claude: string;
}

export interface SurfaceQuery {
  readonly prompt: string;
  /** Of the SDK, as its documentation names them. */
  readonly options: Json;
  readonly baseUrls: ClaudeMode['baseUrls'];
  /** Credential and switches. */
  readonly environment: Readonly<Record<string, string>>;
  /** Files of the working folder by name. */
  readonly files?: Readonly<Record<string, string>>;
  /** What the person at the surface answers when a tool asks. Default: nobody is there to ask. */
  readonly permission?: 'allow' | 'deny';
  /** How the answer is stopped at its first words. */
  readonly stop?: 'abort' | 'interrupt';
}

export interface SurfaceAnswer {
  readonly messages: readonly Json[];
  /** Tools that the person was asked for. */
  readonly asked: readonly Json[];
  /** Behind `claude`. */
  readonly args: readonly string[];
  readonly entrypoint: string;
  /** What the query threw. */
  readonly error: { readonly name: string; readonly message: string } | null;
}

/** Runs one query to its end. @throws as {@link runScript} does */
export async function runSurface(
  { sdk, claude }: InstalledSdk,
  tap: TappedClouds['tap'],
  query: SurfaceQuery,
): Promise<SurfaceAnswer> {
  const environment = {
    SDK: sdk,
    CLAUDE: claude,
    QUESTION: JSON.stringify({ files: {}, ...query }),
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
  };
  return (await runScript([process.execPath, SCRIPT], { tap, environment })) as unknown as SurfaceAnswer;
}

/** The last word of a run. */
export function resultOf({ messages }: Pick<SurfaceAnswer, 'messages'>): Json | undefined {
  return messages.find(({ type }) => type === 'result');
}
