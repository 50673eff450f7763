// The end of a call that no upstream served: an upstream's refusal in its words, or one of ours.
import { answerError, answerRefusal } from '../server/answer.ts';
import type { Call } from '../server/call.ts';
import type { FinalAnswer } from './failure.ts';

export function answerFinally(call: Call, final: FinalAnswer): void {
  if (final.kind === 'own') {
    answerError(call, final.error);
    return;
  }
  const { status, body, reason, retry, retryAfterSeconds } = final;
  call.record.reason = reason;
  call.record.upstreamStatus = status;
  const extra = retryAfterSeconds === undefined ? [] : ['retry-after', String(retryAfterSeconds)];
  if (!retry) extra.push('x-should-retry', 'false');
  answerRefusal(call, status, body, extra);
}
