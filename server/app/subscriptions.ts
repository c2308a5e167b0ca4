/** What one endpoint of an app wants, as the app's row holds it. */
export type Subscription = {
  endpointId: number
  /** Types of events; a last part of `*` stands for any, and `*` alone for all. */
  types: string[]
  extended: boolean
  ordered: boolean
  /** False while it is paused or disabled: what arrives is held. */
  active: boolean
}

/** Whether an endpoint that named `patterns` wants events of a type. */
export function wants(patterns: readonly string[], type: string): boolean {
  return patterns.some(
    (pattern) =>
      pattern === type || pattern === '*' || (pattern.endsWith('.*') && type.startsWith(pattern.slice(0, -1))),
  )
}
