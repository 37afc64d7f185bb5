/**
 * `make test` and `make test-fast`: the checks and all suites, one after the other (two cores), and a closing line
 * `N passed, N failed` that counts tests and checks. `--fast` leaves out what needs a node, which is otherwise brought up
 * when the first suite needs it: until then the machine belongs to the suites, whatever was left running on the node.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { runChecks } from './check.ts'
import { ensureBinaries } from './cluster/binaries.ts'
import { createProgress } from './cluster/progress.ts'
import { ensureTools } from './cluster/tools.ts'

type Count = { readonly passed: number; readonly failed: number }
type TestResult = { readonly status: string; readonly fullName: string; readonly failureMessages?: readonly string[] | null }
type VitestReport = {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numTotalTests: number
  readonly testResults: readonly { readonly name: string; readonly message?: string; readonly assertionResults: readonly TestResult[] }[]
}

const fast = process.argv.includes('--fast')
const suites = ['unit', 'chart', 'integration', ...(fast ? [] : ['fault'])]
const suitesOnTheNode = fast ? [] : ['e2e']
const reports = mkdtempSync(join(tmpdir(), 'taskmill-test-'))
/** Said again at the very end: of a long run often only the end is kept. */
const failures: string[] = []

/** A suite that ends badly without a failed test (an import error, an unhandled rejection) counts as one failure; so does an empty one. */
function runSuite(suite: string): Count {
  const file = join(reports, `${suite}.json`)
  const args = ['run', `--project=${suite}`, '--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
  const { status } = spawnSync('vitest', args, { stdio: 'inherit' })
  const report = readReport(file)
  failures.push(...failuresIn(suite, status, report))
  if (report === undefined || report.numTotalTests === 0) return { passed: 0, failed: 1 }
  const failed = status === 0 ? report.numFailedTests : Math.max(1, report.numFailedTests)
  return { passed: report.numPassedTests, failed }
}

function failuresIn(suite: string, status: number | null, report: VitestReport | undefined): readonly string[] {
  const tests = (report?.testResults ?? []).flatMap(({ name, message = '', assertionResults }) => {
    const file = relative(process.cwd(), name)
    const failed = assertionResults.filter((test) => test.status === 'failed')
    if (failed.length === 0 && message !== '') return [`${suite} ${file}: ${firstLine(message)}`]
    return failed.map(({ fullName, failureMessages }) => `${suite} ${file}: ${fullName}: ${firstLine(failureMessages?.[0] ?? '')}`)
  })
  return tests.length === 0 && status !== 0 ? [`${suite}: ended with ${status ?? 'a signal'}, see above`] : tests
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

console.log('checks')
const checks = runChecks()
if (checks.failed > 0) failures.push('checks: see their lines at the beginning')
const counts: Count[] = [checks]
// Before a suite has to wait for them: on a new machine they are built.
const progress = createProgress()
await Promise.all([ensureBinaries(progress), ensureTools(progress)])
for (const suite of suites) {
  console.log(`\n${suite}`)
  counts.push(runSuite(suite))
}
if (suitesOnTheNode.length > 0) {
  console.log('\nthe node, with the images')
  const { status } = spawnSync('make', ['node-ready'], { stdio: 'inherit' })
  if (status !== 0) {
    counts.push({ passed: 0, failed: 1 })
    failures.push('the node did not come up, see above')
  }
}
for (const suite of suitesOnTheNode) {
  console.log(`\n${suite}`)
  counts.push(runSuite(suite))
}
rmSync(reports, { recursive: true })

const total = counts.reduce((sum, each) => ({ passed: sum.passed + each.passed, failed: sum.failed + each.failed }))
for (const failure of failures) console.log(`FAILED ${failure}`)
console.log(`\n${total.passed} passed, ${total.failed} failed`)
process.exitCode = total.failed === 0 ? 0 : 1
