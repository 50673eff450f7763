/**
 * Portcullis in front of the three clouds, one upstream each, chosen by a hint header: the same process for all of them, so that what is
 * compared is the family and nothing else. From the sources, because token endpoints of clouds cannot be named in manifests.
 */
import { generateKeyPairSync } from 'node:crypto';
import pino from 'pino';
import { CredentialSources } from '#dataplane/credentials/sources.ts';
import type { Clock } from '#dataplane/credentials/source.ts';
import { SnapshotHolder } from '#dataplane/config/snapshot.ts';
import { createDataPlane } from '#dataplane/data-plane.ts';
import { snapshotOf } from '../../harness/gateway.ts';
import { CI_KEY, NAMESPACE, importedKey, object, upstream, type Resources } from '../../harness/resources.ts';
import { freePort } from '../../harness/free-port.ts';
import { serveCommands } from '../child-process.ts';

const ROUTE_HEADER = 'x-org-route';

const upstreamUrl = process.argv[2] ?? '';
const logFile = process.argv[3] ?? '';
const ref = (key: string) => ({ name: 'clouds', key });

const serviceAccount = JSON.stringify({
  type: 'service_account',
  client_email: 'bench@bench.iam.gserviceaccount.com',
  private_key_id: 'bench',
  private_key: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }),
});

const resources: Resources = {
  objects: [
    object('Gateway', 'claude', {
      publicUrl: 'http://127.0.0.1:1',
      routing: { hintHeader: ROUTE_HEADER },
      listen: { limits: { maxConcurrentUpstream: 16_384 } },
    }),
    upstream('anthropic', upstreamUrl, { anthropic: { auth: { type: 'APIKey', apiKey: ref('token') } } }),
    cloud('bedrock', {
      provider: 'Bedrock',
      bedrock: {
        region: 'us-east-1',
        auth: { type: 'AccessKey', accessKey: { accessKeyId: ref('id'), secretAccessKey: ref('secret') } },
      },
    }),
    cloud('vertex', {
      provider: 'Vertex',
      vertex: {
        project: 'bench',
        location: 'us-east5',
        auth: { type: 'ServiceAccountKey', serviceAccountKey: ref('google') },
      },
    }),
    object('Policy', 'everyone', { match: { everyone: {} }, models: { allow: ['claude-*'] } }),
    importedKey('ci'),
  ],
  secrets: {
    [`${NAMESPACE}/keys`]: { ci: CI_KEY },
    [`${NAMESPACE}/clouds`]: {
      token: 'sk-ant-bench-0123456789',
      id: 'AKIABENCHBENCHBENCHB',
      secret: 'bench/secret/key/0123456789abcdefghijklmn',
      google: serviceAccount,
    },
  },
};

function cloud(name: string, spec: Record<string, unknown>) {
  return object('Upstream', name, { baseUrl: upstreamUrl, ...spec });
}

const clock: Clock = {
  now: Date.now,
  after: (milliseconds, work) => {
    const timer = setTimeout(work, milliseconds);
    return () => clearTimeout(timer);
  },
};
const token = (): Promise<Response> =>
  Promise.resolve(
    Response.json({ access_token: 'ya29.bench-token-0123456789', token_type: 'Bearer', expires_in: 3600 }),
  );
const sources = new CredentialSources({
  fetch: token,
  fetchLocal: token,
  readFile: () => Promise.reject(new Error('no files here')),
  clock,
  random: Math.random,
});

const [port, metricsPort] = [await freePort(), await freePort()];
const holder = new SnapshotHolder();
holder.swap(snapshotOf(resources, { port, metricsPort, openCredentials: (specs) => sources.configure(specs) }));
const audit = pino.destination({ dest: logFile, sync: false, minLength: 8 * 1024 });
const plane = createDataPlane({
  holder,
  audit: { write: (line) => void audit.write(`${line}\n`) },
  log: pino({ level: 'silent' }),
  version: '0.0.0-bench',
  environmentProxy: undefined,
});
await plane.listen();
serveCommands({ url: `http://127.0.0.1:${port}`, key: CI_KEY }, () => Promise.resolve({}));
