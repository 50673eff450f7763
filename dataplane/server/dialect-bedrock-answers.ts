// Answers of the Messages API in the formats of Bedrock: a stream as frames, a count under the name that AWS gave it.
import { BedrockStreamEncoder } from '../providers/bedrock-stream-encoder.ts';
import { FieldSet, scanTopLevel } from '../wire/json-fields.ts';
import { fieldInteger } from '../wire/json-values.ts';
import type { ClientTranslator } from './dialect.ts';

/** Clients take nothing else for a stream. */
const EVENT_STREAM = 'application/vnd.amazon.eventstream';
const NOTHING = Buffer.alloc(0);
const WANTED = new FieldSet(['input_tokens']);
/** A count is one figure; what is longer is none, and not kept however long an upstream goes on. */
const MAX_COUNT = 64 * 1024;

export class BedrockStreamAnswer implements ClientTranslator {
  readonly contentType = EVENT_STREAM;
  readonly #encoder = new BedrockStreamEncoder();

  get failed(): boolean {
    return this.#encoder.failed;
  }

  push(chunk: Buffer): Buffer {
    return this.#encoder.push(chunk);
  }

  fail(type: string, message: string): Buffer {
    return this.#encoder.fail(type, message);
  }

  /** Every event left in the frame it became whole with; the start of another one is nothing to clients. */
  end(): Buffer {
    return NOTHING;
  }
}

export class BedrockCountAnswer implements ClientTranslator {
  readonly contentType = 'application/json';
  readonly failed = false;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  push(chunk: Buffer): Buffer {
    if (this.#bytes < MAX_COUNT) this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    return NOTHING;
  }

  /** A body that holds no count goes out as it is, or its beginning: clients find none in it either. */
  end(): Buffer {
    const body = Buffer.concat(this.#chunks);
    const scan = scanTopLevel(body, WANTED);
    const count = scan.ok ? fieldInteger(body, scan.fields.input_tokens) : undefined;
    return count === undefined ? body : Buffer.from(`{"inputTokens":${count}}`);
  }

  fail(): Buffer {
    return NOTHING;
  }
}
