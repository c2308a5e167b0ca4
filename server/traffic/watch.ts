import type { Database } from '#server/db/database.ts'
import type { Vault } from '#server/secret/vault.ts'
import { blocked, createAdmission } from './admission.ts'
import { createBook } from './book.ts'
import { createChallenges } from './challenge.ts'
import type { Rules } from './detectors.ts'
import { createJudge } from './judge.ts'
import type { Lists } from './lists.ts'
import { createMeasures } from './measures.ts'
import { createNotes } from './notes.ts'
import { placeOf } from './place.ts'
import { createResidents } from './residents.ts'
import { createTally } from './tally.ts'
import type { Stop, Try } from './try.ts'

/**
 * Watches tries to sign in: counts them, finds what is no person's doing, and answers it. What it does falls on tries alone; a session that is
 * open stays untouched, whatever others send.
 */
export type Traffic = {
  /** Lets a try pass, at once where nothing is known against it. @throws AppError forbidden, rate_limited, challenge_required, login_expired */
  admit(attempt: Try): Promise<void> | undefined
  /** Notes how a try ended. @param code `ok` or the refusal's @param who the person who signed in */
  note(attempt: Try, code: string, who?: string): void
  /** Resolves once the blocks have been read the first time; undefined from then on. */
  ready(): Promise<void> | undefined
  /** Whether anybody is blocked by hand; most of the time nobody is, and then no address needs to be looked at. */
  blocksAnybody(): boolean
  /** Refuses an address that an operator has blocked, for any public call. @throws AppError forbidden */
  refuseBlocked(ip: string, appId?: number): void
  /** Reads blocks and rules again now, after a change of ours. */
  reload(): Promise<void>
  rules(): Rules
  lists(): Lists
  stops(): readonly Stop[]
  /** Findings since this process started, by detector. */
  found(): ReadonlyMap<string, number>
  flush(): Promise<void>
  close(): Promise<void>
}

/** @param answers whether findings are acted upon at this address; else they are only told */
export function createTraffic(
  db: Database,
  vault: Vault,
  now: () => Date,
  answers: (ip: string) => boolean,
  onError: (error: unknown) => void,
): Traffic {
  const [minute, minutes] = [createTally(60), createTally(300)]
  const notes = createNotes(db, now, onError)
  const book = createBook(db, now, notes.unwritten, onError)
  const residents = createResidents(db, vault)
  const measures = createMeasures({ book, notes, residents, now, answers, onError })
  const challenges = createChallenges(vault)
  const { admit, stops } = createAdmission({ book, notes, measures, residents, challenges, minutes, now })
  const note = createJudge({ book, notes, measures, residents, vault, minute, minutes, now })
  return {
    admit,
    note,
    ready: book.ready,
    blocksAnybody() {
      void book.refresh()
      return book.lists().any
    },
    refuseBlocked(ip, appId) {
      const [lists, place, at] = [book.lists(), placeOf(ip), now().getTime()]
      const entry = lists.find(place, appId, at)
      if (entry?.effect !== 'block' || entry.automatic || entry.kind === 'app') return
      // Whom an app always lets in is refused only once it is known that the call is for another.
      if (appId === undefined && lists.find(place, 'any', at)?.effect === 'allow') return
      throw blocked(entry, at)
    },
    async reload() {
      await book.reload()
      // An operator who lifts a block lifts the answer with it.
      measures.lift()
    },
    rules: book.rules,
    lists: book.lists,
    stops: () => stops,
    found: () => measures.found,
    async flush() {
      await measures.settled()
      await notes.flush()
    },
    async close() {
      await measures.settled()
      await notes.close()
    },
  }
}
