import { LanguageSupport, StreamLanguage } from '@codemirror/language'

/**
 * Stands in for @codemirror/lang-javascript, which the HTML grammar brings along for `<script>` and takes a sixth of the editor's weight: mails run no
 * scripts, and one that holds some is refused, so they are shown as plain text (`web/vite.config.ts`).
 */
const plain = StreamLanguage.define<null>({
  token(stream) {
    stream.skipToEnd()
    return null
  },
})
const language = { parser: Object.assign(plain.parser, { configure: () => plain.parser }) }

export {
  language as javascriptLanguage,
  language as typescriptLanguage,
  language as jsxLanguage,
  language as tsxLanguage,
}
export const javascript = () => new LanguageSupport(plain)
