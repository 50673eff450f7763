/** How much is measured: enough for steady medians in under eight minutes, or a quick look in under two; the operator's phase takes as long again. */

/** `traffic` compares with others; the rest is about Portcullis alone. */
export const PHASES = ['traffic', 'clouds', 'memory', 'keys', 'operator'] as const;
export type Phase = (typeof PHASES)[number];

export const isPhase = (name: string): name is Phase => (PHASES as readonly string[]).includes(name);

export interface Plan {
  readonly throughput: {
    readonly rounds: number;
    readonly connections: number;
    readonly warmMs: number;
    readonly measureMs: number;
  };
  /** Sequential streams a round at one stream at a time. */
  readonly single: { readonly rounds: number; readonly streams: number };
  /** Streams at once, and how many follow each other on each connection a round. */
  readonly crowd: { readonly rounds: number; readonly connections: number; readonly streams: number };
  readonly memory: {
    readonly streams: number;
    readonly perSecond: number;
    readonly bodies: readonly ('small' | 'turn')[];
  };
  readonly keys: { readonly count: number; readonly starts: number; readonly switches: number };
  readonly reload: { readonly switches: number };
  /** Numbers of keys, ascending, and changes at each. */
  readonly operator: { readonly sizes: readonly number[]; readonly edits: number };
}

export const fullPlan: Plan = {
  throughput: { rounds: 5, connections: 16, warmMs: 300, measureMs: 2500 },
  single: { rounds: 5, streams: 7 },
  crowd: { rounds: 3, connections: 500, streams: 4 },
  memory: { streams: 5000, perSecond: 1000, bodies: ['small', 'turn'] },
  keys: { count: 100_000, starts: 2, switches: 2 },
  reload: { switches: 10 },
  operator: { sizes: [1_000, 10_000, 100_000], edits: 20 },
};

export const quickPlan: Plan = {
  throughput: { rounds: 2, connections: 16, warmMs: 200, measureMs: 900 },
  single: { rounds: 2, streams: 3 },
  crowd: { rounds: 1, connections: 500, streams: 3 },
  memory: { streams: 5000, perSecond: 2000, bodies: ['small'] },
  keys: { count: 100_000, starts: 1, switches: 1 },
  reload: { switches: 4 },
  operator: { sizes: [1_000, 10_000], edits: 10 },
};

/** Gap between the events of a timed stream, and events a stream: long enough that an event held back cannot hide. */
export const eventGapMs = 250;
export const singleEvents = 3;
export const crowdEvents = 5;
