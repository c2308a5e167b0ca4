/** An address as much of it as tells two apart for who knows them, and no more: `a••@example.org`. */
export function maskAddress(address: string): string {
  const at = address.lastIndexOf('@')
  return at < 1 ? '••' : `${[...address][0]!}••${address.slice(at)}`
}
