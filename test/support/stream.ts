import { request } from 'node:http'
import { onTestFinished } from 'vitest'

/** An open stream of Server-Sent Events: what came so far, and whether it is over. */
export async function openStream(url: string, headers: Record<string, string>) {
  const call = request(url, { headers })
  onTestFinished(() => void call.destroy())
  const state = { status: 0, text: '', ended: false, close: () => void call.destroy() }
  await new Promise<void>((resolve, reject) => {
    call.on('error', reject)
    call.on('response', (response) => {
      state.status = response.statusCode!
      response.on('data', (chunk: Buffer) => (state.text += chunk.toString()))
      response.on('close', () => (state.ended = true))
      response.on('error', () => {})
      resolve()
    })
    call.end()
  })
  return state
}

/** The data of the events that came. */
export const dataOf = (text: string) =>
  [...text.matchAll(/^data: (.*)$/gm)].map(([, json]) => JSON.parse(json!) as Record<string, any>)
