import { type Kind, withDefaults } from '../api/index.ts'
import { noticeContradictions } from './contradictions.ts'
import { documentsOf, isObject, type Written } from './documents.ts'
import type { Finding, Report, Severity, Source } from './finding.ts'
import { identify } from './identify.ts'
import { problemsOf } from './judge.ts'
import { kustomizationsAmong } from './kustomize.ts'
import { type Known, noticeNeighbours } from './neighbours.ts'

export type LintOptions = {
  /** Whether everything that meets in one cluster is here: what is missing is then an error, and so is what is there twice. */
  readonly isComplete: boolean
}

/** Git would write it again and again, also after a person has ended it. */
const overrideInManifest =
  'is not for manifests, which say what holds otherwise. Next: leave it out; taskmill scale, suspend and ack write it for a while'

/** Judges all manifests of taskmill.dev in some texts, each for itself and all of them together. */
export function lint(sources: readonly Source[], options: LintOptions): Report {
  const { patches, namespaces } = kustomizationsAmong(sources)
  const judged = sources.filter(({ path }) => !patches.has(path))
  const findings: Finding[] = []
  const known: Known[] = []
  let [manifests, skipped] = [0, 0]
  for (const source of judged) {
    const documents = documentsOf(source)
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
      const problems = problemsOf(identity.declared, written)
      for (const { path, message } of problems) say(path, message)
      if (isObject(written.value['spec']) && written.value['spec']['override'] !== undefined)
        say('spec.override', overrideInManifest, 'warning')
      const reference = knownOf(identity.declared, written, { given: namespaces.get(source.path), isSound: problems.length === 0 })
      if (reference !== undefined) known.push(reference)
    }
  }
  for (const { known: of, severity, field, message } of [...noticeNeighbours(known, options), ...noticeContradictions(known)]) {
    findings.push(findingOf(of.written, field, message, severity))
  }
  return { findings: findings.toSorted(inOrder), manifests, files: judged.length, skipped, patches: sources.length - judged.length }
}

/** What others may mean, if it has a name and a spec, whatever else is wrong with it. Kustomize's namespace goes over its own. */
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
