// What the status of an answer says about the health of an upstream for a model.
import type { UpstreamTarget } from '../providers/target.ts';
import type { Breakers } from './breaker.ts';
import { retryAfterSeconds, type UpstreamAnswer } from './failure.ts';

/** An answer that ended the call. An upstream that refuses what was asked is alive. */
export function noteAnswer(breakers: Breakers, target: UpstreamTarget, model: string, answer: UpstreamAnswer): void {
  if (answer.status >= 500) breakers.failed(target.key, model, target.entry.breaker);
  else noteLife(breakers, target, model, answer);
}

/** An answer that led to the next upstream. */
export function noteRefusal(breakers: Breakers, target: UpstreamTarget, model: string, answer: UpstreamAnswer): void {
  // A 429 is a limit doing its work, a 404 a model that is not there: the upstream is alive.
  if (answer.status === 429 || answer.status === 404) noteLife(breakers, target, model, answer);
  else breakers.failed(target.key, model, target.entry.breaker);
}

function noteLife(breakers: Breakers, { key }: UpstreamTarget, model: string, answer: UpstreamAnswer): void {
  breakers.succeeded(key, model);
  const wait = answer.status === 429 ? retryAfterSeconds(answer) : undefined;
  if (wait !== undefined) breakers.coolDown(key, model, wait * 1000);
}
