/** Markdown as far as the checks of the pages need it: links, anchors, prose and code blocks. */

type Line = { readonly line: number; readonly text: string; readonly isCode: boolean }

function linesOf(markdown: string): readonly Line[] {
  let isFenced = false
  return markdown.split('\n').map((text, index) => {
    const isFence = /^\s*```/u.test(text)
    const line = { line: index + 1, text, isCode: isFenced || isFence || /^ {4,}\S/u.test(text) }
    if (isFence) isFenced = !isFenced
    return line
  })
}

/** Targets of all links outside code; `line` counts from 1. */
export function linksOf(markdown: string): readonly { readonly line: number; readonly target: string }[] {
  return linesOf(markdown)
    .filter(({ isCode }) => !isCode)
    .flatMap(({ line, text }) => {
      const prose = text.replaceAll(/`[^`]*`/gu, '')
      return [...prose.matchAll(/\]\(([^)\s]+)\)/gu)].map(([, target = '']) => ({ line, target }))
    })
}

/** Files and folders of this repository that the text names in backticks. */
export function pathsOf(markdown: string): readonly { readonly line: number; readonly path: string }[] {
  return linesOf(markdown).flatMap(({ line, text }) =>
    [...text.matchAll(/`((?:src|test|hack|charts|crds|docs|examples)\/[\w./*-]+)`/gu)].map(([, path = '']) => ({ line, path })),
  )
}

/** The anchors of all headings, as GitHub makes them. */
export function slugsOf(markdown: string): ReadonlySet<string> {
  const slugs = new Set<string>()
  for (const { text, isCode } of linesOf(markdown)) {
    const heading = isCode ? undefined : /^#{1,6} (.*)$/u.exec(text)?.[1]
    if (heading === undefined) continue
    const slug = heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(/\s/gu, '-')
    slugs.add(slugs.has(slug) ? `${slug}-1` : slug)
  }
  return slugs
}

/** Lines that a person reads as text: no tables, code or comments. The width is that of what a browser shows of a link. */
export function linesOfProse(markdown: string): readonly { readonly line: number; readonly width: number; readonly text: string }[] {
  return linesOf(markdown)
    .filter(({ text, isCode }) => !isCode && !/^\s*(\||<)/u.test(text))
    .map(({ line, text }) => ({ line, width: text.replaceAll(/\]\([^)]*\)/gu, ']').length, text }))
}

/** The contents of fenced blocks of one language, with the line of their first line. */
export function blocksOf(markdown: string, language: string): readonly { readonly line: number; readonly text: string }[] {
  const blocks = markdown.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, 'gmu'))
  return [...blocks].map(({ 1: text = '', index }) => ({ line: markdown.slice(0, index).split('\n').length + 1, text }))
}
