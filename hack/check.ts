/** `make check`: everything that can be said about the sources without running the product. Prints a line per step, and what a failed one said. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'

type Step = { readonly name: string; readonly command: readonly string[] }

/** The longest first. */
const steps: readonly Step[] = [
  { name: 'lint', command: ['oxlint', '--type-aware', '--deny-warnings'] },
  { name: 'format', command: ['prettier', '--check', '--log-level=warn', '.'] },
  { name: 'types', command: ['tsc', '-p', 'tsconfig.json'] },
  { name: 'unused code and dependencies', command: ['knip', '--no-progress'] },
  { name: 'generated files are current', command: ['node', 'hack/generate.ts', '--check'] },
]
/** Tests that say something about the sources. */
const architecture: Step = { name: 'architecture', command: ['vitest', 'run', '--project=unit', 'test/architecture'] }

export type CheckResult = { readonly passed: number; readonly failed: number }

/**
 * Runs all steps, as many at once as there are processors, also after a failed one, so that one run shows everything. Those that are
 * tests are left to the caller that runs all tests next.
 */
export async function runChecks({ isBeforeTests = false } = {}): Promise<CheckResult> {
  const left = isBeforeTests ? [...steps] : [...steps, architecture]
  const results: boolean[] = []
  async function runNext(): Promise<void> {
    for (let step = left.shift(); step !== undefined; step = left.shift()) results.push(await runStep(step))
  }
  await Promise.all(Array.from({ length: availableParallelism() }, runNext))
  const passed = results.filter(Boolean).length
  return { passed, failed: results.length - passed }
}

async function runStep({ name, command: [program = '', ...args] }: Step): Promise<boolean> {
  const startedMs = performance.now()
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const [code, stdout, stderr] = await Promise.all([
    once(child, 'close').then(
      ([exitCode]) => exitCode as number | null,
      () => null,
    ),
    text(child.stdout),
    text(child.stderr),
  ])
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
  console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`)
  if (code !== 0) console.log(`${stdout}${stderr}`.trimEnd())
  return code === 0
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  process.exitCode = (await runChecks()).failed === 0 ? 0 : 1
}
