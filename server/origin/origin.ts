/** Where a call comes from. */
export type Origin = {
  ip: string
  userAgent: string | undefined
  /** The country that a trusted proxy said of the address, as it said it. */
  country?: string | undefined
}
