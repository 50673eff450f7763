// The splicing against a plain reading of the same rules on parsed values: whatever the body, the result parses to what it
// should, and members no rule is about keep their bytes.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { betaDecider, splitBetas } from '#shared/catalog/beta-decision.ts';
import { builtinBetas } from '#shared/catalog/betas.ts';
import { parseBodyPath, type PathStep } from '#shared/catalog/body-path.ts';
import { familyFacts, PROVIDER_FAMILIES } from '#shared/catalog/families.ts';
import { BodyRules } from './body-rules.ts';
import { bodyPlan } from './body-rules-plan.ts';
import { replaceSpans } from './body-rules-splice.ts';
import { walkBody } from './body-rules-walk.ts';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

// --- what should come out ---

/** Removes one path; an array or object that this leaves empty goes as well. Returns false when `value` is to go. */
function strip(value: Json, [step, ...rest]: readonly PathStep[]): boolean {
  if (step === undefined) return false;
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return true;
  const inner = value[step.key];
  if (inner === undefined || !Object.hasOwn(value, step.key)) return true;
  if (stays(inner, step, rest)) return true;
  delete value[step.key];
  return Object.keys(value).length > 0;
}

function stays(inner: Json, { items }: PathStep, rest: readonly PathStep[]): boolean {
  if (items === undefined) return strip(inner, rest);
  if (!Array.isArray(inner)) return true;
  const kept = inner.filter((item) => (items === '' ? strip(item, rest) : !typeBegins(item, items)));
  const removed = kept.length < inner.length;
  inner.splice(0, inner.length, ...kept);
  return !removed || kept.length > 0;
}

function typeBegins(item: Json, beginning: string): boolean {
  if (item === null || typeof item !== 'object' || Array.isArray(item)) return false;
  return Object.hasOwn(item, 'type') && typeof item['type'] === 'string' && item['type'].startsWith(beginning);
}

// --- bodies as text, so that white space and number forms vary ---

const TABLE_KEYS = builtinBetas.fields.flatMap(({ path }) => parseBodyPath(path).map(({ key }) => key));
const KEYS = [...new Set([...TABLE_KEYS, 'type', 'x', 'name', 'input_schema'])];
const TYPES = ['advisor_20260301', 'compact_20260904', 'clear_thinking', 'web_search_1', 'custom', 'computer_2'];

const space = fc.constantFrom('', '', '', ' ', '\n', '\r\n\t', '   ');
const scalarText = fc.oneof(
  fc.constantFrom('true', 'false', 'null', '0', '-1.50e+3', '1E4', '""', '"a, \\"scope\\": }"', '"\\\\"', '"é😀"'),
  fc.constantFrom(...TYPES).map((type) => JSON.stringify(type)),
);
const list = (items: fc.Arbitrary<string>, open: string, close: string, maxLength: number) =>
  fc
    .tuple(space, fc.array(fc.tuple(space, items, space), { maxLength }))
    .map(([gap, parts]) => `${open}${gap}${parts.map((part) => part.join('')).join(',')}${close}`);
const members = (value: fc.Arbitrary<string>, keys: readonly string[]) =>
  fc
    .uniqueArray(fc.tuple(fc.constantFrom(...keys), space, value), { selector: ([key]) => key, maxLength: 5 })
    .chain((all) =>
      fc.array(space, { minLength: all.length + 1, maxLength: all.length + 1 }).map((gaps) => {
        const inside = all.map(([key, gap, text], index) => `${gaps[index]}${spelt(key, gap)}${gap}:${gap}${text}`);
        return `{${inside.join(',')}${gaps.at(-1)}}`;
      }),
    );
/** Now and then a key is written with an escape. No object of these tests has another backslash in a key. */
const spelt = (key: string, gap: string) =>
  gap.length > 2 ? `"\\u00${key.charCodeAt(0).toString(16)}${key.slice(1)}"` : `"${key}"`;

const { value: anyValue } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    scalarText,
    list(tie('value'), '[', ']', 3),
    members(tie('value'), KEYS),
    list(members(tie('value'), KEYS), '[', ']', 3),
  ),
}));
const object = members(anyValue, KEYS);
const objects = list(object, '[', ']', 4);
const block = fc.oneof(object, members(fc.oneof(anyValue, objects), ['content', 'cache_control', 'type']));
const messages = list(members(fc.oneof(list(block, '[', ']', 3), scalarText), ['content', 'role']), '[', ']', 3);
/** Shapes in which the rules have something to find, by the key they stand under. */
const SHAPED: Readonly<Record<string, fc.Arbitrary<string>>> = {
  tools: objects,
  system: objects,
  messages,
  output_config: members(scalarText, ['effort', 'format', 'task_budget', 'x']),
  thinking: members(scalarText, ['block_binding', 'type']),
  context_management: members(objects, ['edits', 'x']),
  cache_control: members(scalarText, ['scope', 'type']),
};
const ROOT_KEYS = [...new Set([...KEYS, 'max_tokens', 'output_format', 'speed', 'tags', 'safeguards'])];
const rootMember = fc
  .constantFrom(...ROOT_KEYS)
  .chain((key) => fc.tuple(fc.constant(key), fc.oneof(SHAPED[key] ?? anyValue, anyValue)));
const rootMembers = fc.uniqueArray(rootMember, { selector: ([key]) => key, maxLength: 7 });

