/** Splits a text into its documents, as kubectl's decoder does. */

/** One document. `fault` says why kubectl cannot read it, whatever it contains. */
export type Part = { readonly text: string; readonly offset: number; readonly fault?: string }

/**
 * A text that starts with a brace is a stream of JSON values, with or without white space between them. Everything else,
 * and what follows JSON without being JSON, is YAML with lines of dashes between its documents. Parts without content are
 * dropped.
 */
export function splitText(text: string): readonly Part[] {
  const json: Part[] = []
  let end = 0
  for (let start = nextCharacter(text, 0); text[start] === '{'; start = nextCharacter(text, end)) {
    const close = endOfJson(text, start)
    if (close === undefined) break
    json.push({ text: text.slice(start, close), offset: start })
    end = close
  }
  return [...json, ...splitYaml(text, end)]
}

function nextCharacter(text: string, from: number): number {
  let at = from
  while (at < text.length && /\s/u.test(text.charAt(at))) at++
  return at
}

/** Returns where the JSON object that begins at `start` ends; undefined if it is not JSON. */
function endOfJson(text: string, start: number): number | undefined {
  const token = /"(?:[^"\\]|\\.)*"|[{}[\]]/gsu
  token.lastIndex = start
  let open = 0
  for (let found = token.exec(text); found !== null; found = token.exec(text)) {
    if (/^[{[]/u.test(found[0])) open++
    else if (/^[}\]]/u.test(found[0]) && --open === 0) {
      const end = token.lastIndex
      return isJson(text.slice(start, end)) ? end : undefined
    }
  }
  return undefined
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** kubectl takes every line that starts with three dashes for the end of a document, and admits only a comment after them. */
function splitYaml(text: string, from: number): readonly Part[] {
  const rest = text.slice(from)
  const starts = [0, ...Array.from(rest.matchAll(/^---/gmu), ({ index }) => index)]
  return starts.flatMap((start, index): readonly Part[] => {
    const own = rest.slice(start, starts[index + 1])
    if (!/^(?!---|\.\.\.\s*$|[^\S\n]*#|\s*$).*\S|^---[^\S\n]*[^#\s]/mu.test(own)) return []
    // Files that were joined bring their byte order marks along.
    const marked = /^(?:---.*\n)?\uFEFF/u.exec(own)?.[0].length ?? 0
    const fault = faultOf(own)
    return [{ text: own.slice(marked), offset: from + start + marked, ...(fault === undefined ? {} : { fault }) }]
  })
}

function faultOf(text: string): string | undefined {
  const directive = /^\uFEFF?(%\w+)/u.exec(text)?.[1]
  if (directive !== undefined) return `${directive} is a directive, which kubectl does not read; remove it`
  const after = /^---[^\S\n]*([^#\s].*)/u.exec(text)?.[1]
  return after && `has ${JSON.stringify(short(after))} behind a line of dashes; start a new line for it`
}

function short(text: string): string {
  return text.length <= 40 ? text : `${text.slice(0, 39)}…`
}
