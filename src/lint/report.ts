import { slotTime } from '../contract/index.ts'
import { type NextSlots, slotTable } from '../plans/index.ts'

/** An error is refused by the API server or by a controller. A warning may be intended. */
export type Severity = 'error' | 'warning'

/** One thing to correct, and its position. Lines and columns start with 1. */
export type Finding = {
  readonly path: string
  readonly line: number
  readonly column: number
  readonly severity: Severity
  /** `WorkerPool/email`; missing if there is no object. */
  readonly object?: string
  /** As the API server writes paths: `spec.queues[0].name`; missing if the text is not YAML. */
  readonly field?: string
  /** What is wrong, and what to write instead. */
  readonly message: string
}

/** A file or standard input. */
export type Source = {
  readonly path: string
  readonly text: string
  /** Why kubectl cannot read it; the text is then what can be seen of it. */
  readonly fault?: string
  /** The file that the path leads to, if that is another path: several links can lead to one file. */
  readonly file?: string
  /**
   * A user named it on the command line, instead of a folder that contains it. If it cannot be checked, that is an
   * error.
   */
  readonly isNamed: boolean
}

/** Something that was found and not judged, so that nobody takes silence for a verdict. */
export type Unjudged = {
  readonly reason: keyof typeof reasons
  readonly path: string
  readonly line?: number
  /** The kind of the object, if it says one; of a calendar, the name of its ConfigMap. */
  readonly kind?: string
}

/** Why something is not judged, as words for one and for several. */
const reasons = {
  OtherKind: ['document of other kinds', 'documents of other kinds'],
  NoObject: ['document that is no object', 'documents that are no objects'],
  Unreadable: ['document that kubectl cannot read', 'documents that kubectl cannot read'],
  Template: ['template', 'templates'],
  Patch: [
    'patch of kustomize (to check the result: kubectl kustomize FOLDER | taskmill lint -)',
    'patches of kustomize (to check the result: kubectl kustomize FOLDER | taskmill lint -)',
  ],
  OtherName: ['file that kubectl ignores by its name', 'files that kubectl ignores by their names'],
  Calendar: ['calendar in a ConfigMap that is not here', 'calendars in ConfigMaps that are not here'],
  Hidden: ['hidden or installed file or folder', 'hidden or installed files and folders'],
} as const

export type Report = {
  /** Ordered by file and position. */
  readonly findings: readonly Finding[]
  /** Number of checked objects of taskmill.dev. */
  readonly manifests: number
  /** Number of files that were read, without patches of kustomize. */
  readonly files: number
  /** Ordered by file and position. */
  readonly unjudged: readonly Unjudged[]
  /** Of schedules without errors, in the order of the files; undefined: they were not asked for. */
  readonly upcoming?: readonly Upcoming[]
}

/** The next slots of one TaskSchedule, for `--next`. */
export type Upcoming = NextSlots & { readonly path: string; readonly object: string }

export type Format = 'text' | 'github' | 'json'
export const formats: readonly Format[] = ['text', 'github', 'json']

const colours: Readonly<Record<Severity, number>> = { error: 31, warning: 33 }

/** Renders the standard output: one line per finding and the next slots, or one JSON document. */
export function renderReport({ upcoming, ...report }: Report, format: Format, options: { readonly isColoured: boolean }): string {
  const next = (upcoming ?? []).flatMap(upcomingLines)
  switch (format) {
    case 'text':
      return linesOf([...report.findings.map((finding) => asText(finding, options.isColoured)), ...next])
    case 'github':
      return linesOf([...report.findings.map(asAnnotation), ...next])
    case 'json':
      return `${JSON.stringify(
        { ...report, ...countFindings(report), ...(upcoming === undefined ? {} : { next: upcoming.map(asJson) }) },
        undefined,
        2,
      )}\n`
  }
}