const betas = builtinBetas.betas.map(({ beta }) => beta.replace('*', '1'));
const asked = fc.subarray([...betas, 'prompt-caching-scope-2026-01-05', 'web-fetch-1', 'task-budgets-1', 'made-up']);

const join = (all: readonly (readonly [string, string])[], gap: string) =>
  `${gap}{${gap}${all.map(([key, text]) => `"${key}"${gap}: ${text}`).join(`${gap},`)}${gap}}${gap}`;

describe('taking paths out', () => {
  const paths = fc.subarray([
    ...builtinBetas.fields.map(({ path }) => path),
    'x',
    'x.x[].x',
    'system[].x.type',
    'tools[custom*]',
  ]);

  it('leaves what removing them from the parsed value leaves, and nothing of what is left is written anew', () => {
    fc.assert(
      fc.property(rootMembers, space, paths, (all, gap, removed) => {
        const body = Buffer.from(join(all, gap));
        const walk = walkBody(body, bodyPlan({ removed, refused: [] }, { cut: [], reported: [] }));
        if (!walk.ok) throw new Error('refused');
        const text = replaceSpans(
          body,
          walk.cuts.map((cut) => ({ ...cut, text: '' })),
        ).toString();

        const expected = JSON.parse(body.toString()) as Record<string, Json>;
        for (const path of removed) strip(expected, parseBodyPath(path));
        expect(JSON.parse(text)).toEqual(expected);
        expect(walk.empty).toBe(Object.keys(expected).length === 0);

        // Member by member: either its bytes are all there, in order, or a rule was about it.
        let from = 0;
        for (const [key, value] of all) {
          if (removed.some((path) => parseBodyPath(path)[0].key === key)) continue;
          const place = text.indexOf(`"${key}"${gap}: ${value}`, from);
          expect(place).toBeGreaterThanOrEqual(from);
          from = place + value.length;
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('BodyRules', () => {
  const dialect = fc.record({
    format: fc.constantFrom('Messages', 'Bedrock', 'Vertex'),
    family: fc.constantFrom(...PROVIDER_FAMILIES),
    stream: fc.boolean(),
    inBody: fc.option(asked, { nil: undefined }),
    header: asked,
    model: fc.constantFrom('m', 'a "model"'),
  } as const);

  it('send what the family wants, for any body from any format', () => {
    fc.assert(
      fc.property(
        rootMembers,
        space,
        dialect,
        fc.nat(),
        (all, gap, { format, family, stream, inBody, header, model }, at) => {
          const own: [string, string][] = [];
          if (format !== 'Bedrock') own.push(['stream', String(stream)]);
          if (format === 'Messages') own.push(['model', '"m"']);
          else own.push(['anthropic_version', `"${familyFacts[format].version}"`]);
          if (format === 'Bedrock' && inBody !== undefined) own.push(['anthropic_beta', JSON.stringify(inBody)]);
          const members = [...all];
          members.splice(at % (all.length + 1), 0, ...own);
          const body = Buffer.from(join(members, gap));
          const decide = betaDecider(builtinBetas, family);
          const outcome = new BodyRules(family, decide).apply({
            body,
            format,
            bodyModel: format === 'Messages' ? 'm' : undefined,
            model,
            stream,
            beta: header.join(','),
          });
          if (!outcome.ok) throw new Error(`refused: ${outcome.refusal}`);

          const wanted = [...header, ...(format === 'Bedrock' ? (inBody ?? []) : [])];
          const decision = decide([...new Set(wanted)]);
          const facts = familyFacts[family];
          const expected = JSON.parse(body.toString()) as Record<string, Json>;
          for (const name of ['model', 'stream', 'anthropic_version', 'anthropic_beta']) delete expected[name];
          for (const path of decision.fields.removed) strip(expected, parseBodyPath(path));
          if (facts.format === 'Messages') expected['model'] = model;
          else expected['anthropic_version'] = facts.version!;
          if (facts.format !== 'Bedrock' && (stream || format !== 'Bedrock')) expected['stream'] = stream;
          if (facts.format === 'Bedrock' && decision.betas.length > 0) expected['anthropic_beta'] = [...decision.betas];
          expect(JSON.parse(outcome.body.toString())).toEqual(expected);
          expect(splitBetas(outcome.beta)).toEqual(facts.format === 'Bedrock' ? [] : decision.betas);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('never throw, and never make JSON of what was none', () => {
    const noise = fc
      .tuple(rootMembers, fc.nat(), fc.constantFrom('', ',', '"', '}', ']', '{', '\\', ':', 'x'))
      .map(([all, at, piece]) => {
        const text = join(all, '');
        const place = at % (text.length + 1);
        return text.slice(0, place) + piece + text.slice(place + (piece === '' ? 1 : 0));
      });
    const parses = (text: string) => {
      try {
        JSON.parse(text);
        return true;
      } catch {
        return false;
      }
    };
    fc.assert(
      fc.property(noise, asked, fc.constantFrom(...PROVIDER_FAMILIES), (text, header, family) => {
        const outcome = new BodyRules(family, betaDecider(builtinBetas, family)).apply({
          body: Buffer.from(text),
          format: 'Messages',
          bodyModel: 'm',
          model: 'n',
          stream: false,
          beta: header.join(','),
        });
        // A defect inside a value that is taken out goes with it, so only valid bodies are held to be answered.
        expect(!parses(text) || (outcome.ok && parses(outcome.body.toString()))).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });
});
