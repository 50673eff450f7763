// What clients ask without a credential. All of them before they have one: how to sign in. Claude Code, when it is told to leave AWS
// authentication out: inference profiles and token counts. A 401 would be retried for nothing, and users would read it as their own
// credential being wrong.
import { presentedCredential } from '../identify/credential.ts';
import type { Call } from './call.ts';
import { isServed } from './dialects.ts';
import { DEVICE_AUTHORIZATION, DISCOVERY } from './paths.ts';

/** Facts of the gateway and of the catalog, for everyone whom the network rules let in. */
export function isOpen(call: Call): boolean {
  const { method } = call.request;
  if (method === 'POST') return call.path === DEVICE_AUTHORIZATION;
  if (method !== 'GET' && method !== 'HEAD') return false;
  return call.path === DISCOVERY || (isBedrock(call) && /^\/inference-profiles(?:\/|$)/.test(call.path));
}

/** Not found, so that the client estimates; with a credential it is counted like any other. */
export function uncountable(call: Call): boolean {
  return (
    isBedrock(call) &&
    call.request.method === 'POST' &&
    call.path.endsWith('/count-tokens') &&
    presentedCredential(call.request.headers, call.dialect.name) === undefined
  );
}

function isBedrock({ dialect, settings }: Call): boolean {
  return dialect.name === 'Bedrock' && isServed(settings.gateway, 'Bedrock');
}
