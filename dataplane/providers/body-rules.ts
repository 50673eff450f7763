// From the client's body and its `anthropic-beta` and `anthropic-version` to what a provider family takes: betas kept, renamed
// or dropped together with their fields; model, stream, betas and version where the family wants them. Every other byte stays
// as it came, and a body that needs no change is the buffer that came in.
import { splitBetas, type BetaDecider, type BetaDecision, type FieldDecision } from '#shared/catalog/beta-decision.ts';
import { familyFacts, type BodyFormat, type FamilyFacts, type ProviderFamily } from '#shared/catalog/families.ts';
import { replaceSpans, type Replacement } from './body-rules-splice.ts';
import { bodyPlan, type BodyNode, type TopLevelPlan } from './body-rules-plan.ts';

import type { Field } from '../wire/json-fields.ts';
import { replaceValue } from '../wire/json-values.ts';
import { walkBody, type Span, type WalkResult } from './body-rules-walk.ts';

/** One call, as far as its body and the two headers matter. */
export interface BodyCall {
  /** A JSON object whose top level has been scanned, so that `model` and `stream` stand there at most once. */
  readonly body: Buffer;
  /** How the client wrote it: `Bedrock` has betas and version in the body, model and stream in the path. */
  readonly format: BodyFormat;
  /** `model` of the body; absent where the path says it. */
  readonly bodyModel?: string | undefined;
  /** Where that stands, value only: saves the walk when nothing else is to change. */
  readonly modelField?: Field | undefined;
  /** Id the upstream is asked for. */
  readonly model: string;
  /** Versions the model takes where that depends on it (`bedrockVersions` of the catalog). */
  readonly modelVersions?: readonly string[] | undefined;
  readonly stream: boolean;
  /** The upstream wants `model` in the body although its family has it in the path: token counts on Vertex. */
  readonly modelInBody?: boolean;
  /** A body of the Messages API names betas too; some families listen there, so they are judged like those of the header. */
  readonly betasInBody?: true | undefined;
  /** Header `anthropic-beta`, several joined by `,`. */
  readonly beta?: string | undefined;
  /** Header `anthropic-version`. */
  readonly version?: string | undefined;
}

export type BodyOutcome = AdaptedBody | BodyRefusal;

export interface AdaptedBody {
  readonly ok: true;
  readonly body: Buffer;
  /** Header `anthropic-beta` to send; absent for none. */
  readonly beta?: string;
  /** Header `anthropic-version` to send; absent for none. */
  readonly version?: string;
  /** Betas asked for that this family is not told of. */
  readonly dropped: readonly string[];
}

/**
 * Why this upstream cannot be asked. Another one may be: the first two depend on the family.
 *
 * - `too-large`: more than `limit` bytes
 * - `field`: the body holds a field that cannot go there and must not be left out
 * - `repeated`, `invalid`, `betas`: the client's own fault; `betas` is an `anthropic_beta` that is no array of names
 */
export type BodyRefusal =
  | { readonly ok: false; readonly refusal: 'too-large'; readonly limit: number }
  | { readonly ok: false; readonly refusal: 'field'; readonly path: string }
  | { readonly ok: false; readonly refusal: 'repeated'; readonly key: string }
  | { readonly ok: false; readonly refusal: 'invalid' | 'betas' };

/** Headers with their decisions; clients choose them, so both are bounded. */
const REMEMBERED = 256;
const LONGEST_REMEMBERED = 1024;

/** The version that the dialect strings of 2023 stand for. */
const FIRST_VERSION = '2023-06-01';
const DATE = /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/;

/** Where the top-level members are looked for; `plain` is Messages to Messages, whose betas and version are headers. */
const TOP_LEVEL = {
  plain: { cut: [], reported: ['model'] },
  Messages: {
    cut: ['anthropic_version', 'anthropic_beta'],
    reported: ['model', 'stream', 'anthropic_version', 'anthropic_beta'],
  },
  Bedrock: {
    cut: ['model', 'stream', 'anthropic_version', 'anthropic_beta'],
    reported: ['anthropic_version', 'anthropic_beta'],
  },
  // The stream member stays: Claude Code sends it to Vertex beside the method that says the same.
  Vertex: {
    cut: ['model', 'anthropic_version', 'anthropic_beta'],
    reported: ['stream', 'anthropic_version', 'anthropic_beta'],
  },
} as const satisfies Record<string, TopLevelPlan>;

