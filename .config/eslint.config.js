import svelte from 'eslint-plugin-svelte'
import { defineConfig } from 'eslint/config'
import ts from 'typescript-eslint'

export default defineConfig(
  { ignores: ['web/build', 'web/.svelte-kit', 'migrations', 'test/.results', 'data'] },
  ts.configs.recommendedTypeChecked,
  svelte.configs.recommended,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['.config/*.js'] },
        extraFileExtensions: ['.svelte'],
        tsconfigRootDir: new URL('..', import.meta.url).pathname,
      },
    },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      // An unused name that begins with _ is left out on purpose.
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // Express hands rejections of a handler to the error handler, and a promise for void is at home in event listeners.
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
      // It takes casts away that narrow on purpose: the one schema on two engines rests on two of them.
      '@typescript-eslint/no-unnecessary-type-assertion': 'off',
      // Our own `to()` puts the base path before every address (web/src/lib/url.ts).
      'svelte/no-navigation-without-resolve': 'off',
      // What one component hands to another has no type here; svelte-check knows it and holds it.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      // A function may be asynchronous for the sake of its type: a driver whose close() has nothing to wait for.
      '@typescript-eslint/require-await': 'off',
      // There are no classes, so no method has a `this` to lose.
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  { files: ['**/*.svelte', '**/*.svelte.ts'], languageOptions: { parserOptions: { parser: ts.parser } } },
  {
    // With types one component takes a second to lint, a hundred of them two minutes; svelte-check knows their types anyway.
    files: ['web/**'],
    extends: [ts.configs.disableTypeChecked],
    languageOptions: { parserOptions: { projectService: false } },
    rules: {
      // A URL that lives for one event needs no reactivity.
      'svelte/prefer-svelte-reactivity': 'off',
    },
  },
  {
    // The sample Mini App is for browsers, written without types so that it runs as it is read.
    files: ['server/demo/page/**'],
    extends: [ts.configs.disableTypeChecked],
    languageOptions: { parserOptions: { projectService: false } },
  },
  { files: ['**/*.mjs', '.config/*.js', 'web/static/**'], extends: [ts.configs.disableTypeChecked] },
  {
    files: ['test/**', 'bench/**'],
    rules: {
      // Answers of the outside world are read as they come.
      '@typescript-eslint/no-explicit-any': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
    },
  },
)
