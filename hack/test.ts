/**
 * `make test` and its relatives. Each run ends with its slowest tests, the time by suite, how long the machine was idle, one line for each
 * failure, and `N passed, N failed`, which counts tests and checks. Suites that never wait (unit, chart) run beside those that mostly do, at the
 * lowest priority: they take the processor time that the others leave.
 *
 * - `node hack/test.ts`: the checks, then every test. The node comes up when only its suite is left: until then the machine belongs to the others.
 * - `--fast`: the checks and what needs neither a node nor faults.
 * - `--changed`: the tests that the difference to `main` can break, without those on the node.
 * - `--soak`: the tests that draw at random, with many more draws and a seed by chance; then the whole load of the scale benchmark, twice: while
 *   operators and Redis are killed, and as the benchmark, whose operator must survive it. Each has the machine for itself.
 * - paths, parts of paths, patterns: those tests.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runChecks } from './check.ts'
import { ensureBinaries } from './cluster/binaries.ts'
import { createProgress } from './cluster/progress.ts'
import { ensureTools } from './cluster/tools.ts'
import { measureIdleShare } from './tests/idle-share.ts'
import { type Outcome, readOutcome, slowest, suiteOf, timesBySuite } from './tests/report.ts'
import { allTestFiles, namedTestFiles, testFilesOf } from './tests/selection.ts'

const flags = process.argv.slice(2).filter((argument) => argument.startsWith('--'))
const words = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const reports = mkdtempSync(join(tmpdir(), 'taskmill-test-'))
const outcomes: Outcome[] = []
/** In the long runs it puts the whole load on the machine. */
const wholeLoad: string = 'test/fault/scale-chaos.test.ts'

/** Since the branch left main, committed or not. */
function changedFiles(): readonly string[] {
  const git = (...args: readonly string[]) => execFileSync('git', args, { encoding: 'utf8' }).split('\n').filter(Boolean)
  const [base = 'HEAD'] = git('merge-base', 'main', 'HEAD')
  return [...new Set([...git('diff', '--name-only', base), ...git('ls-files', '--others', '--exclude-standard')])]
}

function chooseFiles(): readonly string[] {
  if (flags.includes('--soak')) return allTestFiles().filter((file) => readFileSync(file, 'utf8').includes('support/draws.ts'))
  if (flags.includes('--changed')) return testFilesOf(changedFiles()).filter((file) => suiteOf(file) !== 'e2e')
  return namedTestFiles(words)
}

function run(title: string, files: readonly string[]): Promise<void> {
  return runVitest(title, files, 'inherit')
}

/** The others do not wait for these: they get at least nine tenths of a processor that both want. */
async function runInBackground(title: string, files: readonly string[], whileThese: Promise<void>): Promise<void> {
  const output = join(reports, `${title}.txt`)
  await Promise.all([runVitest(title, files, openSync(output, 'w'), ['nice', '-n', '10']), whileThese])
  console.log(readFileSync(output, 'utf8'))
}

async function runVitest(
  title: string,
  files: readonly string[],
  output: 'inherit' | number,
  before: readonly string[] = [],
): Promise<void> {
  const report = join(reports, `${title}.json`)
  const vitest = ['vitest', 'run', ...files, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const [program = '', ...args] = [...before, ...vitest]
  const child = spawn(program, args, {
    stdio: ['inherit', output, output],
    env: { ...process.env, ...(flags.includes('--soak') ? { SOAK: '1' } : {}) },
  })
  const [status] = (await once(child, 'close')) as [number | null]
  outcomes.push(readOutcome(title, status, report))
}

async function runOnNode(files: readonly string[]): Promise<void> {
  console.log('\nthe node, with the images')
  const { status } = spawnSync('make', ['node-ready'], { stdio: 'inherit' })
  if (status !== 0) outcomes.push({ passed: 0, failed: 1, failures: ['the node did not come up, see above'], tests: [], files: [] })
  await run('e2e', files)
}

/** Its table is for people; only an operator that ends by itself is a failure. */
function runScale(): void {
  console.log('\nthe scale benchmark, at its full size')
  const { status } = spawnSync(process.execPath, ['test/bench/main.ts', 'scale'], {
    stdio: 'inherit',
    env: { ...process.env, SCALE_PERCENT: '100' },
  })
  const failures = status === 0 ? [] : ['the scale benchmark did not come to its end, see above']
  outcomes.push({ passed: 1 - failures.length, failed: failures.length, failures, tests: [], files: [] })
}

const idleShare = measureIdleShare()
const startedMs = performance.now()
const isWhole = words.length === 0 && !flags.includes('--changed') && !flags.includes('--soak')
if (isWhole) {
  console.log('checks')
  const checks = await runChecks({ isBeforeTests: true })
  const failures = checks.failed > 0 ? ['checks: see their lines at the beginning'] : []
  outcomes.push({ ...checks, failures, tests: [], files: [] })
}
const chosen = isWhole ? allTestFiles() : chooseFiles()
const bySuite = Map.groupBy(chosen, suiteOf)
const onNode = flags.includes('--fast') ? [] : (bySuite.get('e2e') ?? [])
const alone = flags.includes('--soak') ? chosen.filter((file) => file === wholeLoad) : []
const others = chosen.filter(
  (file) => suiteOf(file) !== 'e2e' && !(flags.includes('--fast') && suiteOf(file) === 'fault') && !alone.includes(file),
)
if (chosen.length === 0) console.log('no test can break by what has changed')
// Before a test has to wait for them: on a new machine they are built.
if (others.some((file) => suiteOf(file) !== 'unit')) {
  const progress = createProgress()
  await Promise.all([ensureBinaries(progress), ensureTools(progress)])
}
const waiting = others.filter((file) => suiteOf(file) === 'integration' || suiteOf(file) === 'fault')
const busy = others.filter((file) => !waiting.includes(file))
if (waiting.length > 0 && busy.length > 0) await runInBackground('busy', busy, run('waiting', waiting))
else if (others.length > 0) await run('tests', others)
if (onNode.length > 0) await runOnNode(onNode)
if (flags.includes('--soak') && process.env['ONLY'] === undefined) {
  await run('alone', alone)
  runScale()
}
rmSync(reports, { recursive: true })

const minutes = ((performance.now() - startedMs) / 60_000).toFixed(1)
console.log(`\nslowest tests\n${slowest(outcomes).join('\n')}\n\ntime by suite\n${timesBySuite(outcomes).join('\n')}`)
console.log(`\n${minutes} min in all; the processors were idle for ${Math.round(idleShare() * 100)}% of it`)
for (const failure of outcomes.flatMap(({ failures }) => failures)) console.log(`FAILED ${failure}`)
const [passed, failed] = (['passed', 'failed'] as const).map((key) => outcomes.reduce((sum, outcome) => sum + outcome[key], 0))
console.log(`\n${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
