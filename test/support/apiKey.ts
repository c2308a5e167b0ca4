import { apiKeyScopes, createApiKey, type ApiKeyScope } from '../../server/app/apiKeys.ts'
import type { TestServer } from './server.ts'

/** An API key of an app, with all scopes unless told otherwise. */
export async function newApiKey(
  server: TestServer,
  app: { id: number },
  input: { scopes?: readonly ApiKeyScope[]; expiresAt?: Date } = {},
): Promise<string> {
  const { scopes = apiKeyScopes, expiresAt } = input
  const { key } = await server.runtime.db.transaction((tx) =>
    createApiKey(server.runtime, tx, { appId: app.id, name: 'server', scopes, expiresAt }),
  )
  return key
}

/** A call as OAuth clients make it: form-encoded, here with the key as bearer token. */
export async function oauth(
  server: { url: string },
  path: string,
  form: Record<string, string> | string,
  options: { key?: string; headers?: Record<string, string> } = {},
) {
  const response = await fetch(server.url + path, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      ...(options.key !== undefined && { authorization: `Bearer ${options.key}` }),
      ...options.headers,
    },
    body: typeof form === 'string' ? form : new URLSearchParams(form).toString(),
  })
  const text = await response.text()
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: (text ? JSON.parse(text) : {}) as Record<string, any>,
  }
}
