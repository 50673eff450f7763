// How a Gateway chooses among the upstreams that a caller's policies allow, and which model stands in when none of them could serve.
import { z } from 'zod';
import { listMap, listSet, modelId } from './scalars.ts';

export const routing = z
  .strictObject({
    strategy: z
      .enum(['Ordered', 'Weighted', 'RoundRobin', 'LeastBusy', 'Latency', 'Cheapest'])
      .default('Weighted')
      .describe(
        'Who comes first among upstreams of equal priority; a lower priority is always tried before. Ordered: by name. Weighted: in proportion to weight. RoundRobin: by turns. LeastBusy: fewest running calls for its weight. Latency: shortest time to the first byte of late. Cheapest: lowest price of the model, equals by weight. RoundRobin, LeastBusy and Latency look at what one replica sees.',
      ),
    stickyBy: z
      .enum(['Session', 'Caller', 'None'])
      .default('Session')
      .describe(
        'What stays on one upstream whatever the strategy, because prompt caches and thinking blocks live in one account. Session: a session of Claude Code. Caller: everything of one key or person. It yields when that upstream may not be used or cannot serve the model, is left alone after failures or a 429, is full, or fails the call; then it stays where it was served. From an upstream of a higher priority value it returns after 30 minutes, elsewhere 30 minutes after its last call. RoundRobin, LeastBusy and Latency remember it per replica.',
      ),
    hintHeader: z
      .string()
      .min(3)
      .max(64)
      .regex(/^x-[a-z0-9]+(-[a-z0-9]+)*$/, 'must be a header name in lower case that begins with x-')
      .describe(
        'Request header whose value names upstreams to try first, by name or by their label portcullis.dev/route. It chooses among those the caller may use and never adds one.',
      )
      .optional(),
    failoverOn: listSet(
      z.enum(['5xx', '429', '401', '403', '404', '501', 'timeout']),
      7,
      'Answers of an upstream after which the next one is tried. 5xx means all of them but 501. Connection errors always fail over.',
    ).default(['5xx', '429', '401', '403', '404', '501', 'timeout']),
    exposeUpstream: z
      .boolean()
      .default(false)
      .describe('Name the upstream that served a call in the response header x-portcullis-upstream.'),
  })
  .describe('How an upstream is chosen.')
  .prefault({});

const fallback = z.strictObject({
  from: modelId('Model that could not be served, in any spelling.'),
  to: modelId('Model that answers instead, in any spelling. Policies must grant it to the caller too.'),
});

export const fallbacks = listMap(
  fallback,
  'from',
  64,
  'Models that answer when every allowed upstream failed for another one. Entries chain: the fallback of a fallback is next. Token counts never fall back.',
);
