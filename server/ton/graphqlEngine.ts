import { maxAliasesPlugin } from '@escape.tech/graphql-armor-max-aliases'
import { maxDepthPlugin } from '@escape.tech/graphql-armor-max-depth'
import { maxTokensPlugin } from '@escape.tech/graphql-armor-max-tokens'
// By the file's name, for its second build, the one for bundlers, is what Vitest would take beside yoga's.
import {
  getOperationAST,
  GraphQLError,
  type GraphQLSchema,
  NoSchemaIntrospectionCustomRule,
  type DocumentNode,
  type ExecutionResult,
  type ValidationRule,
} from 'graphql/index.js'
import { createYoga, type Plugin } from 'graphql-yoga'
import * as z from 'zod'
import { AppError, toAppError } from '#server/error.ts'
import { schema, type Call, type Context } from './graphqlSchema.ts'

/** One operation as GraphQL over HTTP has it; `extensions` hold what clients say of themselves and are not read. */
export const operation = z.strictObject({
  query: z.string(),
  variables: z.record(z.string(), z.unknown()).nullish(),
  operationName: z.string().nullish(),
  extensions: z.record(z.string(), z.unknown()).nullish(),
})
export type Operation = z.infer<typeof operation>

export type Result = { data?: ExecutionResult['data']; errors?: readonly unknown[] | undefined }

const MOST_KEPT = 200
const MOST_DIRECTIVES = 10
const LONGEST_MESSAGE = 500

/** Yoga with what it would do over HTTP switched off, but for GraphiQL in development. */
export function createEngine(path: string, development: boolean) {
  const limits = [maxTokensPlugin({ n: 1_000 }), maxDepthPlugin({ n: 8 }), maxAliasesPlugin({ n: 5 })] as Plugin[]
  const yoga = createYoga<Context>({
    schema,
    graphqlEndpoint: path,
    graphiql: development && { title: 'Gatehouse' },
    // From this server, not from a CDN; large, so read only by those who look at it.
    renderGraphiQL: async (options) => (await import('@graphql-yoga/render-graphiql')).renderGraphiQL(options),
    landingPage: false,
    logging: false,
    maskedErrors: false,
    cors: false,
    multipart: false,
    // It would keep every document, with the tokens that are written into some.
    parserAndValidationCache: false,
    plugins: [...limits, rule(maxDirectives), ...(development ? [] : [rule(NoSchemaIntrospectionCustomRule)])],
  })

  /** Documents that hold, for checking one costs more than answering it. */
  const accepted = new Map<string, DocumentNode>()

  /** Runs one operation. What is wrong with it as a whole is thrown, what is wrong with a field stands in `errors`. */
  async function run(call: Call, { query, variables, operationName }: Operation): Promise<Result> {
    const engine = yoga.getEnveloped({ call })
    let document = accepted.get(query)
    if (!document) {
      document = engine.parse(query) as DocumentNode
      const errors = engine.validate(engine.schema, document) as readonly GraphQLError[]
      if (errors.length > 0) return { errors }
      if (isConstant(query)) {
        if (accepted.size >= MOST_KEPT) accepted.clear()
        accepted.set(query, document)
      }
    }
    if (!getOperationAST(document, operationName))
      throw new AppError('invalid_request', 'Name the operation to run by operationName')
    return (await engine.execute({
      schema: engine.schema as GraphQLSchema,
      document,
      contextValue: (await engine.contextFactory()) as unknown,
      variableValues: variables ?? undefined,
      operationName: operationName ?? undefined,
    })) as ExecutionResult
  }

  return { run, explorer: yoga }
}

/** Whether it will come again as it is: what differs from call to call, and what is secret, comes as variables. */
const isConstant = (query: string) => query.length <= 2_000 && !query.includes('"')

/** Each alias of a login field is one more try within the request, hence so few of them; this holds down the rest. */
const maxDirectives: ValidationRule = () => {
  let count = 0
  return {
    Directive() {
      // Thrown and not reported, so that nothing more is done for this document.
      if (++count > MOST_DIRECTIVES) throw new GraphQLError(`Directives limit of ${MOST_DIRECTIVES} exceeded.`)
    },
  }
}

const rule = (added: ValidationRule): Plugin => ({
  onValidate({ addValidationRule }) {
    addValidationRule(added)
  },
})

/** The refusal behind an error of the engine, whose own complaints are about the operation that it was sent. */
export function refusalOf(error: unknown): AppError {
  let cause = error
  while (cause instanceof GraphQLError && cause.originalError) cause = cause.originalError
  return cause instanceof GraphQLError ? new AppError('invalid_request', plain(cause.message)) : toAppError(cause)
}

/** Where in the document and in the answer an error belongs. */
export function placeOf(error: unknown): Pick<GraphQLError, 'locations' | 'path'> | undefined {
  return error instanceof GraphQLError ? { locations: error.locations, path: error.path } : undefined
}

/** Without the names that the schema has instead: they would tell it to those to whom introspection does not. */
function plain(message: string): string {
  return message
    .replace(/^Syntax Error: (?=.* limit of )/, '')
    .replaceAll(/ ?Did you mean .*\?/g, '')
    .slice(0, LONGEST_MESSAGE)
}
