// The least that tests begin with: a Gateway and its one Upstream, as a person would write them.

export interface SmallestGatewayOptions {
  /** Fields of the Gateway's spec beside its URL, as YAML within braces. */
  readonly spec?: string;
  /** Secret whose `token` is the provider's key; `anthropic` when left out. */
  readonly secret?: string;
}

/** @param upstream URL of the provider */
export function smallestGateway(
  upstream: string,
  { spec = 'deployment: {replicas: 2}', secret = 'anthropic' }: SmallestGatewayOptions = {},
): string {
  return `
apiVersion: portcullis.dev/v1alpha1
kind: Gateway
metadata: {name: claude}
spec: {publicUrl: "http://localhost:8080", ${spec}}
---
apiVersion: portcullis.dev/v1alpha1
kind: Upstream
metadata: {name: anthropic}
spec:
  gatewayRef: {name: claude}
  provider: Anthropic
  baseUrl: ${upstream}
  anthropic: {auth: {type: APIKey, apiKey: {name: ${secret}, key: token}}}
`;
}

/** Lets everyone ask every Claude model. */
export const EVERYONE = `
apiVersion: portcullis.dev/v1alpha1
kind: Policy
metadata: {name: everyone}
spec: {gatewayRef: {name: claude}, match: {everyone: {}}, models: {allow: ["claude-*"]}}
`;
