// Two projects. `unit` stands beside the sources and in e2e/behaviour and starts nothing but in-process servers; `e2e` drives built artefacts
// and real clients in e2e/journeys and may take minutes. Each writes its tally where `make test` adds them up.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    reporters: ['default', 'json'],
    outputFile: { json: process.env['PORTCULLIS_RESULTS'] ?? '.results/last.json' },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: [
            '{shared,operator,dataplane}/**/*.test.ts',
            'e2e/{behaviour,harness,bench}/**/*.test.ts',
            'e2e/house.test.ts',
          ],
          testTimeout: 20_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['e2e/journeys/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 300_000,
          // Real clients and load share two cores: one file at a time keeps their timing honest.
          fileParallelism: false,
        },
      },
    ],
  },
});
