// The annotation by which people ask for a probe of an Upstream.

/** On an Upstream: any new value asks for a probe now. */
export const PROBE_ANNOTATION = 'portcullis.dev/probe';
