/** Events of a streamed answer of the stand-in for clouds. */
export const STREAMED_EVENTS = 1_000;
