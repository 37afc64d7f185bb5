/** What is wrong with one object by itself. */
import { createValidator, type JsonSchema, type Kind, type Problem, withDefaults } from '../api/index.ts'
import { suggestName } from '../errors/index.ts'
import { evaluateRule } from '../expressions/index.ts'
import { describeInexact, findInexactNumbers, withoutRawNumbers } from '../json/index.ts'
import { findFaults } from '../plans/index.ts'
import { isObject, valueAt, type Written } from './documents.ts'
import { foreignHint } from './foreign-names.ts'
import { judgeKubernetesParts } from './kubernetes/templates.ts'
import type { Severity } from './report.ts'
import { findEmptyWords } from './words.ts'

export type Judged = Problem & { readonly severity: Severity }

const validate = createValidator({ evaluateRule })

/**
 * Returns what the API server refuses of a new object, in Taskmill's fields and in Kubernetes' own, or else what the
 * controller does not understand, which requires an object that the schema admits. Then warnings: of the API server, and
 * about what cannot be meant. Rules about changes are not checked, because the old object is not known.
 */
export function findProblems(kind: Kind, { value: written }: Written): readonly Judged[] {
  const inexact = findInexactNumbers(written, '').map(({ field, text }): Judged => ({
    path: field,
    message: describeInexact(text),
    severity: 'error',
  }))
  const value = inexact.length === 0 ? written : (withoutRawNumbers(written) as Written['value'])
  const refused = [...inexact, ...ownFaults(kind, value), ...judgeKubernetesParts(value)]
  const paths = refused.map(({ path }) => path)
  const found = [
    ...refused.filter(({ path, severity }, index) => severity === 'warning' || paths.indexOf(path) === index),
    ...override(value),
  ]
  if (found.some(({ severity }) => severity === 'error')) return found
  const complete = withDefaults(kind, value as never)
  const misunderstood = findFaults(complete).map(({ field, message }): Judged => ({ path: field, message, severity: 'error' }))
  if (misunderstood.length > 0) return [...misunderstood, ...found]
  return [...found, ...findEmptyWords(kind.kind, complete).map((word): Judged => ({ ...word, severity: 'warning' }))]
}

function ownFaults(kind: Kind, value: Written['value']): readonly Judged[] {
  // Kubernetes defines the fields of metadata, and suggests the nearest one.
  const problems = validate(kind, value).filter((problem) => !(isUnknownField(problem) && problem.path.startsWith('metadata.')))
  const hinted = problems.map((problem): Judged => ({ ...problem, severity: 'error', message: withHints(kind, problem, value) }))
  // A member that there is not is named already; that one of the others is needed follows from its hint.
  const unknown = problems.filter(isUnknownField).map(({ path }) => path.slice(0, path.lastIndexOf('.')))
  return hinted.filter(({ path, message }) => !(unknown.includes(path) && isNoneSet(message, valueAt(value, path))))
}

/** Whether a rule complains that no member is set; with two of them the complaint does not follow from anything else. */
function isNoneSet(message: string, of: unknown): boolean {
  const [, members = ''] = /^exactly one of (.+) must be set/u.exec(message) ?? []
  return members !== '' && isObject(of) && members.split(/, | and /u).every((member) => of[member] === undefined)
}

/** Git would apply the override again and again, even after a user has ended it. */
const overrideInManifest =
  'does not belong into a manifest, because applying it again would restart the override. Next: leave it out; use taskmill scale, ' +
  'suspend or ack'

function override({ spec }: Written['value']): readonly Judged[] {
  const isOverridden = isObject(spec) && spec['override'] !== undefined
  return isOverridden ? [{ path: 'spec.override', message: overrideInManifest, severity: 'warning' }] : []
}

function withHints(kind: Kind, problem: Problem, value: Written['value']): string {
  return `${problem.message}${quotesHint(problem, value)}${fieldHint(kind, problem)}${nameHint(problem, valueAt(value, problem.path))}`
}

/** YAML does not read `off`, `1e3` and similar values as text, and `"4"` as a number. */
function quotesHint({ path, message }: Problem, object: Written['value']): string {
  if (/^must be string, is (?:boolean|integer|number)$/u.test(message)) return '; put it in quotes'
  const value = valueAt(object, path)
  const isNumber = typeof value === 'string' && /^-?\d+$/u.test(value)
  return message === 'must be integer, is string' ? (isNumber ? '; remove the quotes' : '; write a number') : ''
}

function isUnknownField({ message }: Problem): boolean {
  return message.startsWith('is not a known field')
}

/** A field is what another system calls it, or a misspelt one of its valid neighbours. */
function fieldHint(kind: Kind, problem: Problem): string {
  if (!isUnknownField(problem)) return ''
  const foreign = foreignHint(kind, problem.path)
  if (foreign !== '') return foreign
  const steps = problem.path.split(/[.[\]]+/u)
  let schema: JsonSchema | undefined = { description: '', properties: { spec: kind.spec.json, status: kind.status.json } }
  for (const step of steps.slice(0, -1)) schema = schema?.items ?? schema?.properties?.[step] ?? schema?.additionalProperties
  return suggestName(steps.at(-1) ?? '', Object.keys(schema?.properties ?? {}))
}

/** Most names that a pattern refuses have capitals or underscores. */
function nameHint({ message }: Problem, value: unknown): string {
  const pattern = /^must match (.*)$/u.exec(message)?.[1]
  if (pattern === undefined || typeof value !== 'string') return ''
  const meant = value.toLowerCase().replaceAll(/[_\s:/]+/gu, '-')
  return new RegExp(pattern, 'u').test(meant) ? `; write ${JSON.stringify(meant)}` : ''
}
