/** What vitest's JSON reports say of a run: counts, failures in one line each, the slowest tests, and the time of each suite. */
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'

export type Outcome = {
  readonly passed: number
  readonly failed: number
  /** One line each. They are printed at the very end: of a long run often only the end is kept. */
  readonly failures: readonly string[]
  readonly tests: readonly { readonly file: string; readonly name: string; readonly ms: number }[]
  readonly files: readonly { readonly file: string; readonly startMs: number; readonly endMs: number }[]
}

type Assertion = {
  readonly status: string
  readonly fullName: string
  readonly duration?: number | null
  readonly failureMessages?: readonly string[] | null
}
type VitestReport = {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numTotalTests: number
  readonly testResults: readonly {
    readonly name: string
    readonly message?: string
    readonly startTime: number
    readonly endTime: number
    readonly assertionResults: readonly Assertion[]
  }[]
}

/** A run that ends badly without a failed test (an import error, an unhandled rejection) counts as one failure; so does one without tests. */
export function readOutcome(title: string, status: number | null, reportFile: string): Outcome {
  const report = readReport(reportFile)
  const results = report?.testResults ?? []
  const told = results.flatMap(({ name, message = '', assertionResults }) => {
    const file = relative(process.cwd(), name)
    const failed = assertionResults.filter((test) => test.status === 'failed')
    if (failed.length === 0 && message !== '') return [`${file}: ${firstLine(message)}`]
    return failed.map(({ fullName, failureMessages }) => `${file}: ${fullName}: ${firstLine(failureMessages?.[0] ?? '')}`)
  })
  const isEmpty = report === undefined || report.numTotalTests === 0
  const failures = told.length === 0 && (status !== 0 || isEmpty) ? [`${title}: ended with ${status ?? 'a signal'}, see above`] : told
  return {
    passed: report?.numPassedTests ?? 0,
    failed: status === 0 && !isEmpty ? report.numFailedTests : Math.max(1, report?.numFailedTests ?? 0),
    failures,
    tests: results.flatMap(({ name, assertionResults }) =>
      assertionResults.map(({ fullName, duration }) => ({ file: relative(process.cwd(), name), name: fullName, ms: duration ?? 0 })),
    ),
    files: results.map(({ name, startTime, endTime }) => ({ file: relative(process.cwd(), name), startMs: startTime, endMs: endTime })),
  }
}

/** The tests that took longest, one line each. */
export function slowest(outcomes: readonly Outcome[], count = 10): readonly string[] {
  const tests = outcomes.flatMap((outcome) => outcome.tests).toSorted((a, b) => b.ms - a.ms)
  return tests.slice(0, count).map(({ file, name, ms }) => `${seconds(ms)}  ${file}: ${name}`)
}

/** Of each suite from its first file's start to its last one's end, and how long its files took one by one. */
export function timesBySuite(outcomes: readonly Outcome[]): readonly string[] {
  const files = outcomes.flatMap((outcome) => outcome.files)
  return [...Map.groupBy(files, ({ file }) => suiteOf(file))].map(([suite, own]) => {
    const wall = Math.max(...own.map(({ endMs }) => endMs)) - Math.min(...own.map(({ startMs }) => startMs))
    const sum = own.reduce((all, { startMs, endMs }) => all + endMs - startMs, 0)
    return `${seconds(wall)}  ${suite} (${own.length} files, ${seconds(sum).trim()} one by one)`
  })
}

export function suiteOf(file: string): string {
  return /^test\/(chart|integration|fault|e2e)\//u.exec(file)?.[1] ?? 'unit'
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`.padStart(9)
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? ''
}

function readReport(file: string): VitestReport | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as VitestReport
  } catch {
    return undefined
  }
}