type Layout = keyof typeof TOP_LEVEL;
type Walked = Extract<WalkResult, { ok: true }>;

/** The rules of one upstream; build it when configuration loads. */
export class BodyRules {
  readonly #facts: FamilyFacts;
  readonly #decide: BetaDecider;
  readonly #byHeader = new Map<string, BetaDecision>();
  readonly #plans: Readonly<Record<Layout, WeakMap<FieldDecision, BodyNode>>> = {
    plain: new WeakMap(),
    Messages: new WeakMap(),
    Bedrock: new WeakMap(),
    Vertex: new WeakMap(),
  };

  constructor(family: ProviderFamily, decide: BetaDecider) {
    this.#facts = familyFacts[family];
    this.#decide = decide;
  }

  /** Never throws. */
  apply(call: BodyCall): BodyOutcome {
    const layout = this.#layoutFor(call);
    let decision = this.#decisionOf(call.beta);
    if (layout === 'plain' && isEmpty(decision.fields)) {
      const body = withModel(call);
      if (body !== undefined) return this.#adapted(call, body, decision, undefined, call.beta);
    }

    let walk = walkBody(call.body, this.#planFor(decision.fields, layout));
    if (!walk.ok) return walk;
    const inBody = readBetas(call.body, walk.reported.get('anthropic_beta'));
    if (inBody === undefined) return { ok: false, refusal: 'betas' };
    if (inBody.length > 0) {
      const { fields } = decision;
      decision = this.#decide([...new Set([...splitBetas(call.beta), ...inBody])]);
      if (decision.fields !== fields) walk = walkBody(call.body, this.#planFor(decision.fields, layout));
      if (!walk.ok) return walk;
    }
    if (walk.refused !== undefined) return { ok: false, refusal: 'field', path: walk.refused };

    const version = readString(call.body, walk.reported.get('anthropic_version'));
    const body = replaceSpans(call.body, this.#edits(call, layout, walk, decision, version));
    const limit = this.#facts.maxBodyBytes ?? Infinity;
    if (body.length > limit) return { ok: false, refusal: 'too-large', limit };
    return this.#adapted(call, body, decision, version, inBody.length > 0 ? undefined : call.beta);
  }

  /** Clients send few different headers, so most are neither split nor looked up again. */
  #decisionOf(header: string | undefined): BetaDecision {
    if (header === undefined) return this.#decide([]);
    let decision = this.#byHeader.get(header);
    if (decision !== undefined) return decision;
    decision = this.#decide(splitBetas(header));
    if (this.#byHeader.size >= REMEMBERED) this.#byHeader.clear();
    if (header.length <= LONGEST_REMEMBERED) this.#byHeader.set(header, decision);
    return decision;
  }

  #layoutFor({ format, modelInBody, betasInBody }: BodyCall): Layout {
    const own = this.#facts.format;
    if (own === 'Messages' && format === 'Messages') return betasInBody === undefined ? 'plain' : 'Messages';
    return modelInBody === true ? 'Messages' : own;
  }

  #planFor(fields: FieldDecision, layout: Layout): BodyNode {
    const plans = this.#plans[layout];
    let plan = plans.get(fields);
    if (plan === undefined) {
      plan = bodyPlan(fields, TOP_LEVEL[layout]);
      plans.set(fields, plan);
    }
    return plan;
  }

  /** @param beta the header as it came, when it alone says what was asked for */
  #adapted(
    call: BodyCall,
    body: Buffer,
    decision: BetaDecision,
    bodyVersion: string | undefined,
    beta: string | undefined,
  ): AdaptedBody {
    const { betas, unchanged, dropped } = decision;
    const listed = betas.length > 0 ? betas.join(',') : undefined;
    const header = unchanged && beta !== undefined ? beta : listed;
    return {
      ok: true,
      body,
      dropped,
      beta: this.#facts.format === 'Bedrock' ? undefined : header,
      version: this.#headerVersion(call, bodyVersion),
    };
  }

  #edits(
    call: BodyCall,
    layout: Layout,
    { cuts, reported, inside, empty }: Walked,
    { betas }: BetaDecision,
    bodyVersion: string | undefined,
  ): Replacement[] {
    const edits: Replacement[] = cuts.map(({ start, end }) => ({ start, end, text: '' }));
    const added = this.#dialectMembers(call, betas, bodyVersion);
    if (layout === 'plain' || layout === 'Messages') {
      const model = reported.get('model');
      const text = JSON.stringify(call.model);
      if (model === undefined) added.push(`"model":${text}`);
      else if (readString(call.body, model) !== call.model) edits.push({ ...model, text });
    }
    if (layout === 'Vertex' || layout === 'Messages') {
      const stream = reported.get('stream');
      if (stream === undefined) added.push(...(call.stream ? ['"stream":true'] : []));
      // What the client meant was in its path, so a body that says otherwise has nothing to say.
      else if (readJson(call.body, stream) === !call.stream) edits.push({ ...stream, text: String(call.stream) });
    }
    if (added.length > 0) edits.push({ start: inside, end: inside, text: added.join(',') + (empty ? '' : ',') });
    return edits;
  }

  /** Members that Bedrock and Vertex want and the Messages API has in headers, as JSON. */
  #dialectMembers(call: BodyCall, betas: readonly string[], bodyVersion: string | undefined): string[] {
    const { format, version } = this.#facts;
    if (format === 'Messages') return [];
    const asked = format === 'Bedrock' ? askedVersion(call, bodyVersion) : undefined;
    const taken = asked !== undefined && call.modelVersions?.includes(asked) === true;
    const members = [`"anthropic_version":${JSON.stringify(taken ? asked : version)}`];
    if (format === 'Bedrock' && betas.length > 0) members.push(`"anthropic_beta":${JSON.stringify(betas)}`);
    return members;
  }

  #headerVersion(call: BodyCall, bodyVersion: string | undefined): string | undefined {
    const { format, version, versionsByModel } = this.#facts;
    const asked = askedVersion(call, bodyVersion);
    switch (format) {
      case 'Bedrock':
        return undefined;
      case 'Vertex':
        return asked;
      case 'Messages': {
        const taken = !versionsByModel || asked === FIRST_VERSION || call.modelVersions?.includes(asked ?? '') === true;
        const missing = version ?? (call.format === 'Messages' ? undefined : FIRST_VERSION);
        return taken ? (asked ?? missing) : version;
      }
    }
  }
}

