// The TypeScript SDKs for clouds against a gateway: each client does everything once for each key and prints one JSON object for the test that
// started it. Plain JavaScript: the SDKs lie outside of the checkout.
// Environment: BASE_URL, SDKS (folder that holds their node_modules), KEYS (a JSON object: key by name), NO_KEY.
import { createRequire } from 'node:module';
import { join } from 'node:path';

const { BASE_URL, SDKS, KEYS, NO_KEY } = process.env;
const require = createRequire(join(SDKS, 'index.js'));
const { AnthropicBedrock } = require('@anthropic-ai/bedrock-sdk');
const { AnthropicVertex } = require('@anthropic-ai/vertex-sdk');
const { AnthropicFoundry } = require('@anthropic-ai/foundry-sdk');
const { OAuth2Client } = require('google-auth-library');

const REGION = 'us-east-1';
const TOOLS = [{ name: 'weather', input_schema: { type: 'object' } }];

/** Name → how a client is made, and the model as its users write it. */
const CLIENTS = {
  AnthropicBedrock: {
    model: 'us.anthropic.claude-haiku-4-5-20251001-v1:0',
    make: (apiKey, maxRetries) =>
      new AnthropicBedrock({ apiKey, awsRegion: REGION, baseURL: `${BASE_URL}/bedrock`, maxRetries }),
  },
  AnthropicVertex: {
    model: 'claude-haiku-4-5@20251001',
    counts: true,
    make: (key, maxRetries) => {
      const authClient = new OAuth2Client();
      authClient.setCredentials({ access_token: key });
      const place = { region: 'us-east5', projectId: 'any-project' };
      return new AnthropicVertex({ authClient, ...place, baseURL: `${BASE_URL}/vertex/v1`, maxRetries });
    },
  },
  AnthropicFoundry: {
    model: 'claude-haiku-4-5',
    counts: true,
    make: (apiKey, maxRetries) => new AnthropicFoundry({ apiKey, baseURL: `${BASE_URL}/foundry`, maxRetries }),
  },
};

function asking(model, content, more = {}) {
  return { model, max_tokens: 64, messages: [{ role: 'user', content }], ...more };
}

const textOf = (content) => content.map(({ text }) => text ?? '').join('');

async function message(api, model) {
  const { content, stop_reason: stop, usage } = await api.messages.create(asking(model, 'plain'));
  return { text: textOf(content), stop, usage };
}

/** Event by event: the types in their order. */
async function events(api, model) {
  const types = [];
  for await (const { type } of await api.messages.create({ ...asking(model, 'plain'), stream: true })) types.push(type);
  return types.filter((type) => type !== 'ping');
}

/** Put together by the SDK. */
async function thinking(api, model) {
  const ask = asking(model, 'thinking', { thinking: { type: 'enabled', budget_tokens: 1024 } });
  return (await api.messages.stream(ask).finalMessage()).content;
}

async function toolRound(api, model) {
  const ask = asking(model, 'tool', { tools: TOOLS });
  const { content, stop_reason: stop } = await api.messages.stream(ask).finalMessage();
  const use = content.find(({ type }) => type === 'tool_use');
  const result = { type: 'tool_result', tool_use_id: use.id, content: 'rain' };
  const messages = [...ask.messages, { role: 'assistant', content }, { role: 'user', content: [result] }];
  return { streamed: use.input, stop, text: textOf((await api.messages.create({ ...ask, messages })).content) };
}

async function errorOf(call) {
  try {
    await call;
  } catch (error) {
    const { status, message } = error;
    return { class: error.constructor.name, status, message, retryAfter: error.headers?.get('retry-after') };
  }
  return null;
}

async function triedAgain(api, model) {
  const begun = performance.now();
  const { content } = await api.messages.create(asking(model, 'limited once'));
  return { text: textOf(content), seconds: (performance.now() - begun) / 1000 };
}

async function everything({ make, model, counts }, key) {
  const api = make(key, 0);
  const ask = (content) => errorOf(api.messages.create(asking(model, content)));
  return {
    message: await message(api, model),
    stream: await events(api, model),
    tool: await toolRound(api, model),
    thinking: await thinking(api, model),
    'too long': await ask('too long'),
    invalid: await ask('invalid'),
    limited: await ask('limited'),
    'limited once': await triedAgain(make(key, 2), model),
    broken: await errorOf(api.messages.stream(asking(model, 'broken')).finalMessage()),
    unauthenticated: await errorOf(make(NO_KEY, 0).messages.create(asking(model, 'plain'))),
    ...(counts && { count: await count(api, model) }),
  };
}

async function count(api, model) {
  const { messages } = asking(model, 'plain');
  return (await api.messages.countTokens({ model, messages })).input_tokens;
}

/** Credentials of a cloud in place of the gateway's key. */
async function signed() {
  const { AnthropicBedrock: bedrock, AnthropicVertex: vertex } = CLIENTS;
  const keys = { awsAccessKey: 'AKIAIOSFODNN7EXAMPLE', awsSecretKey: 'wJalrXUtnFEMIbPxRfiCYEXAMPLEKEY' };
  const signing = new AnthropicBedrock({ ...keys, awsRegion: REGION, baseURL: `${BASE_URL}/bedrock`, maxRetries: 0 });
  const google = vertex.make('ya29.a0AfB_by-google', 0);
  return {
    AnthropicBedrock: await errorOf(signing.messages.create(asking(bedrock.model, 'plain'))),
    AnthropicVertex: await errorOf(google.messages.create(asking(vertex.model, 'plain'))),
  };
}

async function abandoned({ make, model }, key) {
  const stream = make(key, 0).messages.stream(asking(model, 'slow'));
  await new Promise((resolve, reject) => stream.once('text', resolve).once('error', reject));
  stream.abort();
  return errorOf(stream.done());
}

const keys = JSON.parse(KEYS);
const seen = { signed: await signed(), abandoned: {} };
for (const [name, client] of Object.entries(CLIENTS)) {
  seen[name] = {};
  for (const [family, key] of Object.entries(keys)) seen[name][family] = await everything(client, key);
  seen.abandoned[name] = await abandoned(client, Object.values(keys)[0]);
}
console.log(JSON.stringify(seen));
