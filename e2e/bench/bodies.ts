/**
 * The request bodies of the benchmark, generated alike in every process: a 300 byte question, the same to be streamed, and a turn as
 * Claude Code sends it. The long one is a conversation on purpose: one padded string would flatter gateways that
 * parse, because parsers skip strings fast and pay for structure.
 */

export type BodyName = 'small' | 'streamed' | 'turn';

export const benchModel = 'claude-sonnet-4-6';
const smallBytes = 300;
/** What a first turn of Claude Code weighs. */
const turnBytes = 87_345;

const words = (
  'branch commit module import result handler buffer socket stream packet header cursor folder script config ' +
  'runner worker thread memory cached parser syntax symbol record schema filter window column'
).split(' ');
/** What texts of programs are full of and JSON must escape, or encode in several bytes. */
const seasoning = ['\n', '\n\n', '\t', ' "quoted" ', ' C:\\temp\\x ', ' café ', ' → ', " it's ", '\n- ', ' `code()` '];

/** The body's bytes; the same in every run. */
export function bodyOf(name: BodyName): Buffer {
  return name === 'turn' ? turnBody() : smallBody(name === 'streamed' ? { stream: true } : {});
}

function smallBody(more: { readonly stream?: true }): Buffer {
  const build = (content: string): string =>
    JSON.stringify({ model: benchModel, max_tokens: 64, messages: [{ role: 'user', content }], ...more });
  const question = 'Which of these files changed last? ';
  return Buffer.from(build(question.padEnd(question.length + smallBytes - build(question).length, 'x')));
}

function turnBody(): Buffer {
  const random = generator(20_260_101);
  const fixed = turn(random, '');
  const missing = turnBytes - Buffer.byteLength(JSON.stringify(fixed));
  if (missing < 0) throw new Error(`the generated turn is ${-missing} bytes too long`);
  return Buffer.from(JSON.stringify(turn(generator(20_260_101), 'z'.repeat(missing))));
}

function turn(random: () => number, padding: string): object {
  const cached = { cache_control: { type: 'ephemeral' } };
  return {
    model: benchModel,
    messages: conversation(random, padding),
    system: [
      { type: 'text', text: 'x-anthropic-billing-header: cc_version=2.1.329.abc; cc_entrypoint=cli;' },
      { type: 'text', text: 'You are a coding agent that works in a terminal.', ...cached },
      { type: 'text', text: prose(random, 25_400), ...cached },
    ],
    tools: Array.from({ length: 12 }, (_, index) => tool(random, index)),
    metadata: { user_id: JSON.stringify({ device_id: 'ab'.repeat(32), account_uuid: '', session_id: uuid(random) }) },
    max_tokens: 32_000,
    thinking: { type: 'adaptive' },
    output_config: { effort: 'high' },
    stream: true,
  };
}

/** A session in its middle: a question, then rounds of tool calls with results of a few kilobytes. */
function conversation(random: () => number, padding: string): object[] {
  const messages: object[] = [
    {
      role: 'user',
      content: [
        { type: 'text', text: `<system-reminder>\n${prose(random, 3500)}\n</system-reminder>` },
        { type: 'text', text: `Why does the test fail?${padding}` },
      ],
    },
  ];
  for (let round = 0; round < 6; round += 1) {
    const id = `toolu_01${String(round).padStart(22, 'A')}`;
    const input = { command: `grep -rn "handler" src/ | head -${round}`, description: prose(random, 40) };
    messages.push(
      {
        role: 'assistant',
        content: [
          { type: 'text', text: prose(random, 180) },
          { type: 'tool_use', id, name: toolName(1), input },
        ],
      },
      {
        role: 'user',
        content: [{ type: 'tool_result', tool_use_id: id, content: prose(random, 1500), is_error: round === 2 }],
      },
    );
  }
  return messages;
}

function toolName(index: number): string {
  return `${words[index] ?? 'tool'}_${words[index + 12] ?? 'run'}`;
}

function tool(random: () => number, index: number): object {
  const properties: Record<string, object> = {};
  const names = Array.from({ length: 3 + (index % 5) }, (_, at) => `${words[(index * 3 + at) % words.length]}_${at}`);
  for (const [at, name] of names.entries()) {
    properties[name] =
      at % 3 === 2
        ? {
            type: 'array',
            items: { type: 'object', properties: { [name]: { type: 'string', enum: words.slice(0, 4) } } },
          }
        : { type: at % 2 === 0 ? 'string' : 'number', description: prose(random, 120) };
  }
  return {
    name: toolName(index),
    // A few tools carry a manual, most a paragraph.
    description: prose(random, [9000, 10_500, 1200, 600][index % 12] ?? 1300),
    input_schema: {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      properties,
      required: names.slice(0, 2),
      additionalProperties: false,
    },
  };
}

/** Text of about `length` characters: words, with something to escape every few of them. */
function prose(random: () => number, length: number): string {
  let text = '';
  while (text.length < length) {
    text += words[Math.floor(random() * words.length)] ?? '';
    text += random() < 0.12 ? (seasoning[Math.floor(random() * seasoning.length)] ?? ' ') : ' ';
  }
  return text;
}

function uuid(random: () => number): string {
  const digits = Array.from({ length: 12 }, () => Math.floor(random() * 10)).join('');
  return `00000000-0000-4000-8000-${digits}`;
}

/** A linear congruential generator (constants of Numerical Recipes): even enough for filler, and the same everywhere. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** The headers Claude Code sends with a turn; the credential comes from the peer. */
export const clientHeaders: Readonly<Record<string, string>> = {
  Accept: 'application/json',
  'Content-Type': 'application/json',
  'User-Agent': 'claude-cli/2.1.329 (external, cli)',
  'X-Claude-Code-Session-Id': '00000000-0000-4000-8000-000000000001',
  'X-Stainless-Arch': 'x64',
  'X-Stainless-Lang': 'js',
  'X-Stainless-OS': 'Linux',
  'X-Stainless-Package-Version': '0.128.0',
  'X-Stainless-Retry-Count': '0',
  'X-Stainless-Runtime': 'node',
  'X-Stainless-Runtime-Version': 'v26.12.1',
  'X-Stainless-Timeout': '600',
  'anthropic-beta': 'claude-code-20250219,interleaved-thinking-2025-05-14,effort-2025-11-24',
  'anthropic-version': '2023-06-01',
  'x-app': 'cli',
};
