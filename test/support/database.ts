import { copyFileSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { inject, onTestFinished, TestRunner } from 'vitest'
import { dialect } from '../../server/db/dialect.ts'
import { migrate } from '../../server/db/migrate.ts'

let template: Promise<string> | undefined
let counter = 0

/** A database without any table; its URL. */
export async function emptyDatabase(): Promise<string> {
  if (dialect === 'sqlite') return `file:${newFile()}`
  return newDatabase('e', 'template1')
}

/** A fresh, migrated database of the engine this run is about; its URL. */
export async function freshDatabase(): Promise<string> {
  template ??= makeTemplate()
  if (dialect === 'sqlite') {
    const file = newFile()
    copyFileSync(await template, file)
    return `file:${file}`
  }
  return newDatabase('t', await template)
}

/** A copy of a database, file by file: block by block, as PostgreSQL copies otherwise, everything is written twice. What a test makes goes with it. */
async function newDatabase(prefix: string, source: string): Promise<string> {
  const name = `${prefix}${process.pid}_${Date.now().toString(36)}_${counter++}`
  await asAdmin((client) => client.query(`create database ${name} template ${source} strategy file_copy`))
  if (TestRunner.getCurrentTest())
    onTestFinished(() => asAdmin((client) => client.query(`drop database if exists ${name} with (force)`)))
  return urlOf(name)
}

/** Migrating once and copying is twenty times faster than migrating for each test. */
async function makeTemplate(): Promise<string> {
  if (dialect === 'sqlite') {
    const file = newFile()
    await migrate(`file:${file}`)
    return file
  }
  const name = `template_${process.pid}_${Date.now().toString(36)}`
  await asAdmin((client) => client.query(`create database ${name}`))
  await migrate(urlOf(name))
  return name
}

const newFile = () => join(mkdtempSync(join(tmpdir(), 'gatehouse-')), 'test.db')

function urlOf(database: string): string {
  const url = new URL(inject('postgresUrl'))
  url.pathname = `/${database}`
  return url.toString()
}

async function asAdmin(work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: inject('postgresUrl') })
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}
