/** The operator as a process of its own, run from the sources, so that a test can kill it like a kubelet or a node would. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Cluster } from '../../hack/cluster/control-plane.ts'
import type { OperatorInputs } from '../../src/main/operator.ts'

export type LogLine = Readonly<Record<string, unknown>> & { readonly msg?: string }

export type OperatorProcess = AsyncDisposable & {
  readonly lines: readonly LogLine[]
  readonly pid: number
  /** Resolves with the first line, past or future, whose message is this. */
  logged(message: string): Promise<LogLine>
  signal(name: NodeJS.Signals): void
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>
  /** SIGTERM, and waits for the end. */
  stop(): Promise<void>
  readonly exited: Promise<number | null>
}

/** The command line of the product, as the image runs it. */
export const productEntry: readonly string[] = ['src/main/cli.ts', 'operator']

export function startOperator(options: {
  /** As a pod of it connects; by its kubeconfig where there is no folder for pods. */
  readonly cluster: Pick<Cluster, 'kubeconfig'> & Partial<Pick<Cluster, 'server' | 'podFolder'>>
  readonly identity?: string
  /** The operator watches these, and its Lease is in the first; by default it watches all, and the Lease is in `default`. */
  readonly namespaces?: readonly string[]
  /** What else stands in its environment. */
  readonly env?: Readonly<Record<string, string>>
  /** Times unlike those of the product; only the operator of the tests knows them. */
  readonly times?: OperatorInputs['times']
  /** What Node runs; by default the operator of the tests (test-operator.ts). */
  readonly entry?: readonly string[]
}): OperatorProcess {
  const { cluster, identity = 'operator-0', namespaces = [], entry = ['test/support/test-operator.ts'] } = options
  // It ends with the test process, however that ends.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', process.execPath, ...entry], {
    env: {
      ...process.env,
      // Only the operator of the tests knows the folder.
      ...(options.entry === undefined ? connectionOf(cluster) : { KUBECONFIG: cluster.kubeconfig }),
      POD_NAME: identity,
      POD_NAMESPACE: namespaces[0] ?? 'default',
      TASKMILL_WATCH_NAMESPACES: namespaces.join(','),
      TASKMILL_HTTP_PORT: '0',
      TASKMILL_LOG_LEVEL: 'debug',
      TEST_TIMES: JSON.stringify(options.times ?? {}),
      ...options.env,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines: LogLine[] = []
  const watchers = new Set<(line: LogLine) => void>()
  createInterface({ input: child.stdout }).on('line', (text) => {
    const line = parse(text)
    lines.push(line)
    for (const watch of watchers) watch(line)
  })
  const exited = once(child, 'exit').then(([code]) => code as number | null)
  const end = async (name: NodeJS.Signals): Promise<void> => {
    if (isRunning(child)) child.kill(name)
    await exited
  }
  return {
    lines,
    pid: child.pid ?? 0,
    logged: (message) =>
      new Promise((resolve) => {
        const seen = lines.find((line) => line.msg === message)
        if (seen !== undefined) return resolve(seen)
        const watch = (line: LogLine): void => {
          if (line.msg !== message) return
          watchers.delete(watch)
          resolve(line)
        }
        watchers.add(watch)
      }),
    signal: (name) => void child.kill(name),
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    exited,
    [Symbol.asyncDispose]: () => end('SIGKILL'),
  }
}

/**
 * A Lease that no process loses because it, or the API server, got no processor time for a while: for tests that count the terms of a leader
 * and stop none. Another process takes it over much later than in the product; the same one at once.
 */
export const unhurriedLease = { leaseDurationMs: 240_000, renewDeadlineMs: 230_000 } as const

/** How often it began to lead. */
export const termsOf = ({ lines }: OperatorProcess): number => lines.filter(({ msg }) => msg === 'leading').length

/** A pod needs half of the time to start: it does not load what reads kubeconfigs. */
export function connectionOf({
  server,
  podFolder,
  kubeconfig,
}: Parameters<typeof startOperator>[0]['cluster']): Readonly<Record<string, string>> {
  if (server === undefined || podFolder === undefined) return { KUBECONFIG: kubeconfig }
  const { hostname, port } = new URL(server)
  return { POD_FOLDER: podFolder, KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port }
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null
}

function parse(text: string): LogLine {
  try {
    return JSON.parse(text) as LogLine
  } catch {
    return { msg: text }
  }
}
