import * as z from 'zod'
import { instant, instantInput, MOST_COUNTED, countedPageOf, page, pageInput, placeOf } from '#server/console/page.ts'
import { procedure, rest, router } from '#server/console/trpc.ts'
import { AppError } from '#server/error.ts'
import { recordAudit } from '#server/operator/audit.ts'
import { assertSees, assertSeesAll, type Operator } from '#server/operator/operator.ts'
import { openPersonal } from '#server/personal/seal.ts'
import type { Runtime } from '#server/runtime.ts'
import { noteBounce } from './bounce.ts'
import { composeSource, headersOf } from './compose.ts'
import { openContent } from './content.ts'
import { NOBODY } from './address.ts'
import { readDeliveryStatus } from './deliveryStatus.ts'
import { kinds, noticeKinds } from './kinds.ts'
import { countEmails, listEmails, type EmailFilter, type ListedEmail } from './listStore.ts'
import { hashAddress } from './queue.ts'
import { COVERED } from './render.ts'
import { resendEmail } from './resend.ts'
import { listAttempts } from './store.ts'

const id = z.string().max(64)
const statuses = [
  'queued',
  'sending',
  'sent',
  'kept',
  'failed',
  'bounced',
  'expired',
  'suppressed',
  'unconfirmed',
] as const

const mailKinds = [...kinds, ...noticeKinds] as const

const item = z.object({
  id: z.string(),
  app: z.object({ id: z.string(), name: z.string() }),
  userId: z.string().nullable(),
  kind: z.enum(mailKinds),
  locale: z.string(),
  to: z.string(),
  subject: z.string().nullable().describe('Null until it is written out'),
  status: z.enum(statuses),
  reason: z.string().nullable(),
  detail: z.string().nullable().describe('Why it is where it is, in words'),
  test: z.boolean().describe('Sent by an operator to themselves'),
  tries: z.number(),
  fallback: z.string().nullable().describe('Why the app’s own template was not used'),
  createdAt: instant,
  nextAt: instant.nullable(),
  finishedAt: instant.nullable(),
  expiresAt: instant.nullable(),
})

const detail = item.extend({
  templateVersion: z.number().nullable().describe('0 is the built-in mail'),
  resendOf: z.string().nullable(),
  from: z.string().nullable(),
  html: z.string().nullable(),
  text: z.string().nullable(),
  headers: z.array(z.object({ name: z.string(), value: z.string() })),
  source: z.string().nullable().describe('As it goes over the wire'),
  covered: z.boolean().describe('Whether a code is covered here that can be revealed'),
  attempts: z.array(
    z.object({
      number: z.number(),
      at: instant,
      durationMs: z.number(),
      outcome: z.string(),
      status: z.number().nullable(),
      response: z.string().nullable(),
    }),
  ),
})

async function show(runtime: Runtime, { mail, appName }: ListedEmail): Promise<z.infer<typeof item>> {
  const { db, vault } = runtime
  const content = mail.contentSealed && (await openContent(runtime, db, mail.contentSealed))
  return {
    id: vault.ids.seal('eml', mail.id),
    app: { id: vault.ids.seal('app', mail.appId), name: appName },
    userId: mail.userId === null ? null : vault.ids.seal('usr', mail.userId),
    kind: mail.kind as (typeof mailKinds)[number],
    locale: mail.locale,
    to: await openPersonal(runtime, db, mail.toSealed, 'emails.to'),
    subject: content ? content.coveredParts.subject : null,
    status: mail.status,
    reason: mail.reason,
    detail: mail.detail,
    test: mail.draftSealed !== null,
    tries: mail.tries,
    fallback: mail.fallback,
    createdAt: mail.createdAt.toISOString(),
    nextAt: mail.nextAt?.toISOString() ?? null,
    finishedAt: mail.finishedAt?.toISOString() ?? null,
    expiresAt: mail.expiresAt?.toISOString() ?? null,
  }
}

async function showDetail(runtime: Runtime, listed: ListedEmail, revealed: boolean): Promise<z.infer<typeof detail>> {
  const { mail } = listed
  const content = mail.contentSealed && (await openContent(runtime, runtime.db, mail.contentSealed))
  const letter = content && (revealed ? content.letter : { ...content.letter, ...content.coveredParts })
  const source = letter ? await composeSource(letter) : null
  const attempts = await listAttempts(runtime.db, mail.id)
  return {
    ...(await show(runtime, listed)),
    templateVersion: mail.templateVersion,
    resendOf: mail.resendOf === null ? null : runtime.vault.ids.seal('eml', mail.resendOf),
    from: letter ? `${letter.from.name} <${letter.from.address}>` : null,
    html: letter ? letter.html : null,
    text: letter ? letter.text : null,
    headers: source ? headersOf(source) : [],
    source: source ? source.toString('utf8') : null,
    covered: !revealed && !mail.wipedAt && content !== null && content.coveredParts.text.includes(COVERED),
    attempts: attempts.map(({ number, at, durationMs, outcome, status, response }) => ({
      number,
      at: at.toISOString(),
      durationMs,
      outcome,
      status,
      response,
    })),
  }
}

const bounced = z.object({
  emailId: z.string(),
  outcome: z
    .enum(['bounced', 'failed', 'known', 'ignored'])
    .describe('bounced: the address gets no more; ignored: it tells of no failure; known: it was told before'),
})
const notAReport = () =>
  new AppError('invalid_request', 'This is no delivery status notification about a mail of ours', {
    errors: [{ path: 'message', message: 'must be a multipart/report (RFC 3464) that names the mail it is about' }],
  })

