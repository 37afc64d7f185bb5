/** `make check`: everything that can be said about the sources without running the product. Prints a line per step, and what a failed one said. */
import { spawnSync } from 'node:child_process'
import { pathToFileURL } from 'node:url'

type Step = { readonly name: string; readonly command: readonly string[] }

const steps: readonly Step[] = [
  { name: 'generated files are current', command: ['node', 'hack/generate.ts', '--check'] },
  { name: 'types', command: ['tsc', '-p', 'tsconfig.json'] },
  { name: 'lint', command: ['oxlint', '--type-aware', '--deny-warnings'] },
  { name: 'format', command: ['prettier', '--check', '--log-level=warn', '.'] },
  { name: 'unused code and dependencies', command: ['knip', '--no-progress'] },
  { name: 'architecture', command: ['vitest', 'run', '--project=unit', 'test/architecture'] },
]

export type CheckResult = { readonly passed: number; readonly failed: number }

/** Runs all steps, also after a failed one, so that one run shows everything. */
export function runChecks(): CheckResult {
  let failed = 0
  for (const { name, command } of steps) {
    const [program = '', ...args] = command
    const startedMs = performance.now()
    const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' })
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
    console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`)
    if (status === 0) continue
    failed += 1
    console.log(`${stdout}${stderr}`.trimEnd())
  }
  return { passed: steps.length - failed, failed }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  process.exitCode = runChecks().failed === 0 ? 0 : 1
}
