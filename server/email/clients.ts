import { Worker } from 'node:worker_threads'
import type { Answer } from './clientsWorker.ts'
import type { Finding } from './finding.ts'

const PATIENCE_MS = 10_000
const MEMORY_MB = 192

let worker: Worker | undefined
let turn: Promise<unknown> = Promise.resolve()

/**
 * What a mail uses that some mail program does not know (data of caniemail.com): notes, one a feature, each with where it first stands. Done by a thread of its own,
 * one page after the other, and given up after ten seconds.
 */
export function checkClients(html: string): Promise<Finding[]> {
  const answer = turn.then(() => ask(html))
  turn = answer
  return answer.then(findingsOf)
}

function ask(html: string): Promise<Answer> {
  const asked = (worker ??= start())
  return new Promise((resolve) => {
    const heard = (answer: Answer) => end(answer)
    const failed = (error: Error) => end({ failed: error.message }, true)
    const stopped = () => end({ failed: 'it stopped' }, true)
    const timer = setTimeout(() => end({ failed: 'it takes too long' }, true), PATIENCE_MS)
    function end(answer: Answer, isOver = false) {
      clearTimeout(timer)
      asked.off('message', heard).off('error', failed).off('exit', stopped)
      if (isOver) {
        worker = undefined
        // What a thread that is ended may still say concerns nobody.
        asked.on('error', () => undefined)
        void asked.terminate()
      }
      resolve(answer)
    }
    asked.on('message', heard).on('error', failed).on('exit', stopped)
    asked.postMessage(html)
  })
}

/** A quarter of a second and a megabyte of data that a server which sends mails has no use for. It keeps no process alive. */
function start(): Worker {
  const started = new Worker(new URL('./clientsWorker.ts', import.meta.url), {
    resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB },
  })
  started.unref()
  return started
}

function findingsOf(answer: Answer): Finding[] {
  const note = { part: 'html', level: 'note', code: 'client' } as const
  if ('failed' in answer)
    return [{ ...note, message: `This HTML could not be compared with what mail programs know: ${answer.failed}` }]
  return answer.features.map(({ title, clients, ...place }) => ({
    ...note,
    message: `${title} does nothing in ${clients.length} of ${answer.of} mail programs`,
    clients,
    ...place,
  }))
}
