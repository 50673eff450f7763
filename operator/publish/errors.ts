// Why a configuration cannot be published, and how a Gateway's status says it.
import { PartError } from '#shared/bundle/parts.ts';

export type PublishFault =
  /** An object of the name we need was made by somebody else. */
  | 'foreign_object'
  /** Another operator has taken over. */
  | 'superseded'
  /** Somebody keeps changing the objects while we write them. */
  | 'contended'
  /** Between compiling and publishing; the next pass has the new one. */
  | 'pepper_changed'
  | 'pepper_lost'
  | 'pepper_invalid';

const REASON: Readonly<Record<PublishFault, string>> = {
  foreign_object: 'NameTaken',
  superseded: 'Superseded',
  contended: 'Contended',
  pepper_changed: 'PepperChanged',
  pepper_lost: 'PepperLost',
  pepper_invalid: 'PepperInvalid',
};

/** The last publication stays in force. */
export class PublishError extends Error {
  readonly code: PublishFault;

  constructor(code: PublishFault, message: string) {
    super(message);
    this.name = 'PublishError';
    this.code = code;
  }
}

/** Reason and message of a condition, where the error is one that people can mend; undefined for one that goes away or is a defect. */
export function conditionOf(error: unknown): { readonly reason: string; readonly message: string } | undefined {
  if (error instanceof PublishError) return { reason: REASON[error.code], message: error.message };
  if (!(error instanceof PartError) || error.code !== 'too_large') return undefined;
  const advice = error.part.startsWith('keys-')
    ? 'give keys fewer labels and lists of their own, or move some to another Gateway'
    : 'spread the objects that attach here over more than one Gateway';
  return { reason: 'PartTooLarge', message: `${error.message}; ${advice}. The configuration before stays in force` };
}
