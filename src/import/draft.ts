import { Document, Scalar, visit } from 'yaml'
import { describeInexact, findInexactNumbers, isRawNumber } from '../json/index.ts'
import { lint } from '../lint/index.ts'

/** A TaskSchedule to be, and what people should know about it. */
export type Draft = {
  /** Where it comes from: `CronJob team/nightly`. */
  readonly origin: string
  readonly name: string
  readonly namespace?: string | undefined
  /** What has no counterpart or means something else, one sentence each. */
  readonly notes: readonly string[]
  /** Undefined: it cannot be converted; the notes say why. */
  readonly spec: Readonly<Record<string, unknown>> | undefined
}

/** Why the input cannot be read at all. */
export class ImportError extends Error {}

/** Returns the manifests, with comments; and how many could be converted. */
export function renderDrafts(drafts: readonly Draft[]): { readonly text: string; readonly converted: number } {
  const taken = new Set<string>()
  const rendered = drafts.map((draft) => renderDraft(draft, taken))
  return { text: rendered.map(({ text }) => text).join('---\n'), converted: rendered.filter(({ isConverted }) => isConverted).length }
}

function renderDraft(draft: Draft, taken: Set<string>): { readonly text: string; readonly isConverted: boolean } {
  const { origin, namespace, spec } = draft
  const name = freeName(draft, taken)
  const notes =
    name === draft.name
      ? draft.notes
      : [`Named ${name}: names of objects have lower-case letters, digits and "-" only, and each occurs once.`, ...draft.notes]
  const refused = (...why: readonly string[]) => ({
    text: comments([`From ${origin}: cannot be converted.`, ...why, ...draft.notes]),
    isConverted: false,
  })
  if (spec === undefined) return refused()
  const inexact = findInexactNumbers(spec, 'spec').map((each) => `${each.field}: ${describeInexact(each.text)}.`)
  if (inexact.length > 0) return refused(...inexact)
  const metadata = { name, ...(namespace === undefined ? {} : { namespace }) }
  const text = yamlOf({ apiVersion: 'taskmill.dev/v1alpha1', kind: 'TaskSchedule', metadata, spec: withoutUndefined(spec) })
  const problems = lint([{ path: 'import.yaml', text, isNamed: true }], { isComplete: false }).findings.filter(
    ({ severity }) => severity === 'error',
  )
  if (problems.length === 0) return { text: comments([`From ${origin}.`, ...notes]) + text, isConverted: true }
  return refused(...problems.map(({ field, message }) => `${field ?? ''}: ${message}.`))
}

/** Characters that end a line for some parsers of YAML (kubectl's among them), or that they refuse. */
const unwritable = /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/gu

/** Texts with such characters are in double quotes, where each has an escape: what was exported never becomes structure. */
function yamlOf(manifest: object): string {
  const document = new Document(manifest, { version: '1.1' })
  visit(document, {
    Scalar(_, node) {
      if (typeof node.value === 'string' && node.value.search(unwritable) >= 0) node.type = Scalar.QUOTE_DOUBLE
    },
  })
  const escape = (each: string): string => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`
  return document.toString({ lineWidth: 0 }).replaceAll(unwritable, escape)
}

/** What is below the length of a label, and what API servers take; not taken by another draft. */
function freeName({ name, namespace = '' }: Draft, taken: Set<string>): string {
  const plain =
    name
      .toLowerCase()
      .replaceAll(/[^a-z0-9-]+/gu, '-')
      .replaceAll(/^-+|-+$/gu, '')
      .slice(0, 55)
      .replace(/-+$/u, '') || 'schedule'
  for (let number = 1; ; number++) {
    const free = number === 1 ? plain : `${plain}-${number}`
    if (taken.has(`${namespace}/${free}`)) continue
    taken.add(`${namespace}/${free}`)
    return free
  }
}

const [first, rest] = ['# ', '# - ']

/** One line each: no name or value ends a comment. */
function comments(lines: readonly string[]): string {
  return lines.map((line, index) => `${index === 0 ? first : rest}${line.replaceAll(/\s*[\p{Cc}\u2028\u2029\ufeff]\s*/gu, ' ')}\n`).join('')
}

function withoutUndefined(value: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(value).filter(([, own]) => own !== undefined))
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A text; of anything else none. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** The texts of a value with `$$(` for `$(`, which Taskmill would fill in. */
export function escaped(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('$(', '$$$$(')
  if (Array.isArray(value)) return value.map(escaped)
  if (!isRecord(value) || isRawNumber(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, own]) => [key, escaped(own)]))
}

/** Whether an expression names times of day in a zone whose clocks may change: the days of the change differ then. */
export function isTouchedByClocks(expression: string, timeZone: string): boolean {
  const parts = expression.trim().split(/\s+/u)
  const hours = parts.length === 6 ? parts[2] : parts[1]
  return timeZone !== 'UTC' && !timeZone.startsWith('Etc/') && hours !== undefined && !/^(?:\*|\*\/1|0-23)$/u.test(hours)
}
