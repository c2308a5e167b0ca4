/**
 * Every text that differs from `text` in one character: a flipped low bit, a changed case, a removed and a doubled
 * character.
 */
export function* mutate(text: string): Generator<string> {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    for (const other of [code ^ 1, code ^ 0x20])
      yield text.slice(0, at) + String.fromCharCode(other) + text.slice(at + 1)
    yield text.slice(0, at) + text.slice(at + 1)
    yield text.slice(0, at + 1) + text.slice(at)
  }
}
