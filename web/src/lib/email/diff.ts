export type Line = { sign: ' ' | '+' | '−'; text: string; key: number }

/** What changed between two texts, line by line (longest common subsequence), with two lines around each change. */
export function diffLines(before: string, after: string): Line[] {
  const [a, b] = [before.split('\n'), after.split('\n')]
  const common = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1))
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      common[i]![j] = a[i] === b[j] ? common[i + 1]![j + 1]! + 1 : Math.max(common[i + 1]![j]!, common[i]![j + 1]!)
  const lines: Omit<Line, 'key'>[] = []
  let [i, j] = [0, 0]
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push({ sign: ' ', text: a[i++]! })
      j++
    } else if (j >= b.length || (i < a.length && common[i + 1]![j]! >= common[i]![j + 1]!))
      lines.push({ sign: '−', text: a[i++]! })
    else lines.push({ sign: '+', text: b[j++]! })
  }
  return lines
    .map((line, key) => ({ ...line, key }))
    .filter(({ key }) => lines.slice(Math.max(0, key - 2), key + 3).some(({ sign }) => sign !== ' '))
}
