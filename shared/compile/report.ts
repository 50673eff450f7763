// What the compile step finds out about one object, gathered step by step and turned into its status at the end.
import type { Condition, ConditionType } from '#shared/api/conditions.ts';
import type { Kind } from '#shared/api/kinds.ts';
import type { FieldIssue, ObjectStatus, RawObject } from './types.ts';

/** The API server's bound on a condition message. */
const MAX_MESSAGE = 32_768;

const NONE: readonly never[] = [];

interface Finding {
  readonly reason: string;
  readonly message: string;
}

/** The condition of each type that was made last: sound objects one after the other say the same, and share it. */
const lastOf = new Map<ConditionType, Condition>();

/** Gathers the findings on one object. The first reason of a condition is its reason; the messages add up. */
export class Report {
  readonly #kind: Kind;
  readonly #metadata: RawObject['metadata'];
  // Most objects of a large installation are sound: their lists are all the one empty list, and cost nothing.
  #refusals: readonly Finding[] = NONE;
  #unresolved: readonly Finding[] = NONE;
  #issues: readonly FieldIssue[] = NONE;
  #warnings: readonly string[] = NONE;
  #fields: Record<string, unknown> = {};
  #acceptedMessage = 'The object is valid.';
  #refsChecked = false;
  #overridden: string | undefined;
  /** The status as it was last asked for; of no use once something was found out after that. */
  #status: ObjectStatus | undefined;

  constructor(kind: Kind, metadata: RawObject['metadata']) {
    this.#kind = kind;
    this.#metadata = metadata;
  }

  get accepted(): boolean {
    return this.#refusals.length === 0;
  }

  get resolved(): boolean {
    return this.#unresolved.length === 0;
  }

  /** The object has no effect: Accepted is False. A finding with a place can be pointed at by tools. */
  refuse(reason: string, finding: string | FieldIssue): void {
    this.#status = undefined;
    if (typeof finding !== 'string') this.#issues = [...this.#issues, finding];
    const message = typeof finding === 'string' ? finding : finding.message;
    this.#refusals = [...this.#refusals, { reason, message }];
  }

  /** The manifest itself is at fault: Accepted is False with reason Invalid. */
  invalid(issues: readonly FieldIssue[]): void {
    for (const issue of issues) this.refuse('Invalid', issue);
  }

  attachedTo(gateway: string): void {
    this.#status = undefined;
    this.#acceptedMessage = `Attached to Gateway ${gateway}.`;
  }

  /** References have been looked at; without a call of {@link unresolved} they are all there. */
  refsChecked(): void {
    this.#status = undefined;
    this.#refsChecked = true;
  }

  unresolved(reason: string, message: string): void {
    this.#status = undefined;
    this.#refsChecked = true;
    this.#unresolved = [...this.#unresolved, { reason, message }];
  }

  overridden(message: string): void {
    this.#status = undefined;
    this.#overridden = message;
  }

  warn(message: string): void {
    this.#status = undefined;
    if (!this.#warnings.includes(message)) this.#warnings = [...this.#warnings, message];
  }

  /** A further member of `status`, such as `prefix`. */
  field(name: string, value: unknown): void {
    this.#status = undefined;
    this.#fields[name] = value;
  }

  /** A report of its own with the same findings: what is added to it stays out of this one. */
  copy(): Report {
    const copy = new Report(this.#kind, this.#metadata);
    copy.#refusals = this.#refusals;
    copy.#unresolved = this.#unresolved;
    copy.#issues = this.#issues;
    copy.#warnings = this.#warnings;
    copy.#fields = { ...this.#fields };
    copy.#acceptedMessage = this.#acceptedMessage;
    copy.#refsChecked = this.#refsChecked;
    copy.#overridden = this.#overridden;
    return copy;
  }

  /** The very same object for as long as nothing new is found out. */
  status(): ObjectStatus {
    return (this.#status ??= this.#summary());
  }

  #summary(): ObjectStatus {
    const { namespace, name, generation } = this.#metadata;
    const conditions = [
      this.#condition('Accepted', this.#refusals, 'Accepted', this.#acceptedMessage),
      this.#refsChecked
        ? this.#condition('ResolvedRefs', this.#unresolved, 'ResolvedRefs', 'Every reference is resolved.')
        : this.#stamp('ResolvedRefs', 'Unknown', 'Pending', 'References are checked once the object is accepted.'),
    ];
    if (this.#overridden !== undefined) {
      conditions.push(this.#stamp('Overridden', 'True', 'Overridden', this.#overridden));
    }
    return {
      kind: this.#kind,
      namespace,
      name,
      ...(generation === undefined ? {} : { generation }),
      conditions,
      fields: this.#fields,
      issues: this.#issues,
      warnings: this.#warnings,
    };
  }

  #condition(type: ConditionType, findings: readonly Finding[], reason: string, message: string): Condition {
    const [first] = findings;
    if (first === undefined) return this.#stamp(type, 'True', reason, message);
    return this.#stamp(type, 'False', first.reason, findings.map((finding) => finding.message).join('; '));
  }

  #stamp(type: ConditionType, status: Condition['status'], reason: string, message: string): Condition {
    const { generation } = this.#metadata;
    const bounded = message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE - 3)}...` : message;
    const last = lastOf.get(type);
    const isSame = last?.status === status && last.reason === reason && last.message === bounded;
    if (isSame && last.observedGeneration === generation) return last;
    const condition = {
      type,
      status,
      reason,
      message: bounded,
      ...(generation === undefined ? {} : { observedGeneration: generation }),
    };
    lastOf.set(type, condition);
    return condition;
  }
}
