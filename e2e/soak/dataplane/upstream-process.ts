// Two upstreams in a process of their own: one that fails in every way it can, one that always answers.
import { startMockAnthropic, type Behaviour } from '../../harness/mock-anthropic.ts';
import { serveCommands } from '../../bench/child-process.ts';

/** What the process says when it is ready. */
export interface Upstreams {
  readonly flaky: string;
  readonly steady: string;
}

/** Exchanges that have not ended, on both. */
export interface UpstreamState {
  readonly open: number;
  readonly received: number;
}

const STREAM: Behaviour = { kind: 'events', count: 20, gapMs: 25 };
const TEXT: Behaviour = { kind: 'text', text: 'word '.repeat(200), delayMs: 5 };

/** How often the flaky one does what; the rest is an answer as it should be. */
const FAULTS: readonly (readonly [share: number, behaviour: Behaviour])[] = [
  [0.02, { kind: 'status', status: 500 }],
  [0.02, { kind: 'status', status: 529 }],
  [0.02, { kind: 'status', status: 429, headers: { 'retry-after': '1' } }],
  [0.02, { kind: 'redirect', location: 'http://127.0.0.1:9/' }],
  [0.02, { kind: 'hang' }],
  [0.02, { kind: 'cut', afterEvents: 0 }],
  [0.02, { kind: 'cut', afterEvents: 3, text: 'word '.repeat(50) }],
  [0.02, { kind: 'silence', afterEvents: 3 }],
  [0.02, { kind: 'error-event', afterEvents: 3 }],
  [0.03, { kind: 'text', encoding: 'gzip' }],
];

function good(streams: boolean): Behaviour {
  return streams ? STREAM : TEXT;
}

function flakyBehaviour(streams: boolean): Behaviour {
  let drawn = Math.random();
  for (const [share, behaviour] of FAULTS) {
    drawn -= share;
    // Silence after some frames and errors within a stream have no counterpart in a plain answer.
    if (drawn < 0)
      return !streams && (behaviour.kind === 'silence' || behaviour.kind === 'error-event') ? TEXT : behaviour;
  }
  return good(streams);
}

const [flaky, steady] = await Promise.all([
  startMockAnthropic({ retain: 0, behave: (call) => flakyBehaviour(call.json()?.['stream'] === true) }),
  startMockAnthropic({ retain: 0, behave: (call) => good(call.json()?.['stream'] === true) }),
]);
const ready: Upstreams = { flaky: flaky.url, steady: steady.url };
serveCommands(ready, async (): Promise<UpstreamState> => {
  return { open: flaky.open() + steady.open(), received: flaky.received() + steady.received() };
});
