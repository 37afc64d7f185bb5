import { type Kind, type TaskSchedule, withDefaults, apiGroup, apiVersion, kinds } from '../api/index.ts'
import { suggestName, findNearest } from '../errors/index.ts'
import { nextSlots } from '../plans/index.ts'
import { configMapOf, judgeCalendars, type WrittenConfigMap } from './calendars.ts'
import { parseDocuments, isObject, unrendered, valueAt, type Written } from './documents.ts'
import { readKustomizations, slashed } from './kustomizations.ts'
import { type Known, findReferenceFaults } from './neighbours.ts'
import { findPastTimes } from './past.ts'
import { findProblems, type Judged } from './problems.ts'
import type { Finding, Report, Severity, Source, Unjudged, Upcoming } from './report.ts'
import { findUnheard } from './unheard.ts'
import { findUnreachable } from './unreachable.ts'

export type LintOptions = {
  /** Whether these are all manifests of a cluster. Then a missing or duplicate object is an error. */
  readonly isComplete: boolean
  /** What was found beside the texts and not read. */
  readonly passedOver?: readonly Unjudged[]
  /** How many next slots of each TaskSchedule are wanted, and after which moment (Unix ms). */
  readonly next?: { readonly count: number; readonly afterMs: number } | undefined
  /** The present time (Unix ms). Without it, no time counts as past. */
  readonly nowMs?: number
  /** Where objects that name no namespace would be applied, if that is known. */
  readonly namespace?: string | undefined
}

/** Checks all manifests of taskmill.dev in some texts, each by itself and all of them together. */
export function lint(sources: readonly Source[], options: LintOptions): Report {
  const { report, schedules } = judge(sources, options)
  const { next } = options
  return next === undefined ? report : { ...report, upcoming: schedules.flatMap((each) => upcomingOf(each, next)) }
}

/** A TaskSchedule without errors. Its object has the namespace in which it would be applied, as far as that is known. */
export type FoundSchedule = {
  readonly path: string
  /** `TaskSchedule/nightly`. */
  readonly name: string
  readonly schedule: TaskSchedule
  /** What is known of the ConfigMaps that its calendars name. */
  readonly files: Parameters<typeof nextSlots>[3]
}

/** Returns the TaskSchedules of some texts, in their order, and what is to be corrected in these. */
export function findSchedules(
  sources: readonly Source[],
  options: LintOptions,
): { readonly schedules: readonly FoundSchedule[]; readonly findings: readonly Finding[] } {
  const { report, schedules } = judge(sources, options)
  return { schedules, findings: report.findings }
}

function judge(
  sources: readonly Source[],
  options: LintOptions,
): { readonly report: Report; readonly schedules: readonly FoundSchedule[] } {
  const { patches, namespaces } = readKustomizations(sources)
  const isPatch = ({ path }: Source): boolean => patches.has(slashed(path))
  const judged = sources.filter((source) => !isPatch(source))
  const findings: Finding[] = []
  const known: Known[] = []
  const others: Written[] = []
  const configMaps: WrittenConfigMap[] = []
  const patchFiles = sources.filter(isPatch).map(({ path }): Unjudged => ({ reason: 'Patch', path }))
  const unjudged: Unjudged[] = [...(options.passedOver ?? []), ...patchFiles]
  let manifests = 0
  const hasCalendars = judged.some(({ text }) => text.includes('configMapRef'))
  for (const source of judged) {
    const documents = parseDocuments(source, hasCalendars)
    findings.push(...documents.findings)
    unjudged.push(...documents.unjudged)
    for (const written of documents.written) {
      const identity = identify(written.value)
      if (identity.kind === 'Foreign') {
        others.push(written)
        const configMap = configMapOf(written, namespaces.get(slashed(source.path)))
        if (configMap !== undefined) configMaps.push(configMap)
        continue
      }
      manifests += 1
      if (identity.kind === 'Wrong') {
        findings.push(findingOf(written, identity.field, identity.message, 'error'))
        continue
      }
      const problems = findProblems(identity.declared, written)
      findings.push(...findingsFrom(problems, written))
      const reference = knownOf(identity.declared, written, {
        given: namespaces.get(slashed(source.path)),
        fallback: options.namespace,
        isSound: problems.every(({ severity }) => severity === 'warning'),
      })
      if (reference !== undefined) known.push(reference)
    }
  }
  const calendars = judgeCalendars(known, configMaps, options)
  unjudged.push(...others.filter((written) => !calendars.judged.has(written)).map(foreign), ...calendars.unjudged)
  for (const { known: of, severity, field, message } of [
    ...findReferenceFaults(known, options),
    ...findUnreachable(known),
    ...findUnheard(known),
    ...findPastTimes(known, options.nowMs ?? -Infinity),
    ...calendars.noticed,
  ]) {
    findings.push(findingOf(of.written, field, message, severity))
  }
  return {
    report: { findings: findings.toSorted(inOrder), manifests, files: judged.length, unjudged: unjudged.toSorted(inOrder) },
    schedules: known.flatMap((each) => scheduleOf(each, calendars.filesOf.get(each) ?? new Map())),
  }
}

function scheduleOf({ kind, object, namespace, written }: Known, files: FoundSchedule['files']): readonly FoundSchedule[] {
  if (kind.kind !== 'TaskSchedule' || object === undefined) return []
  const { metadata, ...rest } = object as unknown as TaskSchedule
  const placed = namespace === undefined ? metadata : { ...metadata, namespace }
  return [{ path: written.source.path, name: nameOf(written), schedule: { ...rest, metadata: placed }, files }]
}

function upcomingOf(
  { path, name, schedule, files }: FoundSchedule,
  { count, afterMs }: NonNullable<LintOptions['next']>,
): readonly Upcoming[] {
  const next = nextSlots(schedule, Math.floor(afterMs / 1000), count, files)
  return next === undefined ? [] : [{ ...next, path, object: name }]
}

function foreign({ source, value, at }: Written): Unjudged {
  const { kind } = value
  const { line } = at('kind')
  return { reason: 'OtherKind', path: source.path, line, ...(typeof kind === 'string' ? { kind } : {}) }
}

/** Values with braces of Helm that are refused come from a template that nobody has rendered; other findings say little then. */
function findingsFrom(problems: readonly Judged[], written: Written): readonly Finding[] {
  const template = problems.find(({ path, severity }) => severity === 'error' && hasBraces(valueAt(written.value, path)))
  if (template !== undefined) return [findingOf(written, template.path, unrendered, written.source.isNamed ? 'error' : 'warning')]
  return problems.map(({ path, message, severity }) => findingOf(written, path, message, severity))
}

function hasBraces(value: unknown): boolean {
  return typeof value === 'string' && /\{\{.*\}\}/su.test(value)
}

/**
 * Returns what other manifests can refer to, if the object has a name and a spec, whatever else is wrong with it. The
 * namespace of kustomize overrides its own.
 */
function knownOf(
  kind: Kind,
  written: Written,
  { given, fallback, isSound }: { readonly given: string | undefined; readonly fallback: string | undefined; readonly isSound: boolean },
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
    namespace: given ?? own ?? fallback,
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

type Placed = { readonly path: string; readonly line?: number; readonly column?: number }

function inOrder(a: Placed, b: Placed): number {
  if (a.path !== b.path) return a.path < b.path ? -1 : 1
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0)
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
