import { signIn, type Login } from '../../server/session/signIn.ts'
import type { App } from '../../server/app/app.ts'
import type { TestServer } from './server.ts'

/** Signs somebody in whose e-mail address their app vouches for. */
export function signInWithEmail(
  server: TestServer,
  app: App,
  email: string,
  more: { subject?: string; verified?: boolean; name?: string } = {},
): Promise<Login> {
  const { subject = email, verified = true, name } = more
  return signIn(server.runtime, {
    app,
    proof: { kind: 'sso', subject, profile: { email, emailVerified: verified, ...(name !== undefined && { name }) } },
    origin: { ip: '192.0.2.1', userAgent: 'test' },
  })
}
