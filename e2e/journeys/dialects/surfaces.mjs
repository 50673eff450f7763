// One query of the Claude Agent SDK against a gateway; prints one JSON object for the test that started it. Plain JavaScript: the SDK lies
// outside of the checkout.
// Environment: BASE_URL, SDK (folder that holds its node_modules), CLAUDE (the program it drives), QUESTION (a JSON object: see surface-run.ts).
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const { BASE_URL, SDK, CLAUDE, QUESTION, ...inherited } = process.env;
const { query } = await import(pathToFileURL(join(SDK, 'node_modules/@anthropic-ai/claude-agent-sdk/sdk.mjs')).href);
const { prompt, options, baseUrls, environment, files, permission, stop } = JSON.parse(QUESTION);

for (const [name, text] of Object.entries(files)) writeFileSync(name, text);

const urls = Object.fromEntries(Object.entries(baseUrls).map(([name, path]) => [name, BASE_URL + path]));
const seen = { messages: [], asked: [], args: [], entrypoint: null, error: null };
const abortController = new AbortController();

const said = Promise.withResolvers();

/** Stays open until the answer is there: what is said to a session in between takes the same way. */
async function* onlyMessage() {
  yield { type: 'user', session_id: '', parent_tool_use_id: null, message: { role: 'user', content: prompt } };
  await said.promise;
}

const session = query({
  // Who may interrupt or is asked for permission talks with a session; else the prompt is all there is to say.
  prompt: permission || stop ? onlyMessage() : prompt,
  options: {
    ...options,
    abortController,
    env: { ...inherited, ...urls, ...environment },
    pathToClaudeCodeExecutable: CLAUDE,
    ...(permission && {
      canUseTool: async (tool, input) => {
        seen.asked.push({ tool, input });
        return { behavior: permission, updatedInput: input };
      },
    }),
    spawnClaudeCodeProcess: ({ command, args, cwd, env, signal }) => {
      [seen.args, seen.entrypoint] = [args, env.CLAUDE_CODE_ENTRYPOINT];
      return spawn(command, args, { cwd, env, signal, stdio: ['pipe', 'pipe', 'inherit'] });
    },
  },
});

let stopped = false;
try {
  for await (const message of session) {
    seen.messages.push(message);
    if (message.type === 'result') said.resolve();
    if (stop && !stopped && message.event?.type === 'content_block_delta') {
      stopped = true;
      if (stop === 'abort') abortController.abort();
      else await session.interrupt();
    }
  }
} catch (error) {
  seen.error = { name: error.constructor.name, message: error.message };
}
process.stdout.write(JSON.stringify(seen));
