// Annotations that people write, on our objects or on Secrets.

/** On an Upstream: any new value has the pods look at it now. */
export const PROBE_ANNOTATION = 'portcullis.dev/probe';
/** On a Secret: when its content ends, RFC 3339, where whoever wrote it knows. */
export const EXPIRES_ANNOTATION = 'portcullis.dev/expires-at';
