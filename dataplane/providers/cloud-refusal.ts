// What clouds say when they refuse, in shapes of their own, and what of it a client of the Messages API can use. Their words are meant
// for the holder of the account, so only those pass that clients recover by; for the rest the status speaks.
import type { Refusal } from './provider.ts';

/** The sentence on which Claude Code shortens the conversation. */
export const TOO_LONG = 'Input is too long.';

/** Bedrock's two sentences about the size of a prompt, and how the client is told each of them. */
const SIZE_SENTENCES: ReadonlyMap<string, string> = new Map([
  [TOO_LONG, TOO_LONG],
  ['Input is too long for requested model.', 'capability_rejected: prompt_too_long'],
]);

/** Anthropic's own words about a prompt that is too long, wherever a cloud wraps them. */
const PROMPT_TOO_LONG = /\bprompt is too long: \d+ tokens > \d+ maximum\b/;

/** What a model says about the conversation it was sent: Claude Code mends these by itself. */
const MENDED = /\bthinking\b|\bsignature\b|\bmid-conversation\b|\bsafeguards\b|\btool_use_id\b/i;

/** A model's complaint begins with the place in the body; a cloud's own sentences do not. */
const BODY_PLACE = /^[a-z_]+(?:\.[\w-]+)*: /;

/** Bedrock's own check of a body. */
const SCHEMA_COMPLAINT = 'Malformed input request';

const QUOTA = /\b(?:quota|throttl\w*|too many (?:requests|tokens)|rate limit)\b/i;
const UNKNOWN_MODEL = /\bmodel identifier is invalid\b|\bdeployment .*does not exist\b/i;
const MAX_KEPT = 500;
/** Nobody's sentence is longer, and whoever runs an upstream writes what these patterns are tried on. */
const MAX_READ = 4096;

/** An error in a cloud's own shape. */
export interface CloudError {
  readonly message: string;
  /** The name the cloud gives the error, when the body says it. */
  readonly name?: string;
}

/**
 * What every cloud's refusal means that its status does not already say.
 * @param isSize the family's way of saying that a prompt is too long
 */
export function cloudRefusal(status: number, error: CloudError, isSize?: RegExp): Refusal | undefined {
  const message = error.message.slice(0, MAX_READ);
  const name = error.name?.slice(0, MAX_READ);
  if ((status === 400 || status === 403) && isQuota(message, name)) return { status: 429 };
  if (status !== 400) return undefined;
  const size = SIZE_SENTENCES.get(message) ?? PROMPT_TOO_LONG.exec(message)?.[0];
  if (size !== undefined) return { message: size };
  if (UNKNOWN_MODEL.test(message)) return { status: 404 };
  if (isSize?.test(message) === true) return { message: TOO_LONG };
  return message.length <= MAX_KEPT && BODY_PLACE.test(message) && MENDED.test(message) ? { message } : undefined;
}

/** What a caller put into a body may be repeated behind the place it stands at, and must not pass for a quota. */
function isQuota(message: string, name: string | undefined): boolean {
  if (name !== undefined && QUOTA.test(name)) return true;
  return QUOTA.test(message) && !BODY_PLACE.test(message) && !message.startsWith(SCHEMA_COMPLAINT);
}

/** AWS: `{"message":…}`, of some services `{"Message":…}`, with `__type` where the name is not a header. */
export function awsError(body: string): CloudError {
  const { message, Message, __type: name } = parse(body);
  return errorOf(message ?? Message, name);
}

/** Google: `{"error":{"code","message","status"}}`, in a stream's place the same in an array. Azure: `{"error":{"code","message"}}`. */
export function nestedError(body: string): CloudError {
  const parsed = parse(body);
  const { error } = (Array.isArray(parsed) ? asObject(parsed[0]) : parsed) as { error?: unknown };
  const { message, status, code } = asObject(error);
  return errorOf(message, status ?? code);
}

function errorOf(message: unknown, name: unknown): CloudError {
  return {
    message: typeof message === 'string' ? message : '',
    ...(typeof name === 'string' ? { name: name.replaceAll('_', ' ') } : {}),
  };
}

function parse(body: string): Record<string, unknown> {
  try {
    return asObject(JSON.parse(body));
  } catch {
    return {};
  }
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
