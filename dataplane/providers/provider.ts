// providers: attempt → upstream request, and the upstream's answer → an answer of the Messages API. The seam between routing and what a
// provider family speaks: a family is one file that exports a Provider and one row in families.ts. Everything else sees only this.
import type { IncomingMessage } from 'node:http';
import type { UpstreamEntry } from '#shared/bundle/bundle.ts';
import type { BodyFormat, ProviderFamily } from '#shared/catalog/families.ts';
import type { ModelCatalog } from '#shared/catalog/spelling.ts';
import type { ServedModel } from '../admit/models.ts';
import type { Field } from '../wire/json-fields.ts';

/** Messages that answer, or a count of the tokens they would be. */
export type Operation = 'messages' | 'count';

/** What of the body was read at the door. */
export interface CallFields {
  /** As the client wrote it: in the body, or in the path. */
  readonly model: string;
  /** Where it stands in the body; absent where the path says it. */
  readonly modelField?: Field;
  readonly stream: boolean;
  /** The body of a Messages call names betas, as those of other formats do. */
  readonly betasInBody?: true;
}

/** Who the call is for, as upstreams may be told. */
export interface Caller {
  readonly id: string;
  readonly owner: string;
  readonly email: string | undefined;
}

/** What is needed of a client call to call an upstream. The client's dialect shows only in the format of the body. */
export interface ProviderRequest {
  readonly client: IncomingMessage;
  readonly callId: string;
  readonly caller: Caller;
  readonly operation: Operation;
  /** Query with its `?`, or `''`. Goes to upstreams of the Messages API. */
  readonly search: string;
  readonly format: BodyFormat;
  readonly body: Buffer;
  readonly fields: CallFields;
  readonly model: ServedModel;
  /** The client's credentials, which must not go upstream in any header or in the query. */
  readonly credentials: readonly string[];
}

/** A request that is complete but for its credential. */
export interface UpstreamRequest {
  /** With the path prefix of the upstream and its query. */
  readonly path: string;
  /** Names in lower case and values in turn. */
  readonly headers: string[];
  readonly body: Buffer;
  /** Model id the upstream is asked for. */
  readonly modelId: string;
  /** Betas the client asked for that the upstream is not told of. */
  readonly dropped: readonly string[];
}

/** What a path depends on. */
export interface Route {
  readonly operation: Operation;
  /** As the upstream calls the model. */
  readonly modelId: string;
  /** Id the model is routed under. */
  readonly catalogId: string;
  readonly models: ModelCatalog;
  readonly stream: boolean;
}

/** Turns an answer into another format while it flows. */
export interface Translator {
  /** Of what it gives. */
  readonly contentType: string;
  /** True once it gave an error; nothing that comes later means anything. */
  readonly failed: boolean;
  /** @returns what can be sent now, possibly nothing; never written to again */
  push(chunk: Buffer): Buffer;
  /** The answer is whole. @returns the rest */
  end(): Buffer;
}

/** What must not reach a client; an UpstreamTarget is one. */
export interface Secrets {
  leaksInto(text: string): boolean;
}

/** What a provider's refusal means in the words of the Messages API. */
export interface Refusal {
  /** Where the provider's own status would mislead the client. */
  readonly status?: number;
  /** A sentence that clients recover by; a stable sentence of ours is used when absent. */
  readonly message?: string;
}

/** A provider family: what it wants of a Messages call, and what it answers. Holds nothing of a single upstream. */
export interface Provider {
  readonly family: ProviderFamily;
  /**
   * What this upstream calls a model of the catalog when the platform team did not say.
   * @param id catalog id
   * @param models catalog of the Gateway: the built-in one with the platform team's own rows over it
   * @returns undefined when the upstream does not serve it
   */
  modelId(id: string, entry: UpstreamEntry, models: ModelCatalog): string | undefined;
  /** Takes the other names that the Messages API has for a model: one of them is forwarded as received. */
  readonly acceptsAliases?: true;
  /** Where models are listed for nothing, behind the path prefix. Absent: probes send a message of one token. */
  readonly listPath?: string;
  /** Behind the path prefix of the upstream; undefined where the family has no such operation, for this model or at all. */
  path(route: Route, entry: UpstreamEntry): string | undefined;
  /** `Open`: every `anthropic-*` header goes along, and the query. `Closed`: content type, agent and what the family adds. */
  readonly headers: 'Open' | 'Closed';
  /** Headers of the family's own, names and values in turn. */
  ownHeaders?(request: ProviderRequest, entry: UpstreamEntry): readonly string[];
  /** Client headers that do not go along although their names are open. */
  readonly withheld?: ReadonlySet<string>;
  /** The last change to a body that counts tokens, after the body rules. @returns undefined when it cannot be counted */
  countBody?(body: Buffer): Buffer | undefined;
  /** True where a count wants `model` in its body although the family has it in the path. */
  readonly countsByBodyModel?: true;
  /** How a successful answer is read; undefined where it comes as the Messages API has it. */
  answer?(operation: Operation, contentType: string, callId: string, secrets?: Secrets): Translator | undefined;
  /** Statuses that mean another one in the words of the Messages API, whatever the body says. */
  readonly statuses?: ReadonlyMap<number, number>;
  /** What a refusal in the provider's own shape means; Anthropic envelopes are read before. */
  refusal?(status: number, body: string): Refusal | undefined;
}
