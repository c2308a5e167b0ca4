/** What a finding may bring about, from the mildest on. */
export const answers = ['watch', 'slow', 'challenge', 'block'] as const
export type Answer = (typeof answers)[number]
export type Mode = 'off' | 'shadow' | 'on'

/** What a detector looks at, and when it speaks. */
export type Detector = {
  title: string
  /** In plain words, with the threshold as N. */
  text: string
  unit: string
  threshold: number
  mode: Mode
  answer: Answer
  /** Seconds that are looked back. */
  window: 60 | 300
}

/**
 * The detectors. Thresholds leave room for an office of hundreds behind one address: what counts there is the share that fails, not the number.
 * An answer falls on tries to sign in, never on sessions that are open.
 */
export const detectors = {
  failed_proofs: {
    title: 'Failed proofs',
    text: 'From one address N proofs a minute fail, and they are most of its tries',
    unit: 'failed proofs a minute',
    threshold: 20,
    mode: 'on',
    answer: 'block',
    window: 60,
  },
  failed_proofs_network: {
    title: 'Failed proofs from a network',
    text: 'From one network (IPv4 /24, IPv6 /48) N proofs a minute fail, and they are nearly all of its tries',
    unit: 'failed proofs a minute',
    threshold: 60,
    mode: 'on',
    answer: 'block',
    window: 60,
  },
  failure_surge: {
    title: 'Failures from everywhere',
    text: 'In one app N proofs a minute fail, from many addresses; those that failed before must solve a challenge',
    unit: 'failed proofs a minute',
    threshold: 100,
    mode: 'on',
    answer: 'challenge',
    window: 60,
  },
  many_subjects: {
    title: 'Many people behind one address',
    text: 'More than N different people sign in from one address within a minute',
    unit: 'people a minute',
    threshold: 600,
    mode: 'on',
    answer: 'challenge',
    window: 60,
  },
  nonce_farming: {
    title: 'Nonce farming',
    text: 'One address asks for N nonces a minute and signs in with hardly any',
    unit: 'nonces a minute',
    threshold: 60,
    mode: 'on',
    answer: 'block',
    window: 60,
  },
  many_addresses: {
    title: 'One person in many places',
    text: 'One person signs in from N networks within five minutes',
    unit: 'networks in five minutes',
    threshold: 8,
    mode: 'on',
    answer: 'watch',
    window: 300,
  },
  replayed_proofs: {
    title: 'Replayed proofs',
    text: 'One proof is used N times a minute, or from ten networks; it serves no longer',
    unit: 'uses a minute',
    threshold: 300,
    mode: 'on',
    answer: 'block',
    window: 60,
  },
  spent_proofs: {
    title: 'Spent proofs',
    text: 'One address sends N proofs a minute that were used already or have expired',
    unit: 'spent proofs a minute',
    threshold: 20,
    mode: 'on',
    answer: 'block',
    window: 60,
  },
  code_guessing: {
    title: 'Code guessing',
    text: 'From one address N codes a minute are wrong',
    unit: 'wrong codes a minute',
    threshold: 15,
    mode: 'on',
    answer: 'block',
    window: 60,
  },
  token_guessing: {
    title: 'Token guessing',
    text: 'From one address N tokens a minute are none of ours',
    unit: 'bad tokens a minute',
    threshold: 120,
    mode: 'on',
    answer: 'watch',
    window: 60,
  },
  flood: {
    title: 'Flood',
    text: 'One address tries to sign in N times a minute',
    unit: 'tries a minute',
    threshold: 900,
    mode: 'on',
    answer: 'slow',
    window: 60,
  },
} as const satisfies Record<string, Detector>

export type DetectorName = keyof typeof detectors
export const detectorNames = Object.keys(detectors) as DetectorName[]

export type Rule = { mode: Mode; threshold: number; answer: Answer }
export type Rules = Record<DetectorName, Rule>

/** The defaults, with what operators changed. */
export function rulesFrom(changed: { detector: string; mode: Mode; threshold: number; answer: Answer }[]): Rules {
  return Object.fromEntries(
    detectorNames.map((name) => {
      const { mode, threshold, answer } = changed.find((row) => row.detector === name) ?? detectors[name]
      return [name, { mode, threshold, answer }]
    }),
  ) as Rules
}