function upcomingLines(next: Upcoming): readonly string[] {
  return [`${next.path} ${next.object}: ${next.timing}`, ...slotTable(next).map((line) => `  ${line}`)]
}

function asJson({ path, object, timing, slots }: Upcoming): object {
  return {
    path,
    object,
    timing,
    slots: slots.map(({ slot, dueAt, ...shown }) => ({
      ...(slot === undefined ? {} : { slotTime: slotTime(slot) }),
      ...shown,
      ...(dueAt === undefined ? {} : { dueTime: slotTime(dueAt) }),
    })),
  }
}

export function countFindings({ findings }: Pick<Report, 'findings'>): { readonly errors: number; readonly warnings: number } {
  const errors = findings.filter(({ severity }) => severity === 'error').length
  return { errors, warnings: findings.length - errors }
}

/** Summarizes the report in one line, with everything that was not judged. */
export function summarizeReport(report: Report): string {
  const { errors, warnings } = countFindings(report)
  const { manifests, files, unjudged } = report
  const found =
    manifests === 0
      ? `no manifest of taskmill.dev in ${counted(files, 'file')}`
      : `${counted(manifests, 'manifest')} in ${counted(files, 'file')}`
  const beside = (Object.keys(reasons) as (keyof typeof reasons)[]).flatMap((reason) => {
    const own = unjudged.filter((each) => each.reason === reason)
    return own.length === 0 ? [] : [`${counted(own.length, reasons[reason])}: ${namesOf(own)}`]
  })
  const rest = beside.length === 0 ? '' : `. Not judged: ${beside.join('; ')}`
  return `${found}: ${counted(errors, 'error')}, ${counted(warnings, 'warning')}${rest}\n`
}

const mostNames = 5

/** What tells a reader most: the kind of an object, the ending of a file that kubectl ignores, else the path. */
function nameOf({ reason, kind, path }: Unjudged): string {
  if ((reason === 'OtherKind' || reason === 'Calendar') && kind !== undefined) return kind
  const ending = reason === 'OtherName' ? /[^/](\.[^./]+)$/u.exec(path)?.[1] : undefined
  return ending === undefined ? path : `*${ending}`
}

/** Names with how often they occur, the most frequent first; `--format json` lists everything. */
function namesOf(unjudged: readonly Unjudged[]): string {
  const times = new Map<string, number>()
  for (const each of unjudged) times.set(nameOf(each), (times.get(nameOf(each)) ?? 0) + 1)
  const names = [...times].toSorted(([, a], [, b]) => b - a)
  const shown = names.slice(0, mostNames).map(([name, count]) => (count === 1 ? name : `${count} ${name}`))
  return [...shown, ...(names.length > mostNames ? [`${names.length - mostNames} more (--format json names them)`] : [])].join(', ')
}

function counted(count: number, words: string | readonly [one: string, many: string]): string {
  const [one, many] = typeof words === 'string' ? [words, `${words}s`] : words
  return `${count} ${count === 1 ? one : many}`
}

function linesOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('')
}

function asText({ path, line, column, severity, object, field, message }: Finding, isColoured: boolean): string {
  const word = isColoured ? `\u001B[${colours[severity]}m${severity}\u001B[0m` : severity
  const subject = [object, field].filter((each) => each !== undefined && each !== '').join(' ')
  return `${path}:${line}:${column} ${word} ${subject === '' ? '' : `${subject}: `}${message}`
}

/** A GitHub workflow command; GitHub shows it at the changed line. */
function asAnnotation({ path, line, column, severity, object, field, message }: Finding): string {
  const title = object === undefined ? '' : `,title=${escaped(object, /[%\r\n:,]/gu)}`
  const words = field === undefined ? message : `${field}: ${message}`
  return `::${severity} file=${escaped(path, /[%\r\n:,]/gu)},line=${line},col=${column}${title}::${escaped(words, /[%\r\n]/gu)}`
}

function escaped(text: string, special: RegExp): string {
  return text.replaceAll(special, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
}
