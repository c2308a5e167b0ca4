/** What a mail server said, as one line for console, log and endpoints. Servers repeat whom they refuse; nobody there need know. */
export function said(text: string, address = ''): string {
  const line = text.replace(/[\p{Cc}\s]+/gu, ' ').trim()
  return (address === '' ? line : without(line, address)).slice(0, 500)
}

function without(text: string, address: string): string {
  const at = text.toLowerCase().indexOf(address.toLowerCase())
  return at < 0 ? text : `${text.slice(0, at)}…${without(text.slice(at + address.length), address)}`
}
