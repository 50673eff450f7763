// Places for upstream calls, per replica. Streams last minutes, so the cap is in the thousands; beyond it a bounded number of calls
// wait their turn, and the next is told so at once. Whoever leaves the queue early gives up its turn.
import { refuse } from '../errors.ts';

/** A call in the queue. `cancel` takes it out when its client goes away. */
export interface Waiting {
  readonly granted: Promise<void>;
  cancel(): void;
}

interface Turn {
  readonly take: () => void;
  readonly giveUp: (error: Error) => void;
  timer: NodeJS.Timeout;
}

export class Slots {
  #max: number;
  #inUse = 0;
  readonly #queue = new Set<Turn>();

  /** @param max calls at once */
  constructor(max: number) {
    this.#max = max;
  }

  get inUse(): number {
    return this.#inUse;
  }

  get queued(): number {
    return this.#queue.size;
  }

  /**
   * Takes a place at once where one is free.
   * @returns undefined when the place is taken, or the wait
   * @throws {GatewayError} 529 when the queue is full; the wait fails with 529 after `timeoutMs`
   */
  acquire(maxQueued: number, timeoutMs: number): Waiting | undefined {
    if (this.#inUse < this.#max && this.#queue.size === 0) {
      this.#inUse++;
      return undefined;
    }
    if (this.#queue.size >= maxQueued)
      throw refuse.overloaded('queue_full', 'the gateway is at its limit of upstream calls: try again');
    return this.#wait(timeoutMs);
  }

  /** Gives a place back; exactly once per acquire. */
  release(): void {
    this.#inUse--;
    this.#admit();
  }

  /** Takes over a new cap. A higher one lets the queue in at once, a lower one takes no place away. */
  resize(max: number): void {
    this.#max = max;
    this.#admit();
  }

  #admit(): void {
    for (const turn of this.#queue) {
      if (this.#inUse >= this.#max) return;
      this.#queue.delete(turn);
      clearTimeout(turn.timer);
      this.#inUse++;
      turn.take();
    }
  }

  #wait(timeoutMs: number): Waiting {
    let cancel = (): void => undefined;
    const granted = new Promise<void>((take, giveUp) => {
      const leave = (error: Error): void => {
        clearTimeout(turn.timer);
        if (this.#queue.delete(turn)) giveUp(error);
      };
      const timer = setTimeout(
        () => leave(refuse.overloaded('queue_timeout', 'no upstream place became free in time: try again')),
        timeoutMs,
      );
      const turn: Turn = { take, giveUp, timer };
      cancel = () => leave(new Error('cancelled'));
      this.#queue.add(turn);
    });
    return { granted, cancel };
  }
}
