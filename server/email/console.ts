import * as z from 'zod'
import { openApp, type App } from '#server/app/app.ts'
import { findApp } from '#server/app/store.ts'
import { instant, pageOf, shortPage, shortPageInput, sorted, sortInput } from '#server/console/page.ts'
import { procedure, rest, router } from '#server/console/trpc.ts'
import { AppError } from '#server/error.ts'
import { assertSees, type Operator } from '#server/operator/operator.ts'
import type { Runtime } from '#server/runtime.ts'
import { builtin, type TemplateContent } from './builtin.ts'
import { checkTemplate } from './check.ts'
import { checkClients } from './clients.ts'
import { kinds, locales, type Locale, type MailKind } from './kinds.ts'
import { markNames } from './marks.ts'
import { queueTest } from './queueTest.ts'
import { renderSoon } from './render.ts'
import { dataSets, sampleValues } from './sample.ts'
import { resetTemplate, restoreVersion, saveTemplate } from './save.ts'
import { senderOf } from './sender.ts'
import { currentContent, shareLink } from './share.ts'
import { templateInput } from './templateInput.ts'
import { findTemplate, listTemplates, listVersions, type TemplateRow } from './templateStore.ts'
import { variablesOf } from './variables.ts'

const HOUR_MS = 3_600_000

const content = templateInput
/** What a template made may be longer than a template. */
const rendered = z.object({ subject: z.string(), preheader: z.string(), html: z.string(), text: z.string() })
const which = {
  appId: z.string().max(64),
  kind: z.enum(kinds),
  locale: z.enum(locales).optional().describe('Left out: the language of the app’s mails'),
}
const revision = z
  .number()
  .int()
  .min(0)
  .optional()
  .describe(
    'Of the template that was seen, 0 when there was none: refused when somebody changed it since. Left out: whatever it is now',
  )

const finding = z.object({
  part: z.enum(['subject', 'preheader', 'html', 'text', 'settings']),
  level: z.enum(['error', 'warning', 'note']),
  code: z.string(),
  message: z.string(),
  line: z.number().optional(),
  column: z.number().optional(),
  clients: z.array(z.string()).optional(),
})
const checked = z.object({
  ok: z.boolean().describe('Whether it may be published'),
  findings: z.array(finding),
  marks: z.array(z.object({ name: z.enum(markNames), state: z.enum(['ok', 'missing', 'unset']), detail: z.string() })),
})
const state = z.object({
  kind: z.enum(kinds),
  locale: z.enum(locales),
  source: z.enum(['builtin', 'own']).describe('Which one is sent'),
  published: z.number().nullable(),
  hasDraft: z.boolean(),
  revision: z.number(),
  updatedAt: instant.nullable(),
  updatedBy: z.string().nullable(),
})

function show(kind: MailKind, locale: Locale, row: TemplateRow | undefined): z.infer<typeof state> {
  return {
    kind,
    locale,
    source: row?.published ? 'own' : 'builtin',
    published: row?.published ?? null,
    hasDraft: Boolean(row?.draft),
    revision: row?.revision ?? 0,
    updatedAt: row?.updatedAt.toISOString() ?? null,
    updatedBy: row?.updatedBy ?? null,
  }
}

async function read(
  runtime: Runtime,
  operator: Operator,
  input: { appId: string; kind: MailKind; locale?: Locale | undefined },
) {
  const app = await getApp(runtime, operator, input.appId)
  return { app, kind: input.kind, locale: input.locale ?? app.settings.email.locale }
}

async function getApp(runtime: Runtime, operator: Operator, text: string): Promise<App> {
  const number = runtime.vault.ids.parse('app', text)
  const row = number === undefined ? undefined : await findApp(runtime.db, number)
  if (!row) throw new AppError('not_found', 'There is no such app')
  assertSees(operator, row.id)
  return openApp(runtime.vault, row)
}

/** What is looked at: what was handed in, else the draft, else what is sent. */
const lookedAt = async (
  runtime: Runtime,
  { app, kind, locale }: { app: App; kind: MailKind; locale: Locale },
  given: TemplateContent | undefined,
) => given ?? (await currentContent(runtime, app, kind, locale, true)) ?? builtin(kind, locale)

