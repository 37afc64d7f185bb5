/** Follows the demo in the cluster itself: the pool, its pods, Deployment and Events by watch, the burst by the log of its pod. */
import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { deployments, events, pods, workerPools, type Deployment, type Event, type Pod, type WorkerPool } from '../../src/api/index.ts'
import { systemClock as clock } from '../../src/clock/index.ts'
import { createInformer, createKubeClient, loadKubeConfig } from '../../src/kube/index.ts'
import { silentLogger as log } from '../../src/observability/index.ts'
import type { BurstLine, DemoState } from './state.ts'

export const demoNamespace = 'quickstart'
const poolName = 'quickstart'

/** Keeps `state` current until the signal aborts; `onChange` after each change. */
export async function observeDemo(
  state: DemoState,
  options: { readonly kubeconfig: string; readonly signal: AbortSignal; readonly onChange: () => void },
): Promise<void> {
  const { kubeconfig, signal, onChange } = options
  const config = await loadKubeConfig({ env: { KUBECONFIG: kubeconfig }, readFile: (path) => readFile(path, 'utf8'), clock })
  const client = createKubeClient({ ...config, clock, userAgent: 'taskmill-demo' })
  signal.addEventListener('abort', () => void client.close(), { once: true })
  const common = { client, namespace: demoNamespace, clock, log, rng: Math.random }

  const pools = createInformer<WorkerPool>({ ...common, resource: workerPools })
  pools.onChange((_key, pool) => {
    if (pool?.metadata.name === poolName) state.status = pool.status
    onChange()
  })
  const owned = createInformer<Deployment>({ ...common, resource: deployments, labelSelector: `taskmill.dev/pool=${poolName}` })
  owned.onChange((_key, deployment) => {
    const replicas = deployment?.spec.replicas ?? 0
    if (state.replicas.at(-1)?.replicas !== replicas) state.replicas.push({ atMs: clock.now(), replicas })
    onChange()
  })
  const workers = createInformer<Pod>({ ...common, resource: pods, labelSelector: `taskmill.dev/pool=${poolName}` })
  workers.onChange(() => {
    state.pods = workers.list().map(podView)
    if (state.firstAddedAtMs !== undefined && state.pods.some((pod) => pod.ready)) state.firstReadyAtMs ??= clock.now()
    onChange()
  })
  const news = createInformer<Event>({ ...common, resource: events })
  news.onChange(() => {
    state.events = news
      .list()
      .filter((event) => event.regarding.kind === 'WorkerPool')
      .map((event) => ({ atMs: Date.parse(event.eventTime), reason: event.reason, note: event.note ?? '' }))
      .filter((event) => event.atMs >= state.startedAtMs)
      .toSorted((a, b) => a.atMs - b.atMs)
    onChange()
  })
  const informers = [pools, owned, workers, news]
  for (const informer of informers) informer.start(signal)
  await Promise.all(informers.map((informer) => informer.synced))
}

/** Follows the burst's own account until its pod ends; rejects when the pod cannot be followed. */
export async function followBurst(
  job: string,
  state: DemoState,
  options: { readonly env: NodeJS.ProcessEnv; readonly onChange: () => void },
): Promise<void> {
  // A container that is still being created has no log yet, and `kubectl logs` does not wait for it.
  for (let attempt = 1; ; attempt += 1) {
    const { code, said, lines } = await readLog(job, state, options)
    if (code === 0) return
    if (lines > 0 || attempt >= 150) throw new Error(`the log of ${job} cannot be followed: ${said.trim()}`)
    await sleep(400)
  }
}

type LogEnd = { readonly code: number; readonly said: string; readonly lines: number }

function readLog(job: string, state: DemoState, options: Parameters<typeof followBurst>[2]): Promise<LogEnd> {
  const child = spawn('kubectl', ['-n', demoNamespace, 'logs', '-f', job], { env: options.env, stdio: ['ignore', 'pipe', 'pipe'] })
  let [said, lines] = ['', 0]
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (said += text))
  createInterface({ input: child.stdout }).on('line', (text) => {
    lines += 1
    take(state, JSON.parse(text) as BurstLine)
    options.onChange()
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code: code ?? 1, said, lines }))
  })
}

function take(state: DemoState, line: BurstLine): void {
  if ('firstAddedAt' in line && !('done' in line)) {
    state.firstAddedAtMs = line.firstAddedAt
    state.tally = { added: line.added, done: 0, missing: line.added, twice: 0 }
  }
  if (!('done' in line)) return
  state.tally = { added: line.added, done: line.done, missing: line.missing, twice: line.twice }
  if (line.finished === true) state.finished = true
}

function podView(pod: Pod): DemoState['pods'][number] {
  const ready = pod.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') ?? false
  const phase = pod.metadata.deletionTimestamp === undefined ? (pod.status?.phase ?? 'Pending') : 'Terminating'
  return { name: pod.metadata.name, phase, ready }
}
