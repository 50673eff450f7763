/**
 * What gives credentials on the way to a cloud, without a network: STS, Google's, Microsoft's and Anthropic's token endpoints, metadata
 * servers. Each gives what the mock of its cloud takes, and remembers what it was asked.
 */
import { CredentialSources } from '#dataplane/credentials/sources.ts';
import type { Clock, Fetch } from '#dataplane/credentials/source.ts';
import type { OpenCredentials } from '#dataplane/providers/target.ts';
import { ANTHROPIC, AWS, AZURE, GOOGLE } from './accounts.ts';

const LIFETIME_S = 3600;

export interface TokenEndpoints {
  readonly open: OpenCredentials;
  /** What was asked, oldest first: host and path, and the body. */
  readonly asked: { readonly url: string; readonly body: string }[];
  /** Paths of the token files that were read. */
  readonly files: string[];
}

const clock: Clock = {
  now: Date.now,
  after: (milliseconds, work) => {
    const timer = setTimeout(work, milliseconds).unref();
    return () => clearTimeout(timer);
  },
};

/** @param token content of every token file */
export function tokenEndpoints(token = 'projected-token'): TokenEndpoints {
  const asked: TokenEndpoints['asked'] = [];
  const files: string[] = [];
  const fetch: Fetch = async (url, { body }) => {
    const { host, pathname } = new URL(url);
    const text = body === undefined || body === null ? '' : await new Response(body).text();
    asked.push({ url: `${host}${pathname}`, body: text });
    return answer(host, pathname, text);
  };
  const sources = new CredentialSources({
    fetch,
    fetchLocal: fetch,
    readFile: (path) => {
      files.push(path);
      return Promise.resolve(token);
    },
    clock,
    random: Math.random,
  });
  return { open: (specs) => sources.configure(specs), asked, files };
}

function answer(host: string, path: string, body: string): Response {
  if (host.startsWith('sts.') && host.endsWith('.amazonaws.com')) return sts(body);
  if (host === 'login.microsoftonline.com' || path.startsWith('/metadata/identity/')) return bearer(AZURE.key);
  if (host.endsWith('googleapis.com') || host === 'metadata.google.internal') return bearer(GOOGLE.token);
  if (path === '/v1/oauth/token') return bearer(ANTHROPIC.token);
  return new Response('', { status: 404 });
}

function bearer(token: string): Response {
  // Google says the seconds as a number, Microsoft's metadata server as text.
  return Response.json({ access_token: token, token_type: 'Bearer', expires_in: LIFETIME_S });
}

function sts(body: string): Response {
  const action = new URLSearchParams(body).get('Action') ?? '';
  const expires = new Date(Date.now() + LIFETIME_S * 1000).toISOString();
  const credentials = [
    `<AccessKeyId>${AWS.accessKeyId}</AccessKeyId>`,
    `<SecretAccessKey>${AWS.secretAccessKey}</SecretAccessKey>`,
    `<SessionToken>${AWS.sessionToken}</SessionToken>`,
    `<Expiration>${expires}</Expiration>`,
  ].join('');
  const result = `<${action}Result><Credentials>${credentials}</Credentials></${action}Result>`;
  const xml = `<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">${result}</${action}Response>`;
  return new Response(xml, { headers: { 'content-type': 'text/xml', date: new Date().toUTCString() } });
}
