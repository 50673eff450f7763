// The few top-level fields of a Messages body that the gateway reads, found by a scan: the body itself is never parsed.
import { refuse } from '../errors.ts';
import { FieldSet, scanTopLevel, type Field, type Fields } from '../wire/json-fields.ts';
import { decodeString, fieldBoolean } from '../wire/json-values.ts';
import type { CallFields } from './provider.ts';

/** A repeat of any of these is refused: what was checked must be what the provider reads. */
const WANTED = new FieldSet(
  ['model', 'stream', 'max_tokens', 'speed', 'thinking', 'inference_geo', 'service_tier', 'anthropic_beta'],
  ['model'],
);

export interface MessageFields {
  readonly model: string;
  readonly modelField: Field;
  readonly stream: boolean;
  readonly betasInBody?: true;
}

/** Bytes of `anthropic_beta`: some hundred names. Each is decided on for every upstream that is tried. */
const MAX_BETA_BYTES = 4096;

/** @throws {GatewayError} 400 when the body is not an object with one non-empty `model` */
export function readMessageFields(body: Buffer): MessageFields {
  const { model, stream, anthropic_beta: betas } = scanned(body, WANTED);
  if (model === undefined) throw refuse.badRequest('model_required', 'model is required');
  const name = model.kind === 'string' ? decodeString(body, model) : undefined;
  if (name === undefined) throw refuse.badRequest('model_not_string', 'model must be a string');
  if (name === '') throw refuse.badRequest('model_required', 'model is required');
  checkLength(betas);
  const fields = { model: name, modelField: model, stream: fieldBoolean(stream) === true };
  return betas === undefined ? fields : { ...fields, betasInBody: true };
}

/**
 * Of a call whose path says the model and whether the answer is a stream: the body has no word in either.
 * @throws {GatewayError} 400 when the body is not an object, or names a model as well
 */
export function readFieldsBesideModel(body: Buffer, model: string, stream: boolean): CallFields {
  const fields = scanned(body, WANTED);
  if (fields.model !== undefined) {
    throw refuse.badRequest('model_in_body', 'the model stands in the path of this format: leave it out of the body');
  }
  checkLength(fields.anthropic_beta);
  return { model, stream };
}

function checkLength(betas: Field | undefined): void {
  if (betas !== undefined && betas.end - betas.start > MAX_BETA_BYTES) {
    throw refuse.badRequest('betas_too_long', `anthropic_beta is longer than ${MAX_BETA_BYTES} bytes`);
  }
}

function scanned<Name extends string>(body: Buffer, wanted: FieldSet<Name>): Fields<Name> {
  const scan = scanTopLevel(body, wanted);
  if (scan.ok) return scan.fields;
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
