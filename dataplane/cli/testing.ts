// Manifests and folders for tests of the command line.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { compileFiles, remember, type CompiledFiles } from './compile-files.ts';
import { StateFolder } from './state.ts';

export const NOW = Date.parse('2026-06-01T12:00:00Z');
/** A provider credential that must never be seen outside of a header to the provider. */
export const TOKEN = 'sk-ant-api03-planted-0123456789-planted';
/** A value of an imported key. */
export const VALUE = 'Vq8s-3kLz0-pWm4T-x9BdR-7yHnC-e2JfG';

export const GATEWAY = `apiVersion: portcullis.dev/v1alpha1
kind: Gateway
metadata: {name: claude}
spec: {publicUrl: "http://127.0.0.1:8080"}
`;

export const UPSTREAM = `apiVersion: v1
kind: Secret
metadata: {name: anthropic}
stringData: {token: ${TOKEN}}
---
apiVersion: portcullis.dev/v1alpha1
kind: Upstream
metadata: {name: anthropic}
spec:
  gatewayRef: {name: claude}
  provider: Anthropic
  anthropic: {auth: {type: APIKey, apiKey: {name: anthropic, key: token}}}
`;

/** A VirtualKey with a generated value. */
export function generatedKey(name: string, spec = ''): string {
  return virtualKey(name, `{type: Generated, generated: {secretName: ${name}-key}}`, spec);
}

/** A VirtualKey with a value of its own, and the Secret that holds it. */
export function importedKey(name: string, value: string, spec = ''): string {
  const secret = `apiVersion: v1\nkind: Secret\nmetadata: {name: ${name}-value}\nstringData: {value: ${value}}\n`;
  const credential = `{type: Imported, imported: {secretRef: {name: ${name}-value, key: value}}}`;
  return documents(secret, virtualKey(name, credential, spec));
}

/** @param spec further lines of the spec, such as `state: Revoked` */
export function virtualKey(name: string, credential: string, spec = ''): string {
  return `apiVersion: portcullis.dev/v1alpha1
kind: VirtualKey
metadata: {name: ${name}}
spec:
  gatewayRef: {name: claude}
  owner: {type: Service, name: ${name}}
  credential: ${credential}
  ${spec}
`;
}

export function documents(...parts: readonly string[]): string {
  return parts.join('---\n');
}

export interface Workspace {
  readonly folder: string;
  readonly state: string;
  path(name: string): string;
  write(name: string, text: string): string;
  /** What one start or reload of `run` does with this text: compile, and remember when it was without fault. */
  load(text: string, now?: number): CompiledFiles;
  /** State of the key by name, as the data plane would see it; undefined when no such key is served. */
  keyState(name: string, compiled: CompiledFiles): string | undefined;
  remove(): void;
}

export function workspace(): Workspace {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-cli-'));
  const state = join(folder, 'state');
  const write = (name: string, text: string): string => {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  };
  return {
    folder,
    state,
    path: (name) => join(folder, name),
    write,
    load(text, now = NOW) {
      const opened = new StateFolder(state);
      const paths = [write('portcullis.yaml', text)];
      const compiled = compileFiles({ paths, environment: {}, state: opened, now: () => now });
      if (compiled.faults.length === 0) remember(compiled, opened);
      return compiled;
    },
    keyState: (name, { gateways }) =>
      gateways.get('default/claude')?.keys.find(({ key }) => key === `default/${name}`)?.state,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Reason of the Accepted condition. */
export function accepted(kind: string, name: string, { statuses }: CompiledFiles): string | undefined {
  const status = statuses.find((each) => each.kind === kind && each.name === name);
  return status?.conditions.find(({ type }) => type === 'Accepted')?.reason;
}
