import { expect, it } from 'vitest';
import { re2Fault } from './crd-pattern.ts';

const cases: [source: string, flags: string, fault: string][] = [
  ['^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$', '', 'none'],
  ['^https?:\\/\\/[^\\s\\\\/?#]+$', '', 'none'],
  ['^(?:a|b){1,1000}$', '', 'none'],
  ['\\(?=', '', 'none'],
  ['[(?=]', '', 'none'],
  ['[\\](?=]', '', 'none'],
  ['a', 'i', 'flag i'],
  ['(?=a)b', '', 'look-around'],
  ['(?!a)b', '', 'look-around'],
  ['(?<=a)b', '', 'look-around'],
  ['(?<!a)b', '', 'look-around'],
  ['[a](?!a)b', '', 'look-around'],
  ['(a)\\1', '', 'backreferences'],
  ['(?<n>a)\\k<n>', '', 'backreferences'],
  ['\\u0041', '', 'no \\u'],
  ['a{1001}', '', '1000'],
  ['a{2,1001}', '', '1000'],
  ['[[:x]', '', 'named class'],
  ['[]', '', 'member of the class'],
  ['[^]', '', 'member of the class'],
];
it.each(cases)('/%s/%s: %s', (source, flags, fault) => {
  expect(re2Fault(source, flags) ?? 'none').toContain(fault);
});