export const emailTemplatesRouter = router({
  list: procedure('view')
    .meta(
      rest(
        'GET',
        '/apps/{appId}/email-templates',
        'Mail templates',
        'Every kind of mail in every language, and which text is sent',
      ),
    )
    .input(z.object({ ...shortPageInput, sort: sortInput('kind', 'locale', 'updatedAt'), appId: which.appId }))
    .output(pageOf(state))
    .query(async ({ ctx, input }) => {
      const app = await getApp(ctx.runtime, ctx.operator, input.appId)
      const rows = await listTemplates(ctx.runtime.db, app.id)
      const find = (kind: MailKind, locale: Locale) => rows.find((row) => row.kind === kind && row.locale === locale)
      const items = kinds.flatMap((kind) => locales.map((locale) => show(kind, locale, find(kind, locale))))
      return shortPage(sorted(items, input.sort), input)
    }),

  get: procedure('view')
    .meta(
      rest(
        'GET',
        '/apps/{appId}/email-templates/{kind}',
        'Mail templates',
        'One template: what is sent, the draft, the built-in text, and the variables',
      ),
    )
    .input(z.object(which))
    .output(
      state.extend({
        content: content.describe('What is sent now'),
        draft: content.nullable(),
        builtin: content,
        variables: z.array(z.object({ name: z.string(), about: z.string() })),
        sender: z.object({ name: z.string(), address: z.string() }),
      }),
    )
    .query(async ({ ctx, input }) => {
      const { app, kind, locale } = await read(ctx.runtime, ctx.operator, input)
      const row = await findTemplate(ctx.runtime.db, { appId: app.id, kind, locale })
      return {
        ...show(kind, locale, row),
        content: (await currentContent(ctx.runtime, app, kind, locale, false)) ?? builtin(kind, locale),
        draft: row?.draft ? (JSON.parse(row.draft) as TemplateContent) : null,
        builtin: builtin(kind, locale),
        variables: variablesOf(kind).map(({ name, about }) => ({ name, about })),
        sender: senderOf(ctx.runtime, app),
      }
    }),

  put: procedure('manage')
    .meta(
      rest(
        'PUT',
        '/apps/{appId}/email-templates/{kind}',
        'Mail templates',
        'Save a draft, or publish what passes the checks',
      ),
    )
    .input(z.strictObject({ ...which, content, publish: z.boolean().default(false), revision }))
    .output(state)
    .mutation(async ({ ctx, input }) => {
      const at = await read(ctx.runtime, ctx.operator, input)
      return show(at.kind, at.locale, await saveTemplate(ctx.runtime, ctx.actor, at, input))
    }),

  delete: procedure('manage')
    .meta(
      rest(
        'DELETE',
        '/apps/{appId}/email-templates/{kind}',
        'Mail templates',
        'Go back to the built-in text; versions stay',
      ),
    )
    .input(z.strictObject(which))
    .output(z.void())
    .mutation(async ({ ctx, input }) => {
      await resetTemplate(ctx.runtime, ctx.actor, await read(ctx.runtime, ctx.operator, input))
    }),

  preview: procedure('view')
    .meta(
      rest(
        'POST',
        '/apps/{appId}/email-templates/{kind}/preview',
        'Mail templates',
        'Render with sample data what is given, or else the draft or what is sent',
      ),
    )
    .input(z.strictObject({ ...which, content: content.optional(), data: z.enum(dataSets).default('sample') }))
    .output(checked.extend({ mail: rendered.nullable().describe('Null while it cannot be rendered') }))
    .mutation(async ({ ctx, input }) => {
      const { runtime } = ctx
      const at = await read(runtime, ctx.operator, input)
      const given = await lookedAt(runtime, at, input.content)
      const now = runtime.now()
      const result = checkTemplate(given, { ...at, at: now, sender: senderOf(runtime, at.app) })
      // What takes too long, or cannot be parsed, is not tried again.
      const isSound = !result.findings.some(({ code }) => code === 'syntax' || code === 'render')
      let mail: TemplateContent | null = null
      try {
        if (isSound) mail = renderSoon(given, sampleValues(at.app, at.kind, at.locale, now, input.data))
      } catch {
        // Why is among the findings.
      }
      return { ...result, mail }
    }),

  check: procedure('view')
    .meta(
      rest(
        'POST',
        '/apps/{appId}/email-templates/{kind}/check',
        'Mail templates',
        'Everything that can be said of a template, mail programs included',
      ),
    )
    .input(z.strictObject({ ...which, content: content.optional() }))
    .output(checked)
    .mutation(async ({ ctx, input }) => {
      const { runtime } = ctx
      const at = await read(runtime, ctx.operator, input)
      const given = await lookedAt(runtime, at, input.content)
      const now = runtime.now()
      const result = checkTemplate(given, { ...at, at: now, sender: senderOf(runtime, at.app) })
      return { ...result, findings: [...result.findings, ...(await checkClients(given.html))] }
    }),

  test: procedure('manage')
    .meta(
      rest(
        'POST',
        '/apps/{appId}/email-templates/{kind}/test',
        'Mail templates',
        'Send it to yourself, with sample data',
      ),
    )
    .input(z.strictObject({ ...which, content: content.optional() }))
    .output(z.object({ emailId: z.string(), to: z.string() }))
    .mutation(async ({ ctx, input }) => {
      const { runtime, operator } = ctx
      await runtime.limits.guess(`mail test by ${operator.id}`, 20, 600)
      const at = await read(runtime, operator, input)
      const given = await lookedAt(runtime, at, input.content)
      const id = await queueTest(runtime, ctx.actor, { ...at, content: given, to: operator.email })
      return { emailId: runtime.vault.ids.seal('eml', id), to: operator.email }
    }),

  versions: procedure('view')
    .meta(
      rest(
        'GET',
        '/apps/{appId}/email-templates/{kind}/versions',
        'Mail templates',
        'What was ever published, newest first',
      ),
    )
    .input(z.object(which))
    .output(
      z.object({
        items: z.array(
          z.object({
            number: z.number(),
            createdAt: instant,
            createdBy: z.string(),
            restoredFrom: z.number().nullable(),
            current: z.boolean(),
            content,
          }),
        ),
        nextCursor: z.null(),
      }),
    )
    .query(async ({ ctx, input }) => {
      const { app, kind, locale } = await read(ctx.runtime, ctx.operator, input)
      const row = await findTemplate(ctx.runtime.db, { appId: app.id, kind, locale })
      const versions = row ? await listVersions(ctx.runtime.db, row.id, 100) : []
      return {
        items: versions.map((version) => ({
          number: version.number,
          createdAt: version.createdAt.toISOString(),
          createdBy: version.createdBy,
          restoredFrom: version.restoredFrom,
          current: version.number === row!.published,
          content: JSON.parse(version.content) as TemplateContent,
        })),
        nextCursor: null,
      }
    }),

  restore: procedure('manage')
    .meta(
      rest(
        'POST',
        '/apps/{appId}/email-templates/{kind}/versions/{number}/restore',
        'Mail templates',
        'Publish an earlier version again',
      ),
    )
    .input(z.strictObject({ ...which, number: z.coerce.number().int().min(1), revision }))
    .output(state)
    .mutation(async ({ ctx, input }) => {
      const at = await read(ctx.runtime, ctx.operator, input)
      return show(at.kind, at.locale, await restoreVersion(ctx.runtime, ctx.actor, at, input))
    }),

  share: procedure('manage')
    .meta(
      rest(
        'POST',
        '/apps/{appId}/email-templates/{kind}/share',
        'Mail templates',
        'A link that shows it with sample data, without a login',
      ),
    )
    .input(
      z.strictObject({
        ...which,
        draft: z.boolean().default(false),
        hours: z.number().int().min(1).max(720).default(72),
      }),
    )
    .output(z.object({ url: z.string(), expiresAt: instant }))
    .mutation(async ({ ctx, input }) => {
      const at = await read(ctx.runtime, ctx.operator, input)
      const until = new Date(ctx.runtime.now().getTime() + input.hours * HOUR_MS)
      return { url: shareLink(ctx.runtime, { ...at, draft: input.draft, until }), expiresAt: until.toISOString() }
    }),
})
