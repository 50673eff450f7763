// From a call to the plan of its attempts: what of the request has a say in where it goes. Headers are hints for routing and never an
// identity; a session belongs to its caller, whatever id it claims.
import type { Grant } from '../admit/admit.ts';
import type { Call } from '../server/call.ts';
import type { RouteContext } from './route-context.ts';
import { Plan } from './strategy-plan.ts';
import { typicalPrice } from './strategy-price.ts';

const MAX_HEADER = 128;

export function planOf(context: RouteContext, call: Call, grant: Grant, counting: boolean): Plan {
  const { routing } = call.settings.gateway;
  const { prices } = call.settings;
  return new Plan(
    {
      grant,
      routing,
      session: sessionOf(call),
      hint: routing.hintHeader === undefined ? undefined : header(call, routing.hintHeader),
      counting,
      price: (target, model) => typicalPrice(prices, target, model, context.wallClock()),
    },
    context,
    context.observe,
  );
}

/** What stays on one upstream. */
function sessionOf(call: Call): string | undefined {
  const { stickyBy = 'Session' } = call.settings.gateway.routing;
  if (stickyBy === 'None') return undefined;
  const caller = call.principal?.id ?? '';
  if (stickyBy === 'Caller') return caller;
  const session = header(call, 'x-claude-code-session-id');
  return session === undefined ? undefined : `${caller} ${session}`;
}

function header({ request }: Call, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' && value !== '' ? value.slice(0, MAX_HEADER) : undefined;
}
