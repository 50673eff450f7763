// Where an API server is and who we are to it. Two ways in: a pod's service account (in-cluster.ts) and a kubeconfig (kubeconfig.ts).

export interface TlsMaterial {
  /** PEM. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

export interface Credentials {
  readonly tls: TlsMaterial;
  /** Value of the `authorization` header. */
  readonly authorization?: string;
}

export interface Connection {
  /** Such as `https://10.96.0.1:443`, without a slash at the end. */
  readonly server: string;
  /** Namespace of the service account, or of the kubeconfig's context. */
  readonly namespace: string | undefined;
  /**
   * Asked before every call, so it remembers what it read for a while.
   * @param refresh read again: the server or its certificate was refused, or it refused us
   */
  credentials(refresh: boolean): Promise<Credentials>;
}

export type Environment = Readonly<Record<string, string | undefined>>;
