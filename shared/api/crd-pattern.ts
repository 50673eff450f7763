// Patterns of a schema run twice: as JavaScript here and as RE2 in the API server. This refuses the ones RE2 cannot run, and the
// ones it would run with another meaning.

/**
 * @param source the text of the expression
 * @param flags its flags; a CRD has no place for them, so there may be none
 * @returns why the API server would refuse or misread the pattern, or undefined
 */
export function re2Fault(source: string, flags = ''): string | undefined {
  if (flags !== '') return `flag ${flags} is lost in a CRD; write the pattern without it`;
  let inClass = false;
  for (let at = 0; at < source.length; at++) {
    const fault = faultAt(source.slice(at), inClass);
    if (fault !== undefined) return fault;
    if (source[at] === '[') inClass = true;
    else if (source[at] === ']') inClass = false;
    else if (source[at] === '\\') at++;
  }
  return undefined;
}

function faultAt(rest: string, inClass: boolean): string | undefined {
  if (/^\\[uc]/.test(rest)) return `RE2 has no ${rest.slice(0, 2)} escape`;
  if (inClass) return rest.startsWith('[:') ? 'RE2 reads [: as a named class' : undefined;
  if (/^\\[1-9k]/.test(rest)) return 'RE2 has no backreferences';
  if (/^\(\?(=|!|<=|<!)/.test(rest)) return 'RE2 has no look-around';
  if (/^\[\^?\]/.test(rest)) return 'RE2 reads ] after [ as a member of the class';
  const [, min, , max] = /^\{([0-9]+)(,([0-9]*))?\}/.exec(rest) ?? [];
  return Math.max(Number(min ?? 0), Number(max ?? 0)) > 1000 ? 'RE2 repeats at most 1000 times' : undefined;
}
