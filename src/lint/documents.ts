/**
 * Finds the objects in texts. Only documents that mention Taskmill are parsed, so that the other manifests of a
 * repository cost little. What cannot be read is a finding if it may be Taskmill's; else it is counted as not judged.
 */
import { apiGroup, kinds } from '../api/index.ts'
import { type Part, splitText } from './parts.ts'
import type { Finding, Source, Unjudged } from './report.ts'
import { findOddName, findOffset, findTruthNames, parseYaml, valueOf, type YamlDocument } from './yaml.ts'

/** An object of any kind, as written in a text. */
export type Written = {
  readonly source: Source
  readonly value: Readonly<Record<string, unknown>>
  /** Returns the position of one of its fields. */
  at(field: string): Position
}

type Position = Pick<Finding, 'line' | 'column'>

export type Documents = {
  readonly written: readonly Written[]
  readonly findings: readonly Finding[]
  readonly unjudged: readonly Unjudged[]
}

const names = kinds.map(({ kind }) => kind).join('|')
/** A document without any of these cannot be Taskmill's, however it is written. Escapes can hide every word. */
const mentionsTaskmill = new RegExp(`taskmil|\\\\[xuU]|\\b(?:${names})\\b`, 'iu')
/** Tells for a text that cannot be parsed. Does not match CRDs and charts, which name the kinds too. */
const speaksOfTaskmill = new RegExp(
  `\\bapiVersion["']?\\s*:\\s*(?:&\\S+\\s+)?["']?${apiGroup.replaceAll('.', '\\.')}/|^kind\\s*:\\s*["']?(?:${names})\\b|"kind"\\s*:\\s*"(?:${names})"`,
  'mu',
)

