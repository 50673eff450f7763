import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { betaDecider, splitBetas, type BetaOverrides } from './beta-decision.ts';
import { BetaIndex } from './beta-index.ts';
import { builtinBetas, mergeBetas, outcomesFor, parseBetaTable, type BetaTable } from './betas.ts';
import { parseBodyPath } from './body-path.ts';
import { PROVIDER_FAMILIES, type ProviderFamily } from './families.ts';

const OPEN: readonly ProviderFamily[] = ['Anthropic', 'AnthropicCompatible', 'ClaudePlatformAWS'];
const CLOUDS = ['Bedrock', 'BedrockMantle', 'Vertex', 'Foundry'] as const;
const SEARCH = 'tool-search-tool-2025-10-19';
const ADVANCED = 'advanced-tool-use-2025-11-20';

/** What the family makes of one beta: its name or another, undefined for dropped. */
const sentAs = (family: ProviderFamily, beta: string, table = builtinBetas, overrides: BetaOverrides[] = []) =>
  betaDecider(table, family, overrides)([beta]).betas[0];

describe('the built-in table of betas', () => {
  // y: kept, -: dropped, s and a: renamed to the tool search of the clouds and to advanced tool use.
  it.each([
    // Bedrock, Mantle, Vertex, Foundry
    ['advanced-tool-use-2025-11-20', 's', 's', 's', 'y'],
    ['advisor-tool-2026-03-01', '-', '-', '-', '-'],
    ['claude-code-20250219', '-', 'y', 'y', 'y'],
    ['code-execution-2025-08-25', '-', '-', '-', 'y'],
    ['files-api-2025-04-14', '-', '-', '-', 'y'],
    ['skills-2025-10-02', '-', '-', '-', 'y'],
    ['mcp-client-2025-04-04', '-', '-', '-', 'y'],
    ['mcp-client-2025-11-20', '-', '-', '-', 'y'],
    ['compact-2026-01-12', 'y', 'y', 'y', '-'],
    ['compact-2026-09-04', '-', '-', 'y', '-'],
    ['computer-use-2025-01-24', 'y', 'y', 'y', 'y'],
    ['computer-use-2025-11-24', 'y', 'y', 'y', 'y'],
    ['context-1m-2025-08-07', 'y', 'y', 'y', 'y'],
    ['context-management-2025-06-27', 'y', 'y', 'y', 'y'],
    ['dangerous-tool-use-2026-09-03', 'y', 'y', 'y', 'y'],
    ['effort-2025-11-24', 'y', 'y', 'y', 'y'],
    ['fast-mode-2026-02-01', '-', '-', '-', '-'],
    ['fine-grained-tool-streaming-2025-05-14', 'y', 'y', '-', '-'],
    ['interleaved-thinking-2025-05-14', 'y', 'y', 'y', 'y'],
    ['mid-conversation-output-config-2026-07-01', 'y', '-', '-', '-'],
    ['mid-conversation-tool-changes-2026-07-01', 'y', '-', '-', '-'],
    ['output-128k-2025-02-19', '-', 'y', '-', '-'],
    ['token-efficient-tools-2025-02-19', '-', 'y', '-', '-'],
    ['per-turn-control-2026-07-01', '-', 'y', 'y', 'y'],
    ['prompt-caching-scope-2026-01-05', '-', '-', '-', 'y'],
    ['web-fetch-2025-09-10', '-', '-', '-', 'y'],
    ['structured-outputs-2025-11-13', '-', 'y', '-', 'y'],
    ['thinking-binding-controls-2026-08-01', 'y', 'y', 'y', '-'],
    ['thinking-display-updates-2026-08-18', 'y', 'y', 'y', 'y'],
    ['web-search-2025-03-05', '-', 'y', 'y', 'y'],
    ['oauth-2025-04-20', '-', '-', '-', '-'],
    ['tool-search-tool-2025-10-19', 'y', 'y', 'y', 'a'],
    ['tool-examples-2025-10-29', '-', 'y', '-', '-'],
    ['mcp-servers-2025-12-04', '-', '-', '-', '-'],
    ['structured-output-2024-03-01', '-', '-', '-', '-'],
    ['bash_20250124', '-', '-', '-', '-'],
    ['text_editor_20250124', '-', '-', '-', '-'],
    ['token-counting-2024-11-01', '-', '-', 'y', 'y'],
    ['request-tags-2026-08-21', '-', '-', '-', 'y'],
  ])('treats %s as the clouds do, and leaves it alone for Anthropic', (beta, ...marks) => {
    const names = { y: beta, '-': undefined, s: SEARCH, a: ADVANCED };
    for (const [index, family] of CLOUDS.entries()) {
      expect([family, sentAs(family, beta)]).toEqual([family, names[marks[index] as keyof typeof names]]);
    }
    for (const family of OPEN) expect(sentAs(family, beta)).toBe(beta);
  });

  // What Claude Code 2.1.329 sends by itself when it talks to a cloud must come out of the gateway as it went in.
  it.each<[ProviderFamily, string]>([
    ['Bedrock', 'interleaved-thinking-2025-05-14,tool-search-tool-2025-10-19,effort-2025-11-24'],
    [
      'Vertex',
      'claude-code-20250219,interleaved-thinking-2025-05-14,web-search-2025-03-05,tool-search-tool-2025-10-19,effort-2025-11-24',
    ],
    ['Vertex', 'claude-code-20250219,interleaved-thinking-2025-05-14,token-counting-2024-11-01'],
    [
      'Foundry',
      'claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,web-search-2025-03-05,thinking-token-count-2026-05-13,advanced-tool-use-2025-11-20,effort-2025-11-24',
    ],
    [
      'ClaudePlatformAWS',
      'claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,prompt-caching-scope-2026-01-05,advisor-tool-2026-03-01,thinking-token-count-2026-05-13,advanced-tool-use-2025-11-20,effort-2025-11-24',
    ],
  ])('passes on what the client sends to %s by itself: %s', (family, header) => {
    expect(betaDecider(builtinBetas, family)(splitBetas(header))).toMatchObject({ unchanged: true, dropped: [] });
  });

  it('keeps a beta nobody knows for Anthropic formats and drops it for the others [XLAT-02]', () => {
    for (const family of PROVIDER_FAMILIES) {
      const kept = [...OPEN, 'Foundry'].includes(family);
      expect([family, sentAs(family, 'afk-mode-2031-01-31')]).toEqual([
        family,
        kept ? 'afk-mode-2031-01-31' : undefined,
      ]);
    }
  });

  it('has no row that changes nothing', () => {
    for (const row of builtinBetas.betas) {
      const without = { ...builtinBetas, betas: builtinBetas.betas.filter((other) => other !== row) };
      const name = row.beta.replace('*', 'x');
      const changes = PROVIDER_FAMILIES.some((family) => {
        const [now, then] = [outcomesFor(family, builtinBetas)(name), outcomesFor(family, without)(name)];
        return JSON.stringify(now) !== JSON.stringify(then);
      });
      expect([row.beta, changes]).toEqual([row.beta, true]);
    }
  });

  it('never renames to, or adds, what the family drops', () => {
    const known = builtinBetas.betas.map(({ beta }) => beta.replace('*', '2026-01-01'));
    fc.assert(
      fc.property(fc.constantFrom(...PROVIDER_FAMILIES), fc.subarray(known), (family, asked) => {
        const decide = betaDecider(builtinBetas, family);
        const { betas, dropped } = decide(asked);
        expect(new Set(betas).size).toBe(betas.length);
        expect(decide(betas).betas).toEqual(betas);
        for (const beta of dropped) expect(betas).not.toContain(beta);
      }),
    );
  });
});

