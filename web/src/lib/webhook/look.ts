import type { Endpoint } from '../api.ts'
import type { Tone } from '../words.ts'

type Health = Endpoint['health']['status']

/** How an endpoint does, in the words of the console. */
export const healthLooks: Record<Health, { glyph: string; word: string; tone: Tone; why: string }> = {
  idle: { glyph: '○', word: 'idle', tone: 'plain', why: 'Nothing was sent to it yet. Send it a test event.' },
  healthy: { glyph: '●', word: 'healthy', tone: 'ok', why: 'It takes what it is sent.' },
  failing: {
    glyph: '!',
    word: 'failing',
    tone: 'bad',
    why: 'It takes nothing at the moment; everything is tried again.',
  },
  circuit_open: {
    glyph: '◌',
    word: 'resting',
    tone: 'warn',
    why: 'Too many tries failed one after another. It is left alone for a while, then one try goes ahead.',
  },
  paused: { glyph: '‖', word: 'paused', tone: 'warn', why: 'An operator paused it. What happens meanwhile is held.' },
  disabled: { glyph: '✕', word: 'disabled', tone: 'bad', why: 'It was switched off. What happens meanwhile is held.' },
}

export const formats = [
  { value: 'standard', label: 'Standard: user, title, body, data' },
  { value: 'extended', label: 'Extended: also id, type, timestamp, seq' },
  { value: 'logout_token', label: 'Logout token: back-channel logout' },
]

export const overlaps = [
  { value: '86400', label: '24 hours' },
  { value: '3600', label: '1 hour' },
  { value: '604800', label: '7 days' },
  { value: '0', label: 'Not at all: the old one leaked' },
]
