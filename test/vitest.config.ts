import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import LongFirst from './support/longFirst.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Checks that need no database: run once. */
const pure = [
  'test/http/outbound.test.ts',
  'test/telegram/**',
  'test/ton/**',
  'test/secret/**',
  'test/origin/**',
  'test/http/network.test.ts',
  'test/*.test.ts',
]

const shared = {
  // A test that takes long says so in the report; one that a busy machine cuts short says nothing.
  testTimeout: 120_000,
  hookTimeout: 120_000,
  // Loading the server costs more than most files' tests. No module of it keeps what one test could leave to the next: all hangs on a Runtime.
  isolate: false,
}

export default defineConfig({
  root,
  test: {
    // On two cores vitest would take one worker; tests wait for a disk, a server or a browser a third of their time.
    maxWorkers: 3,
    sequence: { sequencer: LongFirst },
    // The same tests, once per engine; `npm test -- --project sqlite` runs one.
    projects: [
      {
        root,
        test: {
          name: 'pure',
          ...shared,
          include: pure.map((path) => (path.endsWith('.ts') ? path : `${path}/*.test.ts`)),
          env: { DATABASE_URL: 'file:test.db' },
        },
      },
      {
        root,
        test: {
          name: 'sqlite',
          ...shared,
          include: ['test/**/*.test.ts'],
          exclude: [...pure, 'test/web/**'],
          env: { DATABASE_URL: 'file:test.db' },
        },
      },
      {
        root,
        test: {
          name: 'postgresql',
          ...shared,
          include: ['test/**/*.test.ts'],
          exclude: [...pure, 'test/web/**'],
          env: { DATABASE_URL: 'postgres://' },
          globalSetup: ['test/support/postgres.setup.ts'],
        },
      },
      {
        root,
        test: {
          name: 'web',
          include: ['test/web/*.test.ts'],
          // Pictures are for people: LOOK names the folder they go to.
          exclude: process.env['LOOK'] ? [] : ['test/web/look.test.ts'],
          env: { DATABASE_URL: 'file:test.db' },
          globalSetup: ['test/web/build.setup.ts'],
          ...shared,
        },
      },
    ],
  },
})