describe('fields that go with a beta', () => {
  const removed = (family: ProviderFamily, header: string) =>
    betaDecider(builtinBetas, family)(splitBetas(header)).fields.removed;

  it.each<[ProviderFamily, string, readonly string[]]>([
    ['Foundry', 'effort-2025-11-24', ['speed']],
    ['Foundry', 'fine-grained-tool-streaming-2025-05-14', ['speed', 'tools[].eager_input_streaming']],
    ['Foundry', 'thinking-binding-controls-2026-08-01', ['speed', 'thinking.block_binding']],
    ['Vertex', 'tool-search-tool-2025-10-19', ['tags']],
    // Renamed, so tool search stays; the rest of what it stood for does not.
    ['Vertex', ADVANCED, ['tags', 'tools[].input_examples', 'tools[].allowed_callers']],
    ['Vertex', 'advisor-tool-2026-03-01', ['tags', 'tools[advisor_*]']],
    ['Vertex', 'structured-outputs-2025-12-15', ['tags', 'tools[].strict', 'output_config.format', 'output_format']],
    ['Vertex', 'task-budgets-2026-03-13', ['tags', 'output_config.task_budget']],
    // A later version than the one that is known goes whole, too.
    ['Bedrock', 'effort-2031-01-01', ['tags', 'speed', 'output_config.effort']],
    ['Bedrock', 'compact-2026-09-04', ['tags', 'speed', 'context_management', 'context_management.edits[compact_*]']],
    [
      'Bedrock',
      'context-management-2025-06-27,compact-2026-09-04',
      ['tags', 'speed', 'context_management.edits[compact_*]'],
    ],
    ['Bedrock', 'compact-2026-01-12,compact-2026-09-04', ['tags', 'speed']],
    ['Anthropic', 'advisor-tool-2026-03-01,fast-mode-2026-02-01,what-ever', []],
  ])('at %s, for %s: %j', (family, header, paths) => {
    expect(removed(family, header)).toEqual(paths);
  });

  it('stay when their beta was not asked for: the provider may take them without one', () => {
    expect(removed('Vertex', '')).toEqual(['tags']);
  });

  it('are refused, not removed, where leaving them out would lower a safeguard unseen [XLAT-13]', () => {
    const deny = { deny: ['dangerous-tool-use-*'] };
    const decide = betaDecider(builtinBetas, 'Bedrock', [deny]);
    expect(decide(['dangerous-tool-use-2026-09-03']).fields).toEqual({
      removed: ['tags', 'speed'],
      refused: ['safeguards'],
    });
    expect(decide([]).fields.refused).toEqual([]);
  });

  it('are one object for one set, whatever was asked', () => {
    const decide = betaDecider(builtinBetas, 'Bedrock');
    expect(decide(['a']).fields).toBe(decide(['b', 'effort-2025-11-24']).fields);
    for (let index = 0; index < 2_000; index += 1) decide([`beta-${index}`]);
    expect(decide(['effort-2031-01-01']).fields.removed).toContain('output_config.effort');
  });
});

