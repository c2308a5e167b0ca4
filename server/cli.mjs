// The command line, started quickly. Plain JavaScript, so that TypeScript is taken from the cache from the first file on.
import { enableCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'

// Compiled code is kept beside the packages, where only who installs them writes; a start then takes half the time.
enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/gatehouse', import.meta.url)))
const { loadQuickly } = await import('./cli/loadQuickly.ts')
loadQuickly()
await import('./cli.ts')
