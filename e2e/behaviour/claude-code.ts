// What Claude Code sends, small: header names, order and values of version 2.1.329 in base-URL mode with every optional header switched
// on, and bodies with each field it knows. Credentials and ids are invented.
import { CI_KEY } from '../harness/gateway.ts';

export const SESSION = '00000000-0000-4000-8000-00000000abcd';

/** Names and values in turn, in the client's order and case. */
export function turnHeaders(credential = CI_KEY): string[] {
  return [
    ['Accept', 'application/json'],
    ['Authorization', `Bearer ${credential}`],
    ['Content-Type', 'application/json'],
    ['User-Agent', 'claude-cli/2.1.329 (external, cli)'],
    ['X-Claude-Code-Session-Id', SESSION],
    ['x-claude-code-agent-id', 'agent-7'],
    ['x-claude-code-parent-agent-id', 'agent-1'],
    ['X-Stainless-Arch', 'x64'],
    ['X-Stainless-Lang', 'js'],
    ['X-Stainless-OS', 'Linux'],
    ['X-Stainless-Package-Version', '0.128.0'],
    ['X-Stainless-Retry-Count', '0'],
    ['X-Stainless-Runtime', 'node'],
    ['X-Stainless-Runtime-Version', 'v26.12.1'],
    ['X-Stainless-Timeout', '600'],
    [
      'anthropic-beta',
      'claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,effort-2025-11-24,not-invented-yet-2031-01-01',
    ],
    ['anthropic-dangerous-direct-browser-access', 'true'],
    ['anthropic-version', '2023-06-01'],
    ['anthropic-client-version', '2.1.329'],
    ['x-app', 'cli'],
    ['x-claude-code-request-class', 'main'],
    ['x-claude-code-prompt-id', '00000000-0000-4000-8000-000000000002'],
    ['Accept-Encoding', 'gzip, deflate, br, zstd'],
  ].flat();
}

/** The first entry of `system`: providers and billing read it, so it must stay first and alone. */
export const ATTRIBUTION = 'x-anthropic-billing-header: cc_version=2.1.329.0a8; cc_entrypoint=cli; cc_gateway=1;';

/** A turn in the order of the real client's fields. */
export function turn(over: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    model: 'claude-sonnet-4-6',
    messages: [
      {
        role: 'user',
        content: [{ type: 'text', text: 'say hi', cache_control: { type: 'ephemeral', ttl: '1h' } }],
      },
    ],
    system: [
      { type: 'text', text: ATTRIBUTION },
      { type: 'text', text: 'You are a coding agent.', cache_control: { type: 'ephemeral' } },
      { type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } },
    ],
    tools: [
      { name: 'Bash', description: 'Runs a command.', input_schema: { type: 'object' }, strict: true },
      { name: 'Agent', description: 'Starts an agent.', input_schema: { type: 'object' }, defer_loading: true },
    ],
    metadata: { user_id: JSON.stringify({ device_id: '0'.repeat(64), account_uuid: '', session_id: SESSION }) },
    max_tokens: 32_000,
    thinking: { type: 'adaptive', display: 'omitted' },
    context_management: { edits: [{ type: 'clear_thinking_20251015', keep: 'all' }] },
    safeguards: [{ type: 'dangerous_tool_use', classifier_context: { v: 1, permission_mode: 'auto' } }],
    tags: { team: 'eng' },
    output_config: { effort: 'high' },
    not_invented_yet: { deep: [1, 2.0, null] },
    stream: true,
    ...over,
  };
}

/** The one-token request with which the client asks whether it may go on. */
export const quotaProbe = {
  model: 'claude-haiku-4-5-20251001',
  max_tokens: 1,
  messages: [{ role: 'user', content: 'quota' }],
};
