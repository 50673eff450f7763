/** Events of a streamed answer of the stand-in for clouds. */
export const STREAMED_EVENTS = 1_000;

/** One event at a time, or many at once. */
export type StreamPace = 'Paced' | 'Bulk';
