// Publishes compiled Gateways: the one door of this room. One piece of work at a time for each Gateway; what comes meanwhile waits its turn.
import type { CatalogOverlay } from '#shared/catalog/overlay.ts';
import { PartError } from '#shared/bundle/parts.ts';
import type { PartName } from '#shared/bundle/publication.ts';
import type { CompiledGateway } from '#shared/compile/types.ts';
import type { KubeClient } from '#shared/kube/client.ts';
import type { KubeMeta } from '#shared/kube/object.ts';
import type { SecretText } from '#shared/secret-text.ts';
import { PublishError } from './errors.ts';
import { gatewayKey, type GatewayIdentity } from './objects.ts';
import { Session, type SessionOptions } from './session.ts';
import { GatewayStore, StaleError } from './store.ts';

export interface PublisherOptions extends SessionOptions {
  /** Of this process among all operators, such as the one in the leader's Lease; never used again by another process. */
  readonly identity: string;
}

export interface Loaded {
  readonly pepper: SecretText;
  /** Hashes that may never come back, for the compile step. The set is live: it grows as keys are buried. */
  readonly tombstones: ReadonlySet<string>;
  /** What the published bundle lays over the built-in tables. */
  readonly catalog: CatalogOverlay | undefined;
  /** Undefined when nothing is published yet. */
  readonly published: { readonly revision: string; readonly sequence: number } | undefined;
  /** For people: what works and is not as it should be. */
  readonly warnings: readonly string[];
}

export interface Published {
  readonly revision: string;
  /** A pod that loaded this one, or a later one, has the content given to {@link Publisher.publish}. */
  readonly sequence: number;
  readonly changedParts: readonly PartName[];
  /** Calls to the API server that wrote something. */
  readonly writes: number;
  /** For people: what works and is not as it should be. */
  readonly warnings: readonly string[];
}

export interface Publisher {
  /**
   * Takes over a Gateway's publication, also from another operator: for the leader alone, with a publisher made when it became one. Later calls
   * answer from memory unless something was altered: call it before each compile.
   * @throws {PublishError}, such as superseded when another operator has taken over since: then this process should end, as when it loses its
   *   Lease. {ApiError}
   */
  load(gateway: GatewayIdentity): Promise<Loaded>;
  /**
   * @param present `namespace/name` of every VirtualKey there is, of a cache that is complete: what is not in it is taken for deleted, and buried.
   *   Those of other Gateways belong to it: a key that is moved to another one, and back, is not deleted
   * @throws {PartError} too_large, {PublishError}, {ApiError}. The last publication stays in force, except that keys that died are named in its index
   */
  publish(gateway: GatewayIdentity, compiled: CompiledGateway, present: ReadonlySet<string>): Promise<Published>;
  /** Revokes published keys of a Gateway that does not compile. The next {@link publish} decides anew. @param hashes hex */
  revoke(gateway: GatewayIdentity, hashes: readonly string[]): Promise<void>;
  /** Looks whether somebody altered or deleted an object. When false, the next {@link publish} mends it. */
  verify(gateway: GatewayIdentity): Promise<boolean>;
  /**
   * Tells of an object with our labels that a watch reports. @param key `namespace/name` of the Gateway @param gone whether it was deleted
   * @returns true when it is not as we left it: publish again
   */
  notice(key: string, object: KubeMeta, gone: boolean): boolean;
  /** Forgets a Gateway that is gone. @param key `namespace/name` */
  forget(key: string): void;
}

/** How often a publication starts over because somebody else wrote at the same time. */
const ATTEMPTS = 10;

/** @param client of the operator's own identity */
export function createPublisher(client: KubeClient, options: PublisherOptions): Publisher {
  const sessions = new Map<string, Session>();
  const turns = new Map<string, Promise<unknown>>();

  function inTurn<T>(key: string, work: () => Promise<T>): Promise<T> {
    const turn = (turns.get(key) ?? Promise.resolve()).then(work, work);
    turns.set(key, turn);
    const clear = (): void => void (turns.get(key) === turn && turns.delete(key));
    void turn.then(clear, clear);
    return turn;
  }

  function sessionOf(gateway: GatewayIdentity): Session {
    const key = gatewayKey(gateway);
    const before = sessions.get(key);
    if (before !== undefined && before.store.gateway.uid === gateway.uid) return before;
    const session = new Session(new GatewayStore(client, gateway, options.identity), options);
    sessions.set(key, session);
    return session;
  }

  /** Runs work on a session that is up to date, again when it turns out that it was not. */
  async function upToDate<T>(session: Session, work: () => Promise<T>): Promise<T> {
    const gateway = gatewayKey(session.store.gateway);
    for (let attempt = 1; ; attempt++) {
      try {
        if (session.stale) await session.open();
        return await work();
      } catch (error) {
        if (error instanceof PartError) throw error;
        // Whatever failed may have been done: nothing is certain but what is read again.
        session.stale = true;
        if (!(error instanceof StaleError)) throw error;
        options.log.warn(
          { gateway, error: error.message },
          'what is published was altered meanwhile; reading it again',
        );
        if (attempt === ATTEMPTS) {
          throw new PublishError(
            'contended',
            `objects of Gateway ${gateway} change while they are written: ${error.message}`,
          );
        }
      }
    }
  }

  return {
    load: (gateway) =>
      inTurn(gatewayKey(gateway), async () => {
        const session = sessionOf(gateway);
        await upToDate(session, () => Promise.resolve());
        const { pepper, tombstones, catalog, store, warnings } = session;
        return { pepper: pepper!, tombstones: tombstones.hashes, catalog, published: store.index, warnings };
      }),
    publish: (gateway, compiled, present) =>
      inTurn(gatewayKey(gateway), async () => {
        const session = sessionOf(gateway);
        const { store } = session;
        const before = store.writes;
        const changedParts = await upToDate(session, () => session.publish(compiled, present));
        const { revision, sequence } = store.index!;
        return { revision, sequence, changedParts, writes: store.writes - before, warnings: session.warnings };
      }),
    revoke: (gateway, hashes) =>
      inTurn(gatewayKey(gateway), () => {
        const session = sessionOf(gateway);
        return upToDate(session, () => session.revoke(hashes));
      }),
    verify: (gateway) =>
      inTurn(gatewayKey(gateway), async () => {
        const session = sessionOf(gateway);
        session.stale ||= !(await session.store.intact());
        return !session.stale;
      }),
    notice(key, object, gone) {
      const session = sessions.get(key);
      if (session === undefined || session.store.knows(object, gone)) return false;
      session.stale = true;
      return true;
    },
    forget: (key) => void sessions.delete(key),
  };
}
