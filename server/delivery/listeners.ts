/** Who wants to be told when something is recorded for a person: their open streams. */
export type Listeners = {
  tell(userId: number): void
  /** Calls `listener` from now on; returns how to stop that. */
  listen(userId: number, listener: () => void): () => void
}

export function createListeners(): Listeners {
  const listeners = new Map<number, Set<() => void>>()
  return {
    tell(userId) {
      for (const listener of listeners.get(userId) ?? []) listener()
    },
    listen(userId, listener) {
      const own = listeners.get(userId) ?? new Set()
      listeners.set(userId, own.add(listener))
      return () => {
        own.delete(listener)
        if (own.size === 0) listeners.delete(userId)
      }
    },
  }
}
