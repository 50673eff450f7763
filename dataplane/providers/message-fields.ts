// The few top-level fields of a Messages body that the gateway reads, found by a scan: the body itself is never parsed.
import { refuse } from '../errors.ts';
import { FieldSet, scanTopLevel, type Field } from '../wire/json-fields.ts';
import { decodeString, fieldBoolean } from '../wire/json-values.ts';

/** A repeat of any of these is refused: what was checked must be what the provider reads. */
const WANTED = new FieldSet(
  ['model', 'stream', 'max_tokens', 'speed', 'thinking', 'inference_geo', 'service_tier'],
  ['model'],
);

export interface MessageFields {
  readonly model: string;
  readonly modelField: Field;
  readonly stream: boolean;
}

/** @throws {GatewayError} 400 when the body is not an object with one non-empty `model` */
export function readMessageFields(body: Buffer): MessageFields {
  const scan = scanTopLevel(body, WANTED);
  if (!scan.ok) {
    switch (scan.refusal) {
      case 'invalid':
        throw refuse.badRequest('invalid_json', `invalid JSON at byte ${scan.offset}`);
      case 'not-object':
        throw refuse.badRequest('not_an_object', 'request body must be a JSON object');
      case 'repeated':
        throw refuse.badRequest('repeated_field', `field ${JSON.stringify(scan.key)} stands more than once`);
      case 'case-variant':
        throw refuse.badRequest('misspelt_field', `field ${JSON.stringify(scan.key)} must be spelt in lower case`);
    }
  }
  const { model, stream } = scan.fields;
  if (model === undefined) throw refuse.badRequest('model_required', 'model is required');
  const name = model.kind === 'string' ? decodeString(body, model) : undefined;
  if (name === undefined) throw refuse.badRequest('model_not_string', 'model must be a string');
  if (name === '') throw refuse.badRequest('model_required', 'model is required');
  return { model: name, modelField: model, stream: fieldBoolean(stream) === true };
}
