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
  /**
   * A user named it on the command line, instead of a folder that contains it. If it cannot be checked, that is an
   * error.
   */
  readonly isNamed: boolean
}

export type Report = {
  /** Ordered by file and position. */
  readonly findings: readonly Finding[]
  /** Number of checked objects of taskmill.dev. */
  readonly manifests: number
  readonly files: number
  /** Number of documents of other kinds. */
  readonly skipped: number
  /** Number of files that a kustomization.yaml uses as patches; they are not whole objects. */
  readonly patches: number
}

export type Format = 'text' | 'github' | 'json'
export const formats: readonly Format[] = ['text', 'github', 'json']

const colours: Readonly<Record<Severity, number>> = { error: 31, warning: 33 }

/** Renders the standard output: one line per finding, or one JSON document. */
export function renderReport(report: Report, format: Format, options: { readonly isColoured: boolean }): string {
  switch (format) {
    case 'text':
      return linesOf(report.findings.map((finding) => asText(finding, options.isColoured)))
    case 'github':
      return linesOf(report.findings.map(asAnnotation))
    case 'json':
      return `${JSON.stringify({ ...report, ...countFindings(report) }, undefined, 2)}\n`
  }
}

export function countFindings({ findings }: Report): { readonly errors: number; readonly warnings: number } {
  const errors = findings.filter(({ severity }) => severity === 'error').length
  return { errors, warnings: findings.length - errors }
}

/** Summarizes the report in one line. */
export function summarizeReport(report: Report): string {
  const { errors, warnings } = countFindings(report)
  const { manifests, files, skipped, patches } = report
  const found =
    manifests === 0
      ? `no manifest of taskmill.dev in ${counted(files, 'file')}`
      : `${counted(manifests, 'manifest')} in ${counted(files, 'file')}`
  const beside = [
    ...(skipped === 0 ? [] : [`${counted(skipped, 'document')} of other kinds`]),
    ...(patches === 0
      ? []
      : [`${counted(patches, 'patch', 'patches')} of kustomize (to check the result: kubectl kustomize FOLDER | taskmill lint -)`]),
  ]
  return `${found}: ${counted(errors, 'error')}, ${counted(warnings, 'warning')}${beside.length === 0 ? '' : `. Skipped: ${beside.join(', ')}`}\n`
}

function counted(count: number, one: string, many = `${one}s`): string {
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
