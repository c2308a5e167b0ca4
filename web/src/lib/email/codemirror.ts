import { autocompletion, closeBrackets, completionKeymap, type CompletionSource } from '@codemirror/autocomplete'
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands'
import { html } from '@codemirror/lang-html'
import { liquid } from '@codemirror/lang-liquid'
import { HighlightStyle, syntaxHighlighting } from '@codemirror/language'
import { lintGutter, setDiagnostics, type Diagnostic } from '@codemirror/lint'
import { EditorState } from '@codemirror/state'
import { drawSelection, EditorView, keymap, lineNumbers } from '@codemirror/view'
import { tags } from '@lezer/highlight'
import type { Finding } from './words.ts'

const look = EditorView.theme({
  '&': { height: '100%', fontSize: '12.5px', color: 'var(--fg)', backgroundColor: 'var(--panel)' },
  '&.cm-focused': { outline: '2px solid var(--accent)', outlineOffset: '-2px' },
  '.cm-scroller': { fontFamily: 'ui-monospace, SFMono-Regular, Menlo, Consolas, monospace', lineHeight: '1.55' },
  '.cm-content': { caretColor: 'var(--fg)' },
  '.cm-cursor': { borderLeftColor: 'var(--fg)' },
  '.cm-gutters': { backgroundColor: 'var(--panel)', color: 'var(--muted)', border: 'none' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    backgroundColor: 'var(--accent-soft) !important',
  },
  '.cm-tooltip': { backgroundColor: 'var(--panel)', color: 'var(--fg)', border: '1px solid var(--line)' },
  '.cm-tooltip-autocomplete ul li[aria-selected]': { backgroundColor: 'var(--accent)', color: 'var(--accent-fg)' },
})
const colors = HighlightStyle.define([
  { tag: [tags.tagName, tags.angleBracket], color: 'var(--accent)' },
  { tag: [tags.attributeName, tags.comment, tags.punctuation], color: 'var(--muted)' },
  { tag: [tags.variableName, tags.propertyName, tags.keyword], color: 'var(--ok)', fontWeight: '600' },
])

type Options = {
  host: HTMLElement
  label: string
  text: string
  isHtml: boolean
  variables: () => { name: string; about: string }[]
  onchange: (text: string) => void
}

export type Handle = {
  setText(text: string): void
  setFindings(findings: Finding[]): void
  insert(text: string): void
  goTo(line: number, column: number): void
  destroy(): void
}

/** A code editor in a shadow root: there it may bring its styles without the page's policy being loosened. */
export function createEditor({ host, label, text, isHtml, variables, onchange }: Options): Handle {
  const root = host.shadowRoot ?? host.attachShadow({ mode: 'open' })
  const complete: CompletionSource = (context) => {
    const typed = context.matchBefore(/\{\{-?\s*[\w.]*/)
    if (!typed) return null
    return {
      from: typed.from + /^\{\{-?\s*/.exec(typed.text)![0].length,
      options: variables().map(({ name, about }) => ({ label: name, detail: about, type: 'variable' })),
      validFor: /^[\w.]*$/,
    }
  }
  const view = new EditorView({
    root,
    parent: root,
    state: EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(),
        history(),
        drawSelection(),
        closeBrackets(),
        lintGutter(),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({
          'aria-label': label,
          'aria-description': 'Escape, then Tab, leaves the editor',
          spellcheck: 'false',
          tabindex: '0',
        }),
        autocompletion({ override: [complete] }),
        // Escape, then Tab, leaves the editor: otherwise the keyboard would be caught.
        keymap.of([...completionKeymap, ...defaultKeymap, ...historyKeymap, indentWithTab]),
        isHtml ? liquid({ base: html() }) : liquid(),
        syntaxHighlighting(colors),
        look,
        EditorView.updateListener.of((update) => {
          if (update.docChanged) onchange(update.state.doc.toString())
        }),
      ],
    }),
  })
  return {
    setText(next) {
      if (next !== view.state.doc.toString())
        view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: next } })
    },
    setFindings(findings) {
      const { doc } = view.state
      const diagnostics = findings.flatMap(({ line, column, level, message }): Diagnostic[] => {
        if (line === undefined || line > doc.lines) return []
        const at = doc.line(line)
        const from = Math.min(at.from + (column ?? 1) - 1, at.to)
        return [{ from, to: Math.min(from + 12, at.to), severity: level === 'note' ? 'info' : level, message }]
      })
      view.dispatch(setDiagnostics(view.state, diagnostics))
    },
    insert(piece) {
      view.dispatch(view.state.replaceSelection(piece))
      view.focus()
    },
    goTo(line, column) {
      const { doc } = view.state
      const { from, to } = doc.line(Math.max(1, Math.min(line, doc.lines)))
      view.dispatch({ selection: { anchor: Math.min(from + column - 1, to) }, scrollIntoView: true })
      view.focus()
    },
    destroy: () => view.destroy(),
  }
}
