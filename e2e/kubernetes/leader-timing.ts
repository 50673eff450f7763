// Times of the elections in tests: a fifth of the real ones.
import type { LeaseTiming } from '#operator/kube/leader.ts';

export const TIMING: LeaseTiming = { leaseDuration: 3_000, renewDeadline: 2_000, retryPeriod: 400 };
