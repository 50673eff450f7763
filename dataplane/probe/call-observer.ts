// What calls tell of upstreams in passing: who refused a credential, which model is not there, what limits an answer names. The hot path
// pays a look at a status and, every few minutes, at some headers.
import type { IncomingHttpHeaders } from 'node:http';
import type { UpstreamTarget } from '../providers/target.ts';

export interface CallObserver {
  /**
   * An upstream refused a call.
   * @param model as the upstream was asked for it
   * @param body the refusal, undecoded words of the provider
   */
  refused(target: UpstreamTarget, model: string, status: number, body: Buffer): void;
  /**
   * An upstream serves a call.
   * @param model id the call is routed under
   */
  served(target: UpstreamTarget, model: string, upstreamModel: string, headers: IncomingHttpHeaders): void;
}

export const NO_OBSERVER: CallObserver = { refused: () => undefined, served: () => undefined };
