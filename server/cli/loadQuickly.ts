import { registerHooks, type ResolveFnOutput } from 'node:module'

const own = new URL('../', import.meta.url).href
/** Packages all of whose files are ES modules that name each other in full. */
const plain = /\/node_modules\/(?:drizzle-orm|zod|jose)\/.*\.js$/

/**
 * Halves the time of a start. For each import of each file Node looks up what kind the nearest package.json declares, and parses that file's `exports` anew;
 * drizzle-orm has some hundred modules and 180 KB of exports. What a file imports by a relative path is a file like itself, and a package that two of our files
 * name is the same for both, so Node need not ask.
 */
export function loadQuickly(): void {
  const packages = new Map<string, ResolveFnOutput>()
  registerHooks({
    resolve(specifier, context, next) {
      const { parentURL } = context
      if (!parentURL || !context.conditions.includes('import')) return next(specifier, context)
      const ours = parentURL.startsWith(own)
      if (specifier.startsWith('.')) {
        const format = ours ? 'module-typescript' : 'module'
        const known = ours ? specifier.endsWith('.ts') : plain.test(parentURL) && specifier.endsWith('.js')
        return known
          ? { url: new URL(specifier, parentURL).href, format, shortCircuit: true }
          : next(specifier, context)
      }
      if (!ours) return next(specifier, context)
      const known = packages.get(specifier) ?? { ...next(specifier, context), shortCircuit: true }
      packages.set(specifier, known)
      return known
    },
  })
}