async function getEmail(runtime: Runtime, operator: Operator, text: string): Promise<ListedEmail> {
  const number = runtime.vault.ids.parse('eml', text)
  const [row] = number === undefined ? [] : await listEmails(runtime.db, { id: number, limit: 1 })
  if (!row) throw new AppError('not_found', 'There is no such mail')
  assertSees(operator, row.mail.appId)
  return row
}

export const emailsRouter = router({
  list: procedure('view')
    .meta(rest('GET', '/emails', 'Mails', 'Every mail with what became of it, newest first'))
    .input(
      z.object({
        ...pageInput,
        appId: id.optional(),
        userId: id.optional(),
        kind: z.enum(mailKinds).optional(),
        status: z.enum(statuses).optional(),
        q: z.string().trim().max(300).optional().describe('An address or the id of a mail'),
        from: instantInput.optional(),
        to: instantInput.optional(),
      }),
    )
    .output(countedPageOf(item))
    .query(async ({ ctx, input }) => {
      const { runtime, operator } = ctx
      const { ids } = runtime.vault
      const { limit, cursor, sort, q, appId, userId, ...plain } = input
      const filter: EmailFilter = {
        ...plain,
        only: operator.appIds,
        butTo: hashAddress(runtime.vault, NOBODY),
        ...(appId && { appId: ids.parse('app', appId) ?? -1 }),
        ...(userId && { userId: ids.parse('usr', userId) ?? -1 }),
        ...(q && search(runtime, q)),
      }
      const [rows, total] = await Promise.all([
        listEmails(runtime.db, { ...filter, ...placeOf({ cursor, sort }), limit: limit + 1 }),
        countEmails(runtime.db, filter, MOST_COUNTED),
      ])
      const listed = page(
        rows,
        limit,
        (row) => row,
        ({ mail }) => [mail.id],
      )
      const items = await Promise.all(listed.items.map((row) => show(runtime, row)))
      return { items, nextCursor: listed.nextCursor, total }
    }),

  get: procedure('view')
    .meta(
      rest('GET', '/emails/{id}', 'Mails', 'One mail: HTML, text, headers, source and every try; its code is covered'),
    )
    .input(z.object({ id }))
    .output(detail)
    .query(async ({ ctx, input }) =>
      showDetail(ctx.runtime, await getEmail(ctx.runtime, ctx.operator, input.id), false),
    ),

  reveal: procedure('support')
    .meta(rest('POST', '/emails/{id}/reveal', 'Mails', 'One mail with its code; this is written into the audit log'))
    .input(z.strictObject({ id }))
    .output(detail)
    .mutation(async ({ ctx, input }) => {
      const { runtime, actor } = ctx
      const row = await getEmail(runtime, ctx.operator, input.id)
      await runtime.db.transaction((tx) =>
        recordAudit(tx, {
          at: runtime.now(),
          actor,
          action: 'email.reveal',
          appId: row.mail.appId,
          target: { kind: 'email', id: row.mail.id, label: row.mail.kind },
        }),
      )
      return showDetail(runtime, row, true)
    }),

  resend: procedure('support')
    .meta(rest('POST', '/emails/{id}/resend', 'Mails', 'Send it again, as a new mail'))
    .input(z.strictObject({ id }))
    .output(z.object({ emailId: z.string() }))
    .mutation(async ({ ctx, input }) => {
      const row = await getEmail(ctx.runtime, ctx.operator, input.id)
      const number = await resendEmail(ctx.runtime, ctx.actor, row.mail)
      return { emailId: ctx.runtime.vault.ids.seal('eml', number) }
    }),

  bounced: procedure('support')
    .meta(
      rest(
        'POST',
        '/emails/bounces',
        'Mails',
        'A delivery status notification (RFC 3464) that came back for some mail',
      ),
    )
    .input(z.strictObject({ message: z.string().min(1).describe('The whole message, as the mail server wrote it') }))
    .output(bounced)
    .mutation(async ({ ctx, input }) => {
      assertSeesAll(ctx.operator)
      const report = await readDeliveryStatus(input.message)
      if (!report) throw notAReport()
      const { mail } = await getEmail(ctx.runtime, ctx.operator, report.ref)
      if (report.action !== 'failed') return { emailId: report.ref, outcome: 'ignored' as const }
      return { emailId: report.ref, outcome: await noteBounce(ctx.runtime, ctx.actor, mail, report) }
    }),

  bounce: procedure('support')
    .meta(rest('POST', '/emails/{id}/bounce', 'Mails', 'The same for one mail, as mail services report it'))
    .input(
      z.strictObject({
        id,
        status: z
          .string()
          .regex(/^[45]\.\d{1,3}\.\d{1,3}$/)
          .describe('Enhanced status code (RFC 3463), such as 5.1.1'),
        detail: z.string().max(2_000).default('').describe('What the other server said'),
      }),
    )
    .output(bounced)
    .mutation(async ({ ctx, input }) => {
      assertSeesAll(ctx.operator)
      const { mail } = await getEmail(ctx.runtime, ctx.operator, input.id)
      return { emailId: input.id, outcome: await noteBounce(ctx.runtime, ctx.actor, mail, input) }
    }),

  server: procedure('view')
    .meta(rest('GET', '/email-server', 'Mails', 'Whether mails leave, and by which server'))
    .input(z.object({}))
    .output(z.object({ delivers: z.boolean(), host: z.string().nullable(), dkim: z.boolean() }))
    .query(({ ctx }) => {
      const { smtpUrl, dkim } = ctx.runtime.config
      return { delivers: smtpUrl !== undefined, host: smtpUrl ? new URL(smtpUrl).host : null, dkim: dkim !== undefined }
    }),
})

/** A search text as what it can mean: the id of a mail, else a whole address. */
function search({ vault }: Runtime, q: string): EmailFilter {
  const number = vault.ids.parse('eml', q)
  if (number !== undefined) return { id: number }
  return { toHash: hashAddress(vault, q) }
}