const isConfigMap = /^kind\s*:\s*["']?ConfigMap\b/mu

/** `withConfigMaps`: reads ConfigMaps too, where that is possible; what cannot be read of them is as without it. */
export function parseDocuments(source: Source, withConfigMaps = false): Documents {
  const isOurs = speaksOfTaskmill.test(source.text)
  if (source.fault !== undefined) {
    const finding = { path: source.path, line: 1, column: 1, severity: 'error' as const, message: source.fault }
    return isOurs || source.isNamed || source.text === ''
      ? { written: [], findings: [finding], unjudged: [] }
      : { written: [], findings: [], unjudged: [{ reason: 'Unreadable', path: source.path }] }
  }
  const all = splitText(source.text).map((part) => readPart(source, part, { isOurs, withConfigMaps }))
  return {
    written: all.flatMap(({ written }) => written),
    findings: all.flatMap(({ findings }) => findings),
    unjudged: all.flatMap(({ unjudged }) => unjudged),
  }
}

/** `isOurs`: the file has something of Taskmill. kubectl stops at what it cannot read, so that it is an error there. */
function readPart(
  source: Source,
  part: Part,
  { isOurs, withConfigMaps }: { readonly isOurs: boolean; readonly withConfigMaps: boolean },
): Documents {
  const positionAt = (offset: number) => positionIn(source.text, part.offset + offset)
  const leftOut = (reason: Unjudged['reason'], offset = 0): Documents => {
    const kind = /^kind\s*:\s*["']?(\w+)/mu.exec(part.text)?.[1]
    const { line } = positionAt(offset === 0 ? part.text.search(/^(?!---|[^\S\n]*#|\s*$)/mu) : offset)
    return { written: [], findings: [], unjudged: [{ reason, path: source.path, line, ...(kind === undefined ? {} : { kind }) }] }
  }
  const finding = (offset: number, message: string, severity: Finding['severity'] = 'error'): Finding => ({
    path: source.path,
    ...positionAt(offset),
    severity,
    message,
  })
  if (!mentionsTaskmill.test(part.text)) {
    const configMaps = withConfigMaps && isConfigMap.test(part.text) ? readQuietly(source, part, positionAt) : []
    if (configMaps.length > 0) return { written: configMaps, findings: [], unjudged: [] }
    return part.fault === undefined || !isOurs ? leftOut('OtherKind') : broken(0, part.fault)
  }

  const documents = parseYaml(part.text)
  const fault = faultOf(part, documents)
  if (fault !== undefined) return fault.kind === 'Template' ? template(fault.offset) : broken(fault.offset, fault.message)
  const [document, ...ignored] = documents
  if (document === undefined || document.contents === null) return { written: [], findings: [], unjudged: [] }
  const read = valueOf(document)
  if (!read.ok) return broken(read.offset, read.message)

  const objects = objectsIn(source, document, read.value, positionAt)
  if (objects.length === 0 && !isOurs) return leftOut('NoObject')
  const findings = [
    ...(objects.length > 0 || isEmptyList(read.value) ? [] : [finding(startOf(part), noObject)]),
    ...(objects.length === 0 ? [] : findTruthNames(document)).map(({ offset, name }) =>
      finding(
        offset,
        `YAML takes the name ${name} for ${/^(?:y|yes|on|true)$/iu.test(name)}, as kubectl does. Next: put ${name} in quotes`,
        'warning',
      ),
    ),
    ...replaced(part).map((offset) => finding(offset, notUtf8, 'warning')),
    ...ignored.flatMap(({ contents }) =>
      contents === null
        ? []
        : [finding(contents.range[0], 'kubectl does not read this document. Next: put a line of three dashes before it')],
    ),
  ]
  return { written: objects, findings, unjudged: [] }

  function broken(offset: number, message: string): Documents {
    if (!isOurs) return leftOut('Unreadable', offset)
    return { written: [], findings: [finding(offset, `is not YAML: ${wordsOf(message)}`)], unjudged: [] }
  }
  function template(offset: number): Documents {
    if (!isOurs) return leftOut('Template', offset)
    const severity = source.isNamed ? 'error' : 'warning'
    return { written: [], findings: [finding(offset, unrendered, severity)], unjudged: [] }
  }
}

/** The objects of a document of others; none where it cannot be read. */
function readQuietly(source: Source, part: Part, positionAt: (offset: number) => Position): readonly Written[] {
  const documents = parseYaml(part.text)
  const [document] = documents
  if (faultOf(part, documents) !== undefined || document === undefined || document.contents === null) return []
  const read = valueOf(document)
  return read.ok ? objectsIn(source, document, read.value, positionAt) : []
}

export const unrendered = 'is a template; only its rendered output can be checked. Next: helm template CHART | taskmill lint -'
const notUtf8 = 'has a character that is not UTF-8; it would be stored as \uFFFD. Next: save the file as UTF-8'
const noObject =
  'is no object; kubectl reads one object per document. Next: write objects below each other with lines of three dashes between them'

type PartFault = { readonly kind: 'Broken' | 'Template'; readonly offset: number; readonly message: string }

/** Why a document cannot be read, if the reason is in its text. */
function faultOf(part: Part, documents: readonly YamlDocument[]): PartFault | undefined {
  const control = /(?![\t\n\r\u0085])\p{Cc}/u.exec(part.text)
  if (control !== null) {
    const code = control[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')
    return { kind: 'Broken', offset: control.index, message: `it has the control character U+${code}; remove it, or write it as an escape` }
  }
  const error = documents.flatMap(({ errors }) => errors)[0]
  const odd = documents.map(findOddName).find((offset) => offset !== undefined)
  const template = error === undefined && (odd === undefined || part.text.startsWith('{{', odd)) ? odd : templateAt(part.text)
  if (template !== undefined) return { kind: 'Template', offset: template, message: unrendered }
  if (error === undefined && odd !== undefined) return { kind: 'Broken', offset: odd, message: 'the name of a field must be a text' }
  if (part.fault !== undefined) return { kind: 'Broken', offset: 0, message: part.fault }
  return error && { kind: 'Broken', offset: error.pos[0], message: error.message }
}

/** The first place where bytes were no character. */
function replaced({ text }: Part): readonly number[] {
  const at = text.indexOf('\uFFFD')
  return at < 0 ? [] : [at]
}

/** The parser's words, with what helps. */
function wordsOf(message: string): string {
  if (message.startsWith('Maximum call stack')) return 'lists and maps nest too deep'
  const hint = message.includes('reserved character') ? '; put it in quotes' : ''
  return `${message.charAt(0).toLowerCase()}${message.slice(1)}${hint}`
}

/** Finds braces outside of comments and quotes, as far as that is possible in a text that is not YAML. */
function templateAt(text: string): number | undefined {
  const found = /^(?![^\S\n]*#)(?:[^'"\n]|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')*?\{\{/mu.exec(text)
  return found === null ? undefined : found.index + found[0].length - 2
}

/** Where the content of a part starts. */
function startOf({ text }: Part): number {
  return Math.max(0, text.search(/^(?!---|[^\S\n]*#|\s*$)/mu))
}

/**
 * Returns the object, or the items of a List such as `kubectl get --output=yaml` prints, and of the Lists in it. An item
 * can stand for its kind alone, so a List is recognized by its kind.
 */
function objectsIn(source: Source, document: YamlDocument, value: unknown, positionAt: (offset: number) => Position): readonly Written[] {
  return flattened(value, []).map(({ item, steps }) => ({
    source,
    value: item,
    at: (field: string) => positionAt(findOffset(document, steps, field)),
  }))
}

type Item = { readonly item: Readonly<Record<string, unknown>>; readonly steps: readonly (string | number)[] }

function flattened(value: unknown, steps: Item['steps']): readonly Item[] {
  if (!isObject(value)) return []
  const items = itemsOf(value)
  return items === undefined ? [{ item: value, steps }] : items.flatMap((item, index) => flattened(item, [...steps, 'items', index]))
}

function itemsOf(value: unknown): readonly unknown[] | undefined {
  if (!isObject(value) || typeof value['kind'] !== 'string' || !value['kind'].endsWith('List')) return undefined
  return Array.isArray(value['items']) ? value['items'] : undefined
}

function isEmptyList(value: unknown): boolean {
  return itemsOf(value)?.length === 0
}

function positionIn(text: string, offset: number): Position {
  const before = text.slice(0, offset)
  return { line: before.split('\n').length, column: offset - before.lastIndexOf('\n') }
}

/** Returns the value of a field; names can contain dots and brackets, and the longest name that the object has is meant. */
export function valueAt(value: unknown, field: string): unknown {
  if (field === '') return value
  if (typeof value !== 'object' || value === null) return undefined
  const [found] = Object.entries(value)
    .flatMap(([name, own]) => {
      const written = [name, `.${name}`, `[${name}]`].find(
        (each) => field.startsWith(each) && /^(?:$|[.[])/u.test(field.slice(each.length)),
      )
      return written === undefined ? [] : [{ own: own as unknown, rest: field.slice(written.length) }]
    })
    .toSorted((a, b) => a.rest.length - b.rest.length)
  return found === undefined ? undefined : valueAt(found.own, found.rest)
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
