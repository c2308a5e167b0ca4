/** What each kind of data is, and from when on its days count. */
const words: Record<string, { label: string; help: string }> = {
  endedSessions: { label: 'Ended sessions', help: 'Address, device and what happened, counted from their end' },
  events: { label: 'Events and notifications', help: 'With deliveries and attempts, once nothing is owed any more' },
  undelivered: { label: 'Undelivered events', help: 'A delivery is dead or held: so long it can be sent again' },
  emails: { label: 'Mails', help: 'What was written to whom, and every try' },
  tries: { label: 'Tries to sign in', help: 'By address, device and hour' },
  findings: { label: 'Findings', help: 'What the traffic watch saw' },
  minutes: { label: 'Figures by the minute', help: 'They name nobody' },
  hours: { label: 'Figures by the hour', help: 'They name nobody' },
  days: { label: 'Figures by the day', help: 'They name nobody' },
}

export const kindOf = (kind: string) => words[kind] ?? { label: kind, help: '' }
