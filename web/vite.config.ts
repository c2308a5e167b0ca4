import tailwindcss from '@tailwindcss/vite'
import adapter from '@sveltejs/adapter-static'
import { sveltekit } from '@sveltejs/kit/vite'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

export default defineConfig({
  plugins: [
    tailwindcss(),
    sveltekit({
      compilerOptions: {
        runes: ({ filename }) => (filename.split(/[/\\]/).includes('node_modules') ? undefined : true),
      },
      adapter: adapter({ fallback: '200.html', precompress: true }),
      paths: { base: '/console', relative: false },
      // The one inline script of the page is Kit's starter: its hash goes into the meta tag. Frame and form limits
      // cannot be set by a meta tag; the server sends those as a header.
      csp: {
        mode: 'hash',
        directives: {
          'default-src': ['self'],
          'script-src': ['self'],
          'style-src': ['self'],
          'style-src-attr': ['unsafe-inline'],
          'img-src': ['self', 'data:'],
          'font-src': ['self'],
          'connect-src': ['self'],
          'object-src': ['none'],
          'base-uri': ['none'],
        },
      },
    }),
  ],
  resolve: {
    alias: {
      '@codemirror/lang-javascript': fileURLToPath(new URL('src/lib/email/noScripts.ts', import.meta.url)),
    },
  },
  build: { target: 'es2023' },
  environments: {
    client: {
      build: {
        rolldownOptions: {
          // These only export; not all of them say so in their package.json.
          treeshake: { moduleSideEffects: [{ test: /node_modules\/(@trpc|devalue)\//, sideEffects: false }] },
          output: {
            // Small parts that most pages share travel together: fewer requests, and gzip sees more of what repeats.
            codeSplitting: {
              groups: [
                // Kit's start sets this before it loads the rest of Kit, which reads it while it loads.
                { name: 'payload', test: /@sveltejs\/kit\/src\/runtime\/client\/payload\.js/, priority: 3 },
                {
                  name: 'base',
                  test: /node_modules\/(svelte|@sveltejs|@trpc|esm-env|clsx)\//,
                  minShareCount: 4,
                  priority: 2,
                },
                {
                  name: 'parts',
                  test: /web\/src\/lib\/(?!app\/|ui\/TagsInput)|@lucide|tinykeys/,
                  minShareCount: 5,
                  priority: 1,
                },
              ],
            },
          },
        },
      },
    },
  },
  server: { proxy: { '/trpc': process.env['GATEHOUSE_DEV_SERVER'] ?? 'http://localhost:3000' } },
})
