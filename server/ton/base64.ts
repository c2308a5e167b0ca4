/** Strict base64, each value in its one spelling; undefined for anything else. `Buffer.from` alone accepts rubbish. */
export function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : undefined
}

/** The same in either alphabet, padded or not: for what is known by its hash, however it was written down. */
export function decodeAnyBase64(text: string): Buffer | undefined {
  const plain = text
    .replaceAll('-', '+')
    .replaceAll('_', '/')
    .replace(/={1,2}$/, '')
  return decodeBase64(plain.padEnd(Math.ceil(plain.length / 4) * 4, '='))
}
