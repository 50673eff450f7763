/** No gateway at all: what the load generator and the mock upstream cost by themselves. */
import type { Peer } from './peer.ts';

export const direct: Peer = {
  name: 'direct',
  missing: () => undefined,
  start: async (upstreamUrl) => ({
    name: 'direct',
    url: upstreamUrl,
    pid: undefined,
    headers: { 'x-api-key': 'sk-ant-bench' },
    stop: async () => undefined,
  }),
};
