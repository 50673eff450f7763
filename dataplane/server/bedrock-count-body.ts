// CountTokens of Bedrock wraps the body of InvokeModel: `{"input":{"invokeModel":{"body":"<base64>"}}}`. Read layer by layer, so that a
// member that stands twice is refused in each of them.
import { refuse } from '../errors.ts';
import { FieldSet, scanTopLevel, type Field } from '../wire/json-fields.ts';
import { fieldString } from '../wire/json-values.ts';

const LAYERS = [new FieldSet(['input']), new FieldSet(['invokeModel']), new FieldSet(['body'])] as const;

/**
 * @returns the body to count, which may be anything
 * @throws {GatewayError} 400
 */
export function openCountBody(received: Buffer): Buffer {
  const input = member(received, LAYERS[0], 'input');
  const invokeModel = member(received, LAYERS[1], 'invokeModel', input);
  const body = member(received, LAYERS[2], 'body', invokeModel);
  const text = fieldString(received, body);
  if (text === undefined) throw misshapen();
  return Buffer.from(text, 'base64');
}

function member<Name extends string>(
  received: Buffer,
  wanted: FieldSet<Name>,
  name: Name,
  within: Pick<Field, 'start' | 'end'> = { start: 0, end: received.length },
): Field {
  const scan = scanTopLevel(received, wanted, within.start, within.end);
  const field = scan.ok ? scan.fields[name] : undefined;
  if (field === undefined) throw misshapen();
  return field;
}

function misshapen() {
  return refuse.badRequest(
    'bad_count_body',
    'a count takes {"input":{"invokeModel":{"body":"<base64 of the body of InvokeModel>"}}}',
  );
}
