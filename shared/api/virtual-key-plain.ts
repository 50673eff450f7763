// A fast reader for the specs that most VirtualKeys have: a Gateway, an owner, where the value comes from, a state. It takes what the schema
// would take as it is and answers undefined to anything else, faults included, so that the schema decides. There may be 100,000 of
// them, and the schema takes ten times as long; a test holds it to the schema's answers.
import { LABEL, NAME, SECRET_KEY } from './scalars.ts';
import { OWNER_NAME, type VirtualKeySpec } from './virtual-key.ts';

const MEMBERS: ReadonlySet<string> = new Set(['gatewayRef', 'owner', 'credential', 'state']);
const OWNERS: ReadonlySet<unknown> = new Set(['User', 'Team', 'Service']);
const STATES: ReadonlySet<unknown> = new Set(['Active', 'Disabled', 'Revoked']);

/** What a spec without scopes has. */
const SCOPES = Object.freeze(['read', 'write']) as VirtualKeySpec['scopes'];

/**
 * @param raw never altered afterwards: the spec shares its parts
 * @returns the spec with defaults applied, or undefined when the schema must decide
 */
export function plainVirtualKey(raw: unknown): VirtualKeySpec | undefined {
  if (!isMapping(raw)) return undefined;
  for (const member in raw) if (!MEMBERS.has(member)) return undefined;
  const { gatewayRef, owner, credential, state = 'Active' } = raw;
  if (!isGatewayRef(gatewayRef) || !isOwner(owner) || !isCredential(credential) || !STATES.has(state)) return undefined;
  return { gatewayRef, owner, credential, scopes: SCOPES, state: state as VirtualKeySpec['state'] };
}

function isGatewayRef(raw: unknown): raw is VirtualKeySpec['gatewayRef'] {
  if (!isMapping(raw) || !isText(raw['name'], 253, NAME)) return false;
  const members = size(raw);
  return members === 1 || (members === 2 && isText(raw['namespace'], 63, LABEL));
}

function isOwner(raw: unknown): raw is VirtualKeySpec['owner'] {
  return hasTwo(raw) && OWNERS.has(raw['type']) && isText(raw['name'], 253, OWNER_NAME);
}

function isCredential(raw: unknown): raw is VirtualKeySpec['credential'] {
  if (!hasTwo(raw)) return false;
  const { type, generated, imported } = raw;
  if (type === 'Generated') {
    return isMapping(generated) && size(generated) === 1 && isText(generated['secretName'], 253, NAME);
  }
  if (type !== 'Imported' || !isMapping(imported) || size(imported) !== 1) return false;
  const ref = imported['secretRef'];
  return hasTwo(ref) && isText(ref['name'], 253, NAME) && isText(ref['key'], 253, SECRET_KEY);
}

function isText(value: unknown, longest: number, pattern: RegExp): boolean {
  return typeof value === 'string' && value.length <= longest && pattern.test(value);
}

function hasTwo(raw: unknown): raw is Record<string, unknown> {
  return isMapping(raw) && size(raw) === 2;
}

/** Number of members, without a list of them. */
function size(raw: Record<string, unknown>): number {
  let members = 0;
  for (const _ in raw) members++;
  return members;
}

const isMapping = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
