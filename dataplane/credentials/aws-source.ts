// AWS: keys that are found and refreshed, on top of them a role session per caller where the upstream asks for it, and SigV4 on each call.
import { type AssumeRole, type AwsIdentity, type StsContext, assumeRole, findKeys } from './aws-keys.ts';
import { holdsSecret } from './leak.ts';
import type { Refresher } from './refresher.ts';
import { Renewal, type Minted } from './renewal.ts';
import { namesCaller, sessionName } from './session-name.ts';
import { SIGNATURE_HEADERS, SigV4Signer, type AwsKeys } from './sigv4.ts';
import { Skew } from './skew.ts';
import {
  OWN_CALLER,
  type CredentialPorts,
  type CredentialSource,
  type CredentialState,
  type OutgoingRequest,
} from './source.ts';

export interface AwsSpec {
  readonly type: 'AWS';
  readonly region: string;
  /** As signatures name it: `bedrock`, `bedrock-mantle`, `aws-external-anthropic`. */
  readonly service: string;
  readonly identity: AwsIdentity;
  readonly assumeRole?: AssumeRole;
}

/** A session is a few kilobytes; the least recently opened goes first. */
const MAX_SESSIONS = 10_000;
/** What AWS repeats of a request whose signature it does not accept. */
const SIGNED_REQUEST = /x-amz-security-token|\bA[SK]IA[0-9A-Z]{16}\b/;

export class AwsSource implements CredentialSource {
  readonly kind = 'AWS';
  readonly id: string;
  readonly settled: Promise<void>;
  readonly #spec: AwsSpec;
  readonly #refresher: Refresher;
  readonly #ports: CredentialPorts;
  readonly #skew = new Skew();
  readonly #context: StsContext;
  readonly #base: Renewal<SigV4Signer>;
  readonly #own: Renewal<SigV4Signer>;
  readonly #sessions = new Map<string, Renewal<SigV4Signer>>();
  #closed = false;

  constructor(id: string, spec: AwsSpec, refresher: Refresher, ports: CredentialPorts) {
    this.id = id;
    this.#spec = spec;
    this.#refresher = refresher;
    this.#ports = ports;
    this.#context = { region: spec.region, ports, skew: this.#skew };
    this.#base = this.#renewal((signal) => findKeys(spec.identity, this.#context, signal));
    this.#own =
      spec.assumeRole === undefined
        ? this.#base
        : this.#session(spec.assumeRole, sessionName(spec.assumeRole.sessionName, OWN_CALLER));
    this.settled = this.#own.settled();
  }

  authorize(request: OutgoingRequest, caller: string): undefined | Promise<undefined> {
    const signer = this.#for(caller).get();
    return signer instanceof Promise
      ? signer.then((signer) => this.#sign(request, signer))
      : this.#sign(request, signer);
  }

  setsHeader(name: string): boolean {
    return SIGNATURE_HEADERS.has(name);
  }

  leaksInto(text: Buffer | string): boolean {
    for (const { keys } of [...this.#base.known(), ...this.#own.known()])
      if (holdsSecret(text, keys.secretAccessKey) || holdsSecret(text, keys.sessionToken)) return true;
    // Those of callers' sessions are too many to look for one by one.
    return SIGNED_REQUEST.test(typeof text === 'string' ? text : text.toString('latin1'));
  }

  rejected(caller: string, date: string | undefined): boolean {
    const clockWasWrong = this.#skew.learn(date, this.#ports.clock.now());
    this.#base.rejected();
    const session = this.#for(caller);
    if (session !== this.#base) session.rejected();
    return clockWasWrong;
  }

  state(): CredentialState {
    return { kind: this.kind, ...this.#own.state() };
  }

  /** Open sessions of callers. */
  get sessions(): number {
    return this.#sessions.size;
  }

  close(): void {
    this.#closed = true;
    for (const renewal of [this.#base, this.#own, ...this.#sessions.values()]) renewal.close();
  }

  #sign(request: OutgoingRequest, signer: SigV4Signer): undefined {
    signer.sign(request, this.#ports.clock.now() + this.#skew.offset);
  }

  #for(caller: string): Renewal<SigV4Signer> {
    const role = this.#spec.assumeRole;
    if (role === undefined || !namesCaller(role.sessionName)) return this.#own;
    const name = sessionName(role.sessionName, caller);
    let session = this.#sessions.get(name);
    if (session !== undefined) return session;
    session = this.#session(role, name, () => this.#sessions.delete(name));
    // A call in flight still goes under its own name, but nothing is kept for it.
    if (this.#closed) session.close();
    else this.#sessions.set(name, session);
    if (this.#sessions.size > MAX_SESSIONS) this.#dropOldest();
    return session;
  }

  #dropOldest(): void {
    const oldest = this.#sessions.entries().next();
    if (oldest.done) return;
    const [name, session] = oldest.value;
    session.close();
    this.#sessions.delete(name);
  }

  #session(role: AssumeRole, name: string, unused?: () => void): Renewal<SigV4Signer> {
    const mint = async (signal: AbortSignal): Promise<Minted<AwsKeys>> => {
      const { keys } = await this.#base.get();
      return assumeRole(role, name, keys, this.#context, signal);
    };
    return this.#renewal(mint, unused);
  }

  #renewal(mint: (signal: AbortSignal) => Promise<Minted<AwsKeys>>, unused?: () => void): Renewal<SigV4Signer> {
    const { region, service } = this.#spec;
    const { clock, random } = this.#ports;
    return new Renewal({
      mint: async (signal) => {
        const { value, expiresAt } = await mint(signal);
        return { value: new SigV4Signer(value, region, service), expiresAt };
      },
      refresher: this.#refresher,
      clock,
      random,
      ...(unused === undefined ? {} : { unused }),
    });
  }
}