/** Undefined when the body has to be walked for its model. */
function withModel({ body, bodyModel, modelField, model }: BodyCall): Buffer | undefined {
  if (bodyModel === model) return body;
  return modelField === undefined ? undefined : replaceValue(body, modelField, JSON.stringify(model));
}

/** The date the client asked for: in a body of its own, where a dialect string is none, or in the header. */
function askedVersion({ version }: BodyCall, bodyVersion: string | undefined): string | undefined {
  return bodyVersion !== undefined && DATE.test(bodyVersion) ? bodyVersion : version;
}

function isEmpty({ removed, refused }: FieldDecision): boolean {
  return removed.length === 0 && refused.length === 0;
}

/** What can stand in a header: of anything else the call would fail on its way, as if the upstream were at fault. */
const NAME = /^[!-~]+$/;

/**
 * Empty when there is none; undefined when it is no array of names. A string is read as the header is, in which these may go on: what is
 * one name here must not be two there.
 */
function readBetas(body: Buffer, span: Span | undefined): readonly string[] | undefined {
  if (span === undefined) return [];
  const value = readJson(body, span);
  if (!Array.isArray(value) || !value.every((each) => typeof each === 'string')) return undefined;
  const names = value.flatMap(splitBetas);
  return names.every((name) => NAME.test(name)) ? names : undefined;
}

function readString(body: Buffer, span: Span | undefined): string | undefined {
  const value = span === undefined ? undefined : readJson(body, span);
  return typeof value === 'string' ? value : undefined;
}

function readJson(body: Buffer, { start, end }: Span): unknown {
  try {
    return JSON.parse(body.toString('utf8', start, end));
  } catch {
    return undefined;
  }
}
