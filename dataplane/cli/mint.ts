// Values for generated keys in `portcullis run`: made once, written to a file of the state folder that a shell can source, read from there
// ever after. The file is the Secret that the VirtualKey names.
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSpec } from '#shared/api/parse.ts';
import { MODEL_NAME } from '#shared/api/virtual-key.ts';
import type { RawObject } from '#shared/compile/types.ts';
import { SecretText } from '#shared/secret-text.ts';
import { writePrivate } from './state.ts';

export interface MintedKey {
  /** `namespace/name` of the Secret. */
  readonly secret: string;
  readonly file: string;
  readonly values: ReadonlyMap<string, SecretText>;
}

/** What a Gateway says about its keys. */
interface Issuer {
  readonly baseUrl: string;
  readonly prefix: string;
}

interface GeneratedSecret {
  readonly secretName: string;
  readonly model?: string;
}

/** 256 bits. */
const KEY_BYTES = 32;
/** A shell reads the file, and host names may hold `$(`. */
const HARMLESS_URL = /^https?:\/\/[A-Za-z0-9._:[\]-]+$/;

/**
 * The Secrets of all generated keys among the objects.
 * @param folder the state folder
 */
export function mintKeys(objects: readonly RawObject[], folder: string): MintedKey[] {
  const issuers = new Map(
    objects.filter(({ kind }) => kind === 'Gateway').map((gateway) => [keyOf(gateway), issuerOf(gateway)]),
  );
  return objects.flatMap((object) => {
    const generated = generatedSecret(object);
    const issuer = issuers.get(gatewayOf(object));
    if (generated === undefined || issuer === undefined) return [];
    return [mint(object.metadata.namespace, generated, issuer, folder)];
  });
}

/** Undefined for a Gateway with a fault: what a typing error says about prefixes must not be written for good. */
function issuerOf({ spec }: RawObject): Issuer | undefined {
  const parsed = parseSpec('Gateway', spec);
  if (!parsed.ok) return undefined;
  const baseUrl = parsed.value.publicUrl.replace(/\/$/, '');
  return HARMLESS_URL.test(baseUrl) ? { baseUrl, prefix: parsed.value.virtualKeys.prefix } : undefined;
}

function mint(
  namespace: string,
  { secretName, model }: GeneratedSecret,
  { baseUrl, prefix }: Issuer,
  folder: string,
): MintedKey {
  const file = join(folder, 'keys', namespace, `${secretName}.env`);
  const token = readToken(file) ?? `${prefix}${randomBytes(KEY_BYTES).toString('base64url')}`;
  const modelLine = model === undefined ? '' : `ANTHROPIC_MODEL=${model}\n`;
  const text = `ANTHROPIC_BASE_URL=${baseUrl}\nANTHROPIC_AUTH_TOKEN=${token}\n${modelLine}`;
  if (!existsSync(file) || readFileSync(file, 'utf8') !== text) writePrivate(file, text);
  return { secret: `${namespace}/${secretName}`, file, values: new Map([['token', new SecretText(token)]]) };
}

function readToken(file: string): string | undefined {
  return existsSync(file) ? /^ANTHROPIC_AUTH_TOKEN=(\S+)$/m.exec(readFileSync(file, 'utf8'))?.[1] : undefined;
}

function generatedSecret({ kind, spec }: RawObject): GeneratedSecret | undefined {
  if (kind !== 'VirtualKey') return undefined;
  const { secretName, model } = member(member(member(spec)['credential'])['generated']);
  // The compile step checks both, but a path and a line for a shell must not be made of anything else meanwhile.
  if (typeof secretName !== 'string' || !/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(secretName)) return undefined;
  return typeof model === 'string' && MODEL_NAME.test(model) ? { secretName, model } : { secretName };
}

function gatewayOf({ metadata, spec }: RawObject): string {
  const { name, namespace } = member(member(spec)['gatewayRef']);
  return `${typeof namespace === 'string' ? namespace : metadata.namespace}/${String(name)}`;
}

function keyOf({ metadata }: RawObject): string {
  return `${metadata.namespace}/${metadata.name}`;
}

function member(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
