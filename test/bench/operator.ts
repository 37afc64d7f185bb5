/** The operator of a benchmark: compiled and at the log level of production, and never silently gone. */
import { spawnSync } from 'node:child_process'
import { connectionOf, startOperator, type OperatorProcess } from '../support/operator-process.ts'

/** What the image gives to the heap in a container with the chart's limit of 512 MiB; on the whole machine Node lets garbage lie for longer. */
const heapMb = Number(process.env['HEAP_MB'] ?? 358)
/** As the chart sets them. */
const youngSpace = '--max-semi-space-size=4'
const arenas = { MALLOC_ARENA_MAX: '2' }
let isBuilt = false

type Start = { readonly identity?: string; readonly namespaces?: readonly string[] }

/** Compiled, with the memory that the chart gives it. */
export function startShippedOperator(cluster: Parameters<typeof connectionOf>[0], start: Start = {}): OperatorProcess {
  build()
  const entry = [`--max-old-space-size=${heapMb}`, youngSpace, 'test/bench/pod-operator.mjs']
  const env = { KUBECONFIG: '', ...connectionOf(cluster), ...arenas, TASKMILL_LOG_LEVEL: 'info' }
  return startOperator({ cluster, ...start, entry, env })
}

/** Ends the benchmark when it ends by itself. */
export function startBenchedOperator(cluster: Parameters<typeof connectionOf>[0], start: Start = {}): OperatorProcess {
  const operator = startShippedOperator(cluster, start)
  let isWanted = true
  void operator.exited.then((code) => {
    if (!isWanted) return
    console.error(`the operator ended with ${code}`, operator.lines.slice(-5))
    process.exit(1)
  })
  return {
    ...operator,
    async kill() {
      isWanted = false
      await operator.kill()
    },
    async [Symbol.asyncDispose]() {
      isWanted = false
      await operator[Symbol.asyncDispose]()
    },
  }
}

function build(): void {
  if (isBuilt) return
  const { status } = spawnSync(process.execPath, ['hack/build.ts'], { stdio: 'inherit' })
  if (status !== 0) throw new Error('the operator could not be compiled')
  isBuilt = true
}
