// A provider that trusts a cluster: it checks a pod's token as real ones do, against the keys that the API server publishes and for one audience
// and one subject, and gives its own in exchange.
import { createPublicKey, verify, type JsonWebKey } from 'node:crypto';
import type { Behave, Behaviour } from '../mock-anthropic.ts';

/** Of a token of a service account that is bound to a pod. */
export interface PodClaims {
  readonly aud: readonly string[];
  readonly sub: string;
  /** Seconds since 1970, UTC. */
  readonly iat: number;
  readonly exp: number;
  readonly 'kubernetes.io': { readonly namespace: string; readonly pod: { readonly name: string } };
}

export interface Federation {
  /** Reads a token. @throws {Error} when no key of the cluster has signed it */
  claimsOf(token: string): PodClaims;
  /** For a mock: exchanges tokens, and answers calls that carry what it gave. */
  readonly behave: Behave;
  /** What it gives. */
  readonly access: string;
  /** Claims of the tokens it took, oldest first. */
  readonly taken: readonly PodClaims[];
}

interface Rule {
  readonly audience: string;
  /** `system:serviceaccount:<namespace>:<name>` */
  readonly subject: string;
}

type Key = JsonWebKey & { readonly kid: string };

const GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const access = 'sk-ant-oat01-exchanged-0123456789';

/** @param keySet JSON of `/openid/v1/jwks` */
export function federation(keySet: string, { audience, subject }: Rule): Federation {
  const { keys } = JSON.parse(keySet) as { readonly keys: readonly Key[] };
  const taken: PodClaims[] = [];

  function claimsOf(token: string): PodClaims {
    const [head = '', claims = '', signature = ''] = token.trim().split('.');
    const { kid } = decoded(head) as { readonly kid: string };
    const jwk = keys.find((key) => key.kid === kid);
    if (jwk === undefined) throw new Error(`no key ${kid} in this cluster`);
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    if (!verify('sha256', Buffer.from(`${head}.${claims}`), key, Buffer.from(signature, 'base64url'))) {
      throw new Error(`key ${kid} has not signed this`);
    }
    return decoded(claims) as PodClaims;
  }

  function exchange({ grant_type: grant, assertion }: Readonly<Record<string, unknown>> = {}): Behaviour {
    const claims = claimsOf(String(assertion));
    const good =
      grant === GRANT && claims.aud.includes(audience) && claims.sub === subject && claims.exp * 1_000 > Date.now();
    if (!good) return json(401, { error: 'invalid_grant' });
    taken.push(claims);
    return json(200, { access_token: access, token_type: 'Bearer', expires_in: 3_600 });
  }

  return {
    claimsOf,
    access,
    taken,
    behave(request) {
      if (request.url === '/v1/oauth/token') return exchange(request.json());
      return request.headers.authorization === `Bearer ${access}`
        ? { kind: 'text', text: 'by exchange' }
        : { kind: 'status', status: 401, message: 'invalid bearer token' };
    },
  };
}

const decoded = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString());

const json = (status: number, body: object): Behaviour => ({
  kind: 'raw',
  status,
  headers: { 'content-type': 'application/json' },
  chunks: [JSON.stringify(body)],
});
