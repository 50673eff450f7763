// The pod's word to the operator: a Lease named after the pod, owned by it, that says which publication it serves. Whatever happens to it,
// traffic goes on.
import type { Logger } from 'pino';
import type { KubeClient } from '#shared/kube/client.ts';
import {
  DATA_PLANE_MANAGER,
  GATEWAY_LABEL,
  LOAD_FAULT_ANNOTATION,
  LOADED_REVISION_ANNOTATION,
  LOADED_SEQUENCE_ANNOTATION,
  MANAGED_BY,
  POD_LEASE_SECONDS,
  PREVIOUS_SECRET_ANNOTATION,
  ROLE_LABEL,
  UPSTREAMS_ANNOTATION,
  type PreviousSecretUse,
} from '#shared/kube/labels.ts';
import { microTime } from '#shared/kube/micro-time.ts';
import { RESOURCE } from '#shared/kube/object.ts';

export interface PodIdentity {
  readonly gateway: string;
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
}

export interface LeaseReport {
  /** Undefined before the first configuration. */
  readonly loaded: { readonly sequence: number; readonly revision: string } | undefined;
  /** Why what is published is not in force. */
  readonly fault: string | undefined;
  readonly previousSecrets: Readonly<Record<string, PreviousSecretUse>>;
  /** What is known of upstreams, as shared/upstream-report.ts writes it. */
  readonly upstreams?: string | undefined;
}

export interface PodLeaseOptions {
  readonly client: KubeClient;
  readonly identity: PodIdentity;
  readonly report: () => LeaseReport;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  readonly log: Logger;
  /** Milliseconds between renewals. */
  readonly renewEvery?: number;
}

const RENEW_EVERY_MS = (POD_LEASE_SECONDS * 1000) / 3;
/** A pod that leaves does not stay for its last word. */
const RELEASE_TIMEOUT_MS = 2_000;
const MAX_FAULT_CHARS = 1_000;

export class PodLease {
  readonly #options: PodLeaseOptions;
  readonly #since: string;
  readonly #renewals = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #renewing: Promise<void> | undefined;
  #again = false;
  #released = false;
  #failing = false;

  constructor(options: PodLeaseOptions) {
    this.#options = options;
    this.#since = microTime(options.wallClock());
  }

  /** Renews now and from then on. */
  start(): void {
    this.#timer = setInterval(() => this.renew(), this.#options.renewEvery ?? RENEW_EVERY_MS);
    this.renew();
  }

  /** Says what is the case now. Calls while one is under way become one more. */
  renew(): void {
    if (this.#released) return;
    if (this.#renewing !== undefined) {
      this.#again = true;
      return;
    }
    this.#renewing = this.#apply(POD_LEASE_SECONDS, RENEW_EVERY_MS / 2, this.#renewals.signal).finally(() => {
      this.#renewing = undefined;
      if (!this.#again) return;
      this.#again = false;
      this.renew();
    });
  }

  /** Lets it run out, so that nobody waits for a pod that leaves. */
  async release(): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    clearInterval(this.#timer);
    this.#renewals.abort();
    await this.#renewing;
    await this.#apply(1, RELEASE_TIMEOUT_MS);
  }

  async #apply(seconds: number, timeout: number, signal?: AbortSignal): Promise<void> {
    const { client, log } = this.#options;
    try {
      await client.apply(RESOURCE.Lease, this.#lease(seconds), {
        fieldManager: DATA_PLANE_MANAGER,
        timeout,
        signal,
      });
      if (this.#failing) log.info('the pod’s Lease is renewed again');
      this.#failing = false;
    } catch (error) {
      if (signal?.aborted === true) return;
      // Once: the API server may be away for hours, and nothing but a report depends on it.
      if (!this.#failing) log.warn({ err: error }, 'the pod’s Lease cannot be renewed; traffic is not affected');
      this.#failing = true;
    }
  }

  #lease(seconds: number) {
    const { identity, report, wallClock } = this.#options;
    const { gateway, namespace, pod, uid } = identity;
    const { loaded, fault, previousSecrets, upstreams } = report();
    return {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: {
        name: leaseName(identity),
        namespace,
        labels: { ...MANAGED_BY, [GATEWAY_LABEL]: gateway, [ROLE_LABEL]: 'data-plane' },
        annotations: {
          ...(loaded === undefined
            ? {}
            : {
                [LOADED_SEQUENCE_ANNOTATION]: String(loaded.sequence),
                [LOADED_REVISION_ANNOTATION]: loaded.revision,
              }),
          ...(fault === undefined ? {} : { [LOAD_FAULT_ANNOTATION]: fault.slice(0, MAX_FAULT_CHARS) }),
          ...(Object.keys(previousSecrets).length === 0
            ? {}
            : { [PREVIOUS_SECRET_ANNOTATION]: JSON.stringify(previousSecrets) }),
          ...(upstreams === undefined ? {} : { [UPSTREAMS_ANNOTATION]: upstreams }),
        },
        ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: pod, uid }],
      },
      spec: {
        holderIdentity: pod,
        leaseDurationSeconds: seconds,
        acquireTime: this.#since,
        renewTime: microTime(wallClock()),
      },
    };
  }
}

export function leaseName({ gateway, pod }: PodIdentity): string {
  return `${gateway}-${pod}`;
}
