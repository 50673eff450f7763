// The one error of the command line that is the reader's to mend.

/** A configuration or state folder that cannot be used, with everything a person needs to mend it. */
export class UnusableConfigurationError extends Error {
  readonly code = 'unusable_configuration';
}