describe("a platform team's overrides", () => {
  const upstream: BetaOverrides = {
    allow: ['advisor-tool-*', 'fast-mode-2026-02-01'],
    deny: ['fast-*', 'context-1m-2025-08-07'],
    rename: { 'advisor-tool-2026-03-01': 'advisor-2', 'fast-mode-*': 'never-sent' },
  };

  it.each([
    ['deny wins over everything', 'fast-mode-2026-02-01', undefined],
    ['deny works on what the table keeps', 'context-1m-2025-08-07', undefined],
    ['rename wins over allow', 'advisor-tool-2026-03-01', 'advisor-2'],
    ['allow keeps what the table drops', 'advisor-tool-2027-01-01', 'advisor-tool-2027-01-01'],
    ['the table decides the rest', ADVANCED, SEARCH],
  ])('%s: %s [XLAT-23]', (_rule, beta, name) => {
    expect(sentAs('Bedrock', beta, builtinBetas, [upstream])).toBe(name);
  });

  it('of a model come before those of its upstream [XLAT-23]', () => {
    const model: BetaOverrides = { allow: ['context-1m-2025-08-07'] };
    expect(sentAs('Bedrock', 'context-1m-2025-08-07', builtinBetas, [model, upstream])).toBe('context-1m-2025-08-07');
    expect(sentAs('Bedrock', 'fast-mode-2026-02-01', builtinBetas, [model, upstream])).toBeUndefined();
  });

  it('take the body fields along, at Anthropic too [XLAT-23]', () => {
    const decide = betaDecider(builtinBetas, 'Anthropic', [{ deny: ['context-management-*'] }]);
    expect(decide(['context-management-2025-06-27', 'x'])).toMatchObject({
      betas: ['x'],
      unchanged: false,
      dropped: ['context-management-2025-06-27'],
      fields: { removed: ['context_management', 'context_management.edits[clear_*]', 'tools[memory_*]'] },
    });
  });
});

