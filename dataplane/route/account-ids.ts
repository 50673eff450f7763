// Names of the platform team's accounts and keys in the words of a provider. Errors are worded for the holder of the account, and our
// clients are not: what identifies the account is taken out, the sense stays.

const IDENTIFYING: readonly RegExp[] = [
  // AWS ARNs, account numbers and access keys.
  /arn:aws[a-z-]{0,20}:[^\s"'\\<>,;)\]]+/g,
  /(?<![\w.-])\d{12}(?![\w.-])/g,
  /(?<!\w)(?:AKIA|ASIA)[A-Z0-9]{16}(?!\w)/g,
  // Google service accounts, projects, keys and tokens.
  /[\w.-]{1,64}@[\w.-]{1,64}\.gserviceaccount\.com/g,
  /(?<!\w)projects\/[^\s"'\\/<>,;)\]]+/g,
  /(?<!\w)(?:AIza|ya29\.)[\w-]{16,}/g,
  /(?<!\w)project_(?:number|id):[\w-]+/g,
  // Resources of Azure.
  /[\w-]{1,64}\.(?:services\.ai|openai|cognitiveservices)\.azure\.[a-z]{2,3}(?!\w)/g,
  // Organisations, workspaces, tenants and subscriptions.
  /(?<![\w-])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![\w-])/gi,
  /(?<!\w)wrkspc_[A-Za-z0-9]+/g,
  // Keys of Anthropic.
  /(?<!\w)sk-ant-[\w-]+/g,
];

/** The text with everything that identifies an account replaced by `[redacted]`; the same string when there is nothing. */
export function withoutAccountIds(text: string): string {
  return IDENTIFYING.reduce((rest, pattern) => rest.replace(pattern, '[redacted]'), text);
}
