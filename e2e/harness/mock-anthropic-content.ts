/** What a mock upstream says: the message of a behaviour, whole or as frames. */
import type { EventStreamAnswer, TextAnswer, ThinkingAnswer, ToolAnswer } from './mock-anthropic-behaviour.ts';
import {
  blockStartFrame,
  closingFrames,
  defaultUsage,
  pingFrame,
  startFrame,
  textDeltaFrame,
} from './mock-anthropic-messages.ts';
import type { ContentBlock, Message, Usage } from './mock-anthropic-messages.ts';

function mergeUsage(usage: Partial<Usage> | undefined): Usage {
  return { ...defaultUsage, ...usage };
}

export function textMessage(text: string | undefined, model: string, messageId: string): Message {
  return messageOf({ kind: 'text', ...(text === undefined ? {} : { text }) }, model, {}, messageId);
}

export function messageOf(
  behaviour: TextAnswer | ToolAnswer | ThinkingAnswer,
  model: string,
  body: Readonly<Record<string, unknown>>,
  messageId: string,
): Message {
  const usage = mergeUsage(behaviour.usage);
  if (behaviour.kind === 'tool' && !hasToolResult(body)) {
    const id = messageId.replace('msg_', 'toolu_');
    const content: ContentBlock[] = [{ type: 'tool_use', id, name: behaviour.name, input: behaviour.input }];
    return { id: messageId, model, content, stopReason: 'tool_use', usage };
  }
  const text = (behaviour.kind === 'tool' ? behaviour.finalText : behaviour.text) ?? 'Hello from the mock upstream.';
  if (behaviour.kind === 'thinking') {
    const { thinking, signature } = behaviour;
    const content: ContentBlock[] = [
      { type: 'thinking', thinking, signature },
      { type: 'text', text },
    ];
    return { id: messageId, model, content, stopReason: 'end_turn', usage };
  }
  const stopReason = (behaviour.kind === 'text' ? behaviour.stopReason : undefined) ?? 'end_turn';
  return { id: messageId, model, content: [{ type: 'text', text }], stopReason, usage };
}

/** True when the last message of the conversation carries a tool's result. */
function hasToolResult(body: Readonly<Record<string, unknown>>): boolean {
  const messages: unknown = body['messages'];
  const last: unknown = Array.isArray(messages) ? messages.at(-1) : undefined;
  const content: unknown = typeof last === 'object' && last !== null && 'content' in last ? last.content : undefined;
  if (!Array.isArray(content)) return false;
  return content.some((block: unknown) => {
    return typeof block === 'object' && block !== null && 'type' in block && block.type === 'tool_result';
  });
}

export function eventFrames(behaviour: EventStreamAnswer, model: string, messageId: string): Buffer[] {
  const usage = mergeUsage({ output_tokens: behaviour.count, ...behaviour.usage });
  const block: ContentBlock = { type: 'text', text: '' };
  const message: Message = { id: messageId, model, content: [block], stopReason: 'end_turn', usage };
  const opening = Buffer.concat([startFrame(message), blockStartFrame(0, block), pingFrame]);
  const delta = textDeltaFrame(0, behaviour.delta ?? 'one more piece of text ');
  const frames = [opening, ...Array.from({ length: behaviour.count }, () => delta)];
  const last = frames.pop() ?? opening;
  return [...frames, Buffer.concat([last, ...closingFrames(message, 0)])];
}
