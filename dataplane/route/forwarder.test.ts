import { expect, test } from 'vitest';
import { ClientGoneError } from '../server/body.ts';
import type { Call } from '../server/call.ts';
import { forward } from './forwarder.ts';
import type { RouteContext } from './route-context.ts';
import { Slots } from './slots.ts';

test.each([
  ['left', { destroyed: true, headersSent: false }],
  ['was answered', { destroyed: false, headersSent: true }],
])(
  '[ROUTE-22] a caller who %s while the place was being given to it: the place is free again',
  async (_name, response) => {
    const slots = new Slots(1);
    const listen = { limits: { maxQueued: 1 }, timeouts: { queue: 1_000 } };
    const call = { response, settings: { gateway: { listen } } } as unknown as Call;
    const forwarded = forward({ slots } as RouteContext, call, {} as never, {} as never);
    await expect(forwarded).rejects.toThrow(ClientGoneError);
    expect(slots.inUse).toBe(0);
  },
);
