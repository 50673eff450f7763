// Four projects. `unit` stands beside the sources and in e2e/behaviour and starts nothing but in-process servers; `e2e` drives built artefacts
// and real clients in e2e/journeys and may take minutes; `kubernetes` has a real API server, `cluster` a real node with pods. Each writes its
// tally where `.ci/run` adds them up.
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
      {
        extends: true,
        test: {
          name: 'kubernetes',
          include: ['e2e/{kubernetes,charts}/**/*.test.ts'],
          globalSetup: 'e2e/harness/kubernetes/global-setup.ts',
          // Above what tests wait for themselves, whose messages say more than that time was up.
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'cluster',
          include: ['e2e/cluster/**/*.test.ts'],
          globalSetup: 'e2e/harness/kubernetes/cluster-global-setup.ts',
          testTimeout: 300_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
