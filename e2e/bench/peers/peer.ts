/** What the benchmark needs of anything that forwards requests to the mock upstream. */

export interface RunningPeer {
  readonly name: string;
  /** `http://127.0.0.1:PORT`, without a trailing slash. */
  readonly url: string;
  /** The process that does the work, or undefined where there is none of its own. */
  readonly pid: number | undefined;
  /** Headers a caller of this peer must send, its credential above all. */
  readonly headers: Readonly<Record<string, string>>;
  /** Records of forwarded calls written so far, for a peer that accounts for them. */
  readonly records?: () => number;
  readonly stop: () => Promise<void>;
}

export interface Peer {
  readonly name: string;
  /** Why this peer cannot run here and what to do about it; undefined when it can. */
  missing(): string | undefined;
  /**
   * Starts it in front of an upstream and waits until it answers.
   * @param folder an empty folder of its own for configuration, state and logs
   */
  start(upstreamUrl: string, folder: string): Promise<RunningPeer>;
}
