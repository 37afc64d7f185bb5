import { type Kind, withDefaults, apiGroup, apiVersion, kinds, createValidator, type JsonSchema, type Problem } from '../api/index.ts'
import { suggestName, findNearest } from '../errors/index.ts'
import { evaluateRule } from '../expressions/index.ts'
import { findFaults } from '../plans/index.ts'
import { parseDocuments, isObject, type Written, readKustomizations } from './documents.ts'
import { findContradictions, type Known, findReferenceFaults } from './neighbours.ts'
import type { Finding, Report, Severity, Source } from './report.ts'

export type LintOptions = {
  /** Whether these are all manifests of a cluster. Then a missing or duplicate object is an error. */
  readonly isComplete: boolean
}

/** Git would apply the override again and again, even after a user has ended it. */
const overrideInManifest =
  'does not belong into a manifest, because applying it again would restart the override. Next: leave it out; use taskmill scale, ' +
  'suspend or ack'

/** Checks all manifests of taskmill.dev in some texts, each by itself and all of them together. */
export function lint(sources: readonly Source[], options: LintOptions): Report {
  const { patches, namespaces } = readKustomizations(sources)
  const judged = sources.filter(({ path }) => !patches.has(path))
  const findings: Finding[] = []
  const known: Known[] = []
  let [manifests, skipped] = [0, 0]
  for (const source of judged) {
    const documents = parseDocuments(source)
    findings.push(...documents.findings)
    skipped += documents.skipped
    for (const written of documents.written) {
      const identity = identify(written.value)
      if (identity.kind === 'Foreign') {
        skipped += 1
        continue
      }
      manifests += 1
      const say = (field: string, message: string, severity: Severity = 'error') =>
        findings.push(findingOf(written, field, message, severity))
      if (identity.kind === 'Wrong') {
        say(identity.field, identity.message)
        continue
      }
      const problems = findProblems(identity.declared, written)
      for (const { path, message } of problems) say(path, message)
      if (isObject(written.value['spec']) && written.value['spec']['override'] !== undefined)
        say('spec.override', overrideInManifest, 'warning')
      const reference = knownOf(identity.declared, written, { given: namespaces.get(source.path), isSound: problems.length === 0 })
      if (reference !== undefined) known.push(reference)
    }
  }
  for (const { known: of, severity, field, message } of [...findReferenceFaults(known, options), ...findContradictions(known)]) {
    findings.push(findingOf(of.written, field, message, severity))
  }
  return { findings: findings.toSorted(inOrder), manifests, files: judged.length, skipped, patches: sources.length - judged.length }
}

/**
 * Returns what other manifests can refer to, if the object has a name and a spec, whatever else is wrong with it. The
 * namespace of kustomize overrides its own.
 */
function knownOf(
  kind: Kind,
  written: Written,
  { given, isSound }: { readonly given: string | undefined; readonly isSound: boolean },
): Known | undefined {
  const object = withDefaults(kind, written.value as never)
  const { metadata, spec } = object as unknown as Readonly<Record<string, unknown>>
  if (!isObject(metadata) || !isObject(spec)) return undefined
  const { name, namespace } = metadata
  const own = typeof namespace === 'string' ? namespace : undefined
  return {
    kind,
    written,
    name: typeof name === 'string' ? name : undefined,
    namespace: given ?? own,
    spec,
    object: isSound ? object : undefined,
  }
}

function findingOf(written: Written, field: string, message: string, severity: Severity): Finding {
  return { path: written.source.path, ...written.at(field), severity, object: nameOf(written), field, message }
}

function nameOf({ value: { kind, metadata } }: Written): string {
  const { name, generateName } = isObject(metadata) ? metadata : {}
  const words = typeof name === 'string' ? name : typeof generateName === 'string' ? `${generateName}*` : '(no name)'
  return `${typeof kind === 'string' ? kind : '(no kind)'}/${words}`
}

function inOrder(a: Finding, b: Finding): number {
  if (a.path !== b.path) return a.path < b.path ? -1 : 1
  return a.line - b.line || a.column - b.column
}

const byName = new Map(kinds.map((kind) => [kind.kind, kind]))

/** Whether an object is ours, ours with a mistake in its first two lines, or of another group. */
type Identity =
  | { readonly kind: 'Ours'; readonly declared: Kind }
  | { readonly kind: 'Wrong'; readonly field: string; readonly message: string }
  | { readonly kind: 'Foreign' }

function identify(value: Readonly<Record<string, unknown>>): Identity {
  const { apiVersion: group, kind } = value
  const declared = typeof kind === 'string' ? byName.get(kind) : undefined
  const wanted = `${apiGroup}/${apiVersion}`
  if (group === wanted) {
    if (declared !== undefined) return { kind: 'Ours', declared }
    const known = Array.from(byName.keys())
    const words = typeof kind === 'string' ? `${kind} is not a kind of ${apiGroup}${suggestName(kind, known)}` : 'is required'
    return { kind: 'Wrong', field: 'kind', message: `${words}; known kinds: ${known.join(', ')}` }
  }
  if (typeof group === 'string') {
    const isOurGroup = group.startsWith(`${apiGroup}/`) || (declared !== undefined && findNearest(group, [wanted]) !== undefined)
    return isOurGroup ? { kind: 'Wrong', field: 'apiVersion', message: `must be ${wanted}, is ${group}` } : { kind: 'Foreign' }
  }
  return declared === undefined ? { kind: 'Foreign' } : { kind: 'Wrong', field: 'apiVersion', message: `is required: write ${wanted}` }
}

const validate = createValidator({ evaluateRule })

/**
 * Returns what is wrong with one object: what the API server refuses, or else what the controller does not understand,
 * which requires an object that the schema admits. Rules about changes are not checked, because the old object is not
 * known.
 */
function findProblems(kind: Kind, { value }: Written): readonly Problem[] {
  const refused = validate(kind, value)
  if (refused.length > 0)
    return refused.map((problem) => ({ ...problem, message: `${problem.message}${quotesHint(problem)}${fieldHint(kind, problem)}` }))
  return findFaults(withDefaults(kind, value as never)).map(({ field, message }) => ({ path: field, message }))
}

/** YAML does not read `off`, `1e3` and similar values as text. */
function quotesHint({ message }: Problem): string {
  return /^must be string, is (?:boolean|integer|number)$/u.test(message) ? '; put it in quotes' : ''
}

/** A misspelt field is usually one of its valid neighbours. */
function fieldHint({ spec, status }: Kind, { path, message }: Problem): string {
  if (!message.startsWith('is not a known field')) return ''
  const steps = path.split(/[.[\]]+/u)
  let schema: JsonSchema | undefined = { description: '', properties: { spec: spec.json, status: status.json } }
  for (const step of steps.slice(0, -1)) schema = schema?.items ?? schema?.properties?.[step] ?? schema?.additionalProperties
  return suggestName(steps.at(-1) ?? '', Object.keys(schema?.properties ?? {}))
}
