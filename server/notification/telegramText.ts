const MOST_CHARACTERS = 4_096

const escape = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** A notification as a Telegram message in HTML mode: the three characters that mean something there are escaped, and it is no longer than they may be. */
export function telegramText({ title, body }: { title: string; body: string }): string {
  const head = `<b>${escape(cut(title, 256))}</b>\n`
  // The limit counts what is shown, after the markup is read.
  return head + escape(cut(body, MOST_CHARACTERS - 300))
}

function cut(text: string, most: number): string {
  if (text.length <= most) return text
  // Telegram counts UTF-16 units; half of a pair would be no character.
  return `${text.slice(0, most - 1).replace(/[\uD800-\uDBFF]$/, '')}…`
}
