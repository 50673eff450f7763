// Who the gateway is to an upstream, as the bundle says it: everything but the secrets, which stand under references in the credentials.
// The data plane fills them in (dataplane/credentials/config.ts) and opens a source for each.

/** Name under which `Credentials.values` holds a secret. */
export type CredentialRef = string;

export type CredentialConfig = HeadersOnly | FixedConfig | AwsConfig | GoogleConfig | EntraConfig | FederationConfig;

/** Nothing but the configured headers of the upstream. */
export interface HeadersOnly {
  readonly type: 'Headers';
}

/** The same header on every call. */
export interface FixedConfig {
  readonly type: 'Fixed';
  /** In lower case. */
  readonly header: string;
  /** Put before the value, like `Bearer `. */
  readonly scheme?: string;
  readonly credential: CredentialRef;
  /** A second value, for the overlap while the provider's key is rotated: sent once the first was refused. */
  readonly standby?: CredentialRef;
}

export interface AwsConfig {
  readonly type: 'AWS';
  readonly region: string;
  /** As signatures name it. */
  readonly service: 'bedrock' | 'bedrock-mantle' | 'aws-external-anthropic';
  readonly identity:
    | { readonly type: 'Default' }
    | {
        readonly type: 'AccessKey';
        readonly accessKeyId: CredentialRef;
        readonly secretAccessKey: CredentialRef;
        readonly sessionToken?: CredentialRef;
      }
    | { readonly type: 'WebIdentity'; readonly roleArn: string; readonly tokenFile: string };
  readonly assumeRole?: { readonly roleArn: string; readonly externalId?: string; readonly sessionName: string };
}

export interface GoogleConfig {
  readonly type: 'Google';
  readonly identity:
    | { readonly type: 'Default' }
    | { readonly type: 'ServiceAccountKey'; readonly key: CredentialRef }
    | {
        readonly type: 'WorkloadIdentity';
        readonly audience: string;
        readonly tokenFile: string;
        readonly serviceAccount?: string;
      };
}

export interface EntraConfig {
  readonly type: 'Entra';
  /** What the token is for, as a resource; `https://ai.azure.com` when left out. */
  readonly audience?: string;
  readonly identity:
    | {
        readonly type: 'WorkloadIdentity';
        readonly tenantId: string;
        readonly clientId: string;
        readonly tokenFile: string;
        /** Without trailing slash; sovereign clouds have their own. */
        readonly authority?: string;
      }
    /** Without a client id the machine's only or system-assigned identity. */
    | { readonly type: 'ManagedIdentity'; readonly clientId?: string };
}

export interface FederationConfig {
  readonly type: 'AnthropicFederation';
  readonly federationRuleId: string;
  readonly organizationId: string;
  readonly tokenFile: string;
  readonly workspaceId?: string;
  readonly serviceAccountId?: string;
}