describe('mergeBetas', () => {
  it('lays a table over another, family by family', () => {
    const merged = mergeBetas(builtinBetas, {
      unknown: { Vertex: 'keep' },
      betas: [
        { beta: 'effort-2025-11-24', families: { Vertex: 'drop' } },
        { beta: 'afk-mode-*', families: { Bedrock: { rename: 'effort-2025-11-24' } } },
      ],
      fields: [
        { path: 'output_config.effort', betas: [] },
        { path: 'afk', betas: ['afk-mode-*'] },
      ],
      without: { Bedrock: [] },
    });
    expect(sentAs('Vertex', 'effort-2025-11-24', merged)).toBeUndefined();
    expect(sentAs('Bedrock', 'effort-2025-11-24', merged)).toBe('effort-2025-11-24');
    expect(sentAs('Bedrock', 'afk-mode-2026-01-31', merged)).toBe('effort-2025-11-24');
    expect(sentAs('Vertex', 'what-ever', merged)).toBe('what-ever');
    expect(betaDecider(merged, 'Bedrock')(['afk-mode-2026-01-31']).fields.removed).toEqual(['afk']);
    expect(betaDecider(merged, 'Vertex')(['effort-2025-11-24']).fields.removed).toEqual(['tags']);
    // The base is as it was.
    expect(sentAs('Vertex', 'effort-2025-11-24')).toBe('effort-2025-11-24');
  });

  it('with nothing is the table itself', () => {
    expect(mergeBetas(builtinBetas, {})).toEqual(builtinBetas);
  });

  it.each<[string, unknown, string]>([
    ['a family nobody has', { betas: [{ beta: 'a', families: { Azure: 'keep' } }] }, 'Azure'],
    ['another word for keep', { betas: [{ beta: 'a', families: { Vertex: 'yes' } }] }, 'Vertex'],
    ['a name that breaks the header', { betas: [{ beta: 'a,b', families: {} }] }, 'name of a beta'],
    [
      'a new name that breaks the header',
      { betas: [{ beta: 'a', families: { Vertex: { rename: 'a\r\nb' } } }] },
      'betas',
    ],
    [
      'a rename into a drop',
      { betas: [{ beta: 'a', families: { Vertex: { rename: 'b' } } }] },
      'a is renamed to b, which Vertex does not take',
    ],
    ['a path that is none', { fields: [{ path: 'tools[0].x', betas: ['a'] }] }, 'body path'],
    ['a path to every item', { without: { Vertex: ['tools[]'] } }, 'body path'],
    ['a refusal of items', { fields: [{ path: 'tools[a_*]', betas: [], otherwise: 'refuse' }] }, 'only be removed'],
    [
      'a row twice',
      {
        betas: [
          { beta: 'a', families: {} },
          { beta: 'a', families: {} },
        ],
      },
      'twice',
    ],
    ['a field it does not know', { beta: [] }, 'beta'],
    ['no object', [], 'object'],
  ])('refuses %s', (_what, overlay, says) => {
    expect(() => mergeBetas(builtinBetas, overlay)).toThrow(says);
  });
});

describe('outcomesFor', () => {
  const table: BetaTable = parseBetaTable({
    unknown: Object.fromEntries(PROVIDER_FAMILIES.map((family) => [family, 'drop'])),
    betas: [
      { beta: 'a-2026*', families: { Vertex: 'drop' } },
      { beta: 'a-*', families: { Vertex: 'keep', Bedrock: 'keep' } },
      { beta: 'a-2026-02', families: { Vertex: 'keep' } },
    ],
    fields: [],
    without: {},
  });

  it.each([
    ['a-2025', 'keep'],
    ['a-2026-01', 'drop'],
    ['a-2026-02', 'keep'],
    ['a-2026-021', 'drop'],
    ['a', 'drop'],
    ['constructor', 'drop'],
  ])('of %s is that of the closest row: %s', (beta, outcome) => {
    expect(outcomesFor('Vertex', table)(beta)).toBe(outcome);
  });

  it('of a closest row that does not name the family is that of an unknown beta', () => {
    expect(outcomesFor('Bedrock', table)('a-2026-01')).toBe('drop');
  });
});

describe('splitBetas', () => {
  it.each([
    [undefined, []],
    ['', []],
    ['a', ['a']],
    [' a ,b,, c\t', ['a', 'b', 'c']],
  ])('reads %j', (header, names) => {
    expect(splitBetas(header)).toEqual(names);
  });
});

describe('parseBodyPath', () => {
  it.each([
    ['tags', [{ key: 'tags' }]],
    ['tools[].strict', [{ key: 'tools', items: '' }, { key: 'strict' }]],
    ['a.b[clear_*]', [{ key: 'a' }, { key: 'b', items: 'clear_' }]],
  ])('reads %s', (text, steps) => {
    expect(parseBodyPath(text)).toEqual(steps);
  });

  it.each(['', 'a.', '.a', 'a[', 'a[]', 'a[x]', 'a[*]', 'a[x_*].b', 'a b', 'A', 'a[]b'])('refuses %j', (text) => {
    expect(() => parseBodyPath(text)).toThrow(RangeError);
  });
});

describe('BetaIndex', () => {
  it('finds what a plain comparison with every pattern finds, closest first', () => {
    const part = fc.string({ unit: fc.constantFrom('a', 'b', '-'), maxLength: 7 });
    const pattern = fc.tuple(part, fc.constantFrom('', '*')).map((parts) => parts.join(''));
    const patterns = fc.uniqueArray(
      pattern.filter((text) => text !== ''),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(patterns, part, (list, beta) => {
        const meant = list.filter((text) => (text.endsWith('*') ? beta.startsWith(text.slice(0, -1)) : text === beta));
        const index = new BetaIndex(list.map((text) => [text, text] as const));
        expect(index.all(beta).toSorted()).toEqual(meant.toSorted());
        const byLength = meant.toSorted((left, right) => right.length - left.length);
        expect(index.closest(beta)).toBe(meant.includes(beta) ? beta : byLength[0]);
      }),
      { numRuns: 2_000 },
    );
  });
});
