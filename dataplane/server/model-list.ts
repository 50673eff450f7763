// Models in the shape of the Anthropic Models API, as Claude Code's model discovery and the SDKs read it.
import type { ServedModel } from '../admit/models.ts';

export interface ModelObject {
  readonly type: 'model';
  readonly id: string;
  readonly display_name: string;
  readonly description?: string;
  readonly max_input_tokens?: number;
  /** The Models API has a date here; the gateway does not know one and says so with the epoch, as SDKs parse it. */
  readonly created_at: string;
}

export function modelObject({ listedId, displayName, description, maxInputTokens }: ServedModel): ModelObject {
  return {
    type: 'model',
    id: listedId,
    display_name: displayName,
    ...(description === undefined ? {} : { description }),
    ...(maxInputTokens === undefined ? {} : { max_input_tokens: maxInputTokens }),
    created_at: '1970-01-01T00:00:00Z',
  };
}

/** Everything on one page, whatever `limit` says. */
export function modelList(models: readonly ServedModel[]): string {
  const data = models.map(modelObject);
  return JSON.stringify({ data, has_more: false, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null });
}
