// What `portcullis run` says when it is ready: where it listens, what it serves, and lines to paste.
import type { CompiledGateway } from '#shared/compile/types.ts';
import type { CompiledFiles } from './compile-files.ts';
import { tableText } from './report.ts';

export interface WelcomeOptions {
  readonly version: string;
  readonly demo: { readonly url: string } | undefined;
}

export function welcome(
  compiled: CompiledFiles,
  { bundle, keys }: CompiledGateway,
  { version, demo }: WelcomeOptions,
): string {
  const { publicUrl, namespace, name } = bundle.gateway;
  const counts = `${plural(bundle.upstreams.length, 'upstream')}, ${plural(bundle.policies.length, 'policy', 'policies')}, ${plural(keys.length, 'key')}`;
  const lines = [`portcullis ${version} serves ${namespace}/${name} (${counts}), revision ${compiled.revision}`, ''];
  if (demo !== undefined)
    lines.push('  DEMO       answers are made up on this machine; set ANTHROPIC_API_KEY for real ones', '');
  lines.push(`  base URL   ${publicUrl}`);
  const [key] = compiled.minted;
  if (key !== undefined) {
    const source = `. ${key.file}`;
    lines.push(
      `  key        ${key.file}`,
      `  curl       (${source}; curl -sN ${publicUrl}/v1/messages -H "x-api-key: $ANTHROPIC_AUTH_TOKEN" -H 'content-type: application/json' \\`,
      `               -d '{"model":"claude-haiku-5-5","max_tokens":64,"stream":true,"messages":[{"role":"user","content":"Say hello"}]}')`,
      `  claude     (set -a; ${source}; set +a; claude)`,
    );
  } else {
    lines.push(`  claude     ANTHROPIC_BASE_URL=${publicUrl} ANTHROPIC_AUTH_TOKEN=<your key> claude`);
  }
  const troubled =
    compiled.notes.length > 0 ||
    compiled.statuses.some(
      ({ conditions, warnings }) =>
        warnings.length > 0 || conditions.some(({ type, status }) => type !== 'Overridden' && status !== 'True'),
    );
  return [...lines, '', ...(troubled ? [tableText(compiled), ''] : []), 'ready'].join('\n');
}

function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
