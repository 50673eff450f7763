import { compile } from './compile.ts';
import { inputOf, object, gateway } from './testing.ts';
import { createHash } from 'node:crypto';
const n = 100_000;
const objs = [gateway()];
const secrets: Record<string, Record<string, string>> = {};
for (let i = 0; i < n; i++) {
  objs.push(
    object(
      'VirtualKey',
      `p/key-${i}`,
      {
        gatewayRef: { name: 'gw' },
        owner: { type: 'Service', name: `ci-${i}` },
        credential: { type: 'Generated', generated: { secretName: `s-${i}` } },
        scopes: ['read', 'write'],
        models: { allow: ['claude-sonnet-*', 'claude-haiku-4-5'] },
        ttl: '2160h',
      },
      { generation: 1, creationTimestamp: '2026-01-01T00:00:00Z', labels: { team: `t${i % 50}` } },
    ),
  );
  secrets[`p/s-${i}`] = { token: 'sk-pc-' + createHash('sha256').update(String(i)).digest('base64url') };
}
const input = inputOf(objs, secrets);
for (let r = 0; r < 4; r++) {
  const t = performance.now(); const c = process.cpuUsage();
  const out = compile(input);
  const u = process.cpuUsage(c); console.log('cpu user', Math.round(u.user/1000), 'sys', Math.round(u.system/1000), n, r, (performance.now() - t).toFixed(0) + ' ms', out.gateways.get('p/gw')?.keys.length);
}
