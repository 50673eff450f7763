// What `portcullis run` says when it is ready: where it listens, what it serves, and lines to paste.
import type { Loaded } from './load-worker.ts';

export interface WelcomeOptions {
  readonly version: string;
  readonly demo: { readonly url: string } | undefined;
}

export function welcome(
  { bundle, revision, keyFiles, trouble }: Pick<Loaded, 'bundle' | 'revision' | 'keyFiles' | 'trouble'>,
  { version, demo }: WelcomeOptions,
): string {
  const { publicUrl, namespace, name } = bundle.gateway;
  const counts = [plural(bundle.upstreams.length, 'upstream'), plural(bundle.policies.length, 'policy', 'policies')];
  const lines = [`portcullis ${version} serves ${namespace}/${name} (${counts.join(', ')}), revision ${revision}`, ''];
  if (demo !== undefined)
    lines.push('  DEMO       answers are made up on this machine; set ANTHROPIC_API_KEY for real ones', '');
  lines.push(`  base URL   ${publicUrl}`);
  const [file] = keyFiles;
  if (file !== undefined) {
    lines.push(
      `  key        ${file}`,
      `  curl       (. ${file}; curl -sN ${publicUrl}/v1/messages -H "x-api-key: $ANTHROPIC_AUTH_TOKEN" -H 'content-type: application/json' \\`,
      `               -d '{"model":"claude-haiku-5-5","max_tokens":64,"stream":true,"messages":[{"role":"user","content":"Say hello"}]}')`,
      `  claude     (set -a; . ${file}; set +a; claude)`,
    );
  } else {
    lines.push(`  claude     ANTHROPIC_BASE_URL=${publicUrl} ANTHROPIC_AUTH_TOKEN=<your key> claude`);
  }
  return [...lines, '', ...(trouble === undefined ? [] : [trouble, '']), 'ready'].join('\n');
}

function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
