import { TRPCError } from '@trpc/server'
import { Router, type Request, type RequestHandler } from 'express'
import { generateOpenApiDocument, type OpenApiMeta } from 'trpc-to-openapi'
import { AppError } from '#server/error.ts'
import { methodNotAllowed, sendJson, sendNothing } from '#server/http/answer.ts'
import type { Runtime } from '#server/runtime.ts'
import { createContext } from './context.ts'
import { consoleRouter } from './router.ts'
import { createCallerFactory, refusalOf } from './trpc.ts'

type Input = { shape?: Record<string, unknown>; def: { catchall?: { def: { type: string } } } }
type Procedure = { _def: { type: string; meta?: OpenApiMeta; inputs: Input[] } }

/** The procedures that say how they are called over REST. */
function restProcedures() {
  const procedures = consoleRouter._def.procedures as unknown as Record<string, Procedure>
  return Object.entries(procedures).flatMap(([name, { _def }]) =>
    _def.meta?.openapi
      ? [{ name, known: knownMembers(_def.inputs), ...(_def.meta.openapi as { method: string; path: string }) }]
      : [],
  )
}

/** The members that a call may bring, in its path, query or body; undefined where the schema refuses all others itself, beside every other fault. */
function knownMembers(inputs: Input[]): Set<string> | undefined {
  if (inputs.some(({ def }) => def.catchall?.def.type === 'never')) return undefined
  return new Set(inputs.flatMap(({ shape = {} }) => Object.keys(shape)))
}

/** The console's procedures as REST under /api/v1: same input, same checks, same answers. */
export function restRoutes(runtime: Runtime, body: RequestHandler[]): Router {
  const router = Router()
  const createCaller = createCallerFactory(consoleRouter)
  const procedures = restProcedures()
  // A fixed path is tried before one with a parameter in the same place.
  const byPath = Map.groupBy(procedures, (procedure) => procedure.path)
  const paths = [...byPath.keys()].sort((a, b) => Number(a.includes('{')) - Number(b.includes('{')))

  for (const path of paths) {
    const route = `/api/v1${path.replaceAll(/\{(\w+)\}/g, ':$1')}`
    const offered = byPath.get(path)!
    for (const { name, method, known } of offered) {
      const handler: RequestHandler = async (request, response) => {
        const context = await createContext(runtime, request, response)
        // Who has not signed in hears of nothing else, whatever they sent.
        const input = context.operator ? inputOf(request) : {}
        const strange = known ? Object.keys(input).filter((key) => !known.has(key)) : []
        const result = await invoke(createCaller({ ...context, strange }), name, input)
        if (result === undefined) sendNothing(response)
        else sendJson(response, result, isCreation(name) ? 201 : 200)
      }
      const verb = method.toLowerCase() as 'get' | 'post' | 'put' | 'patch' | 'delete'
      if (verb === 'get' || verb === 'delete') router[verb](route, handler)
      else router[verb](route, ...body, handler)
    }
    router.all(route, methodNotAllowed(offered.map((procedure) => procedure.method).join(', ')))
  }
  return router
}

const isCreation = (name: string) => name.endsWith('.create')

/**
 * Path, query and body as one input. Each place has its own members: one given twice is a mistake or a trick. A parameter of the query without a value
 * counts as left out, as in a form of ours (`http/form.ts`): scripts and HTML forms send all they have.
 */
function inputOf(request: Request): Record<string, unknown> {
  const fromBody: unknown = request.body ?? {}
  if (typeof fromBody !== 'object' || fromBody === null || Array.isArray(fromBody))
    throw new AppError('invalid_request', 'The body must be a JSON object')
  const input: Record<string, unknown> = { ...fromBody }
  for (const place of [request.query, request.params]) {
    for (const [key, value] of Object.entries(place)) {
      if (value === '') continue
      if (Object.hasOwn(input, key))
        throw new AppError('invalid_request', `${key} is given twice`, {
          errors: [{ path: key, message: 'is given twice' }],
        })
      input[key] = value
    }
  }
  return input
}

async function invoke(caller: object, name: string, input: unknown): Promise<unknown> {
  const procedure = name.split('.').reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], caller) as (
    input: unknown,
  ) => Promise<unknown>
  try {
    return await procedure(input)
  } catch (error) {
    throw error instanceof TRPCError ? refusalOf(error) : error
  }
}

type Operation = { responses: Record<string, unknown>; operationId?: string }

/** OpenAPI 3.1, generated from the procedures; errors are described as what they are, problem+json. */
export function openApiDocument(publicUrl: string): object {
  const document = generateOpenApiDocument(consoleRouter, {
    title: 'Gatehouse management API',
    description:
      'What the console does, for scripts. Authenticate with an operator API token: `Authorization: Bearer gh_op_…`.',
    version: '1',
    baseUrl: `${publicUrl}/api/v1`,
    openApiVersion: '3.1.0',
    securitySchemes: {
      operatorToken: { type: 'http', scheme: 'bearer', description: 'An operator API token (gh_op_…)' },
    },
  })
  const problem = {
    description: 'Refused',
    content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
  }
  for (const path of Object.values(document.paths ?? {})) {
    for (const operation of Object.values(path as Record<string, Operation>)) {
      const success = operation.responses['200'] as
        { content?: { 'application/json'?: { schema?: object } } } | undefined
      const creates = operation.operationId?.endsWith('-create') ?? false
      const empty =
        success?.content?.['application/json']?.schema !== undefined &&
        Object.keys(success.content['application/json'].schema).length === 0
      operation.responses = {
        ...(empty ? { 204: { description: 'Done' } } : { [creates ? '201' : '200']: success }),
        default: problem,
      }
    }
  }
  const error = {
    type: 'object',
    required: ['type', 'title', 'status', 'detail', 'code', 'requestId'],
    properties: {
      type: { type: 'string' },
      title: { type: 'string' },
      status: { type: 'integer' },
      detail: { type: 'string' },
      code: { type: 'string', description: 'A stable word' },
      requestId: { type: 'string' },
      errors: {
        type: 'array',
        items: { type: 'object', properties: { path: { type: 'string' }, message: { type: 'string' } } },
      },
    },
  }
  return {
    ...document,
    components: { ...document.components, schemas: { ...document.components?.schemas, Problem: error } },
  }
}
