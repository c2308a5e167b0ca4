/** Strict base64, each value in its one spelling; undefined for anything else. `Buffer.from` alone accepts rubbish. */
export function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : undefined
}
