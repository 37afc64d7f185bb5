/** Follows the demo in the cluster itself, by watch: the quickstart's pool, its pods, Deployment and Events; the assistant's pools, schedules, runs and alerts. */
import { readFile } from 'node:fs/promises'
import {
  deployments,
  events,
  pods,
  taskAlerts,
  taskExecutions,
  taskSchedules,
  workerPools,
  type Deployment,
  type Event,
  type Pod,
  type TaskAlert,
  type TaskExecution,
  type TaskSchedule,
  type WorkerPool,
} from '../../src/api/index.ts'
import { systemClock as clock } from '../../src/clock/index.ts'
import { labels } from '../../src/contract/index.ts'
import { createInformer, createKubeClient, loadKubeConfig, type KubeClient } from '../../src/kube/index.ts'
import { silentLogger as log } from '../../src/observability/index.ts'
import { hasEnded } from './runs.ts'
import { type DemoState, otherExamples } from './state.ts'

const poolName = 'quickstart'

type Started = { start(signal: AbortSignal): void; readonly synced: Promise<void> }

/** Keeps `state` current until the signal aborts; `onChange` after each change. */
export async function observeDemo(
  state: DemoState,
  options: { readonly kubeconfig: string; readonly signal: AbortSignal; readonly onChange: () => void },
): Promise<void> {
  const { kubeconfig, signal, onChange } = options
  const config = await loadKubeConfig({ env: { KUBECONFIG: kubeconfig }, readFile: (path) => readFile(path, 'utf8'), clock })
  const client = createKubeClient({ ...config, clock, userAgent: 'taskmill-demo' })
  signal.addEventListener('abort', () => void client.close(), { once: true })
  const informers = [
    ...observeQuickstart(state, client, onChange),
    ...observeAssistant(state, client, onChange),
    ...observeOthers(state, client, onChange),
  ]
  for (const informer of informers) informer.start(signal)
  await Promise.all(informers.map((informer) => informer.synced))
}

function observeQuickstart(state: DemoState, client: KubeClient, onChange: () => void): readonly Started[] {
  const common = { client, namespace: 'quickstart', clock, log, rng: Math.random }
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
  const latest = createInformer<Event>({ ...common, resource: events })
  latest.onChange(() => {
    state.events = latest
      .list()
      .filter((event) => event.regarding.kind === 'WorkerPool')
      .map((event) => ({ atMs: Date.parse(event.eventTime), reason: event.reason, note: event.note ?? '' }))
      .filter((event) => event.atMs >= state.startedAtMs)
      .toSorted((a, b) => a.atMs - b.atMs)
    onChange()
  })
  return [pools, owned, workers, latest]
}

function observeAssistant({ assistant }: DemoState, client: KubeClient, onChange: () => void): readonly Started[] {
  const common = { client, namespace: 'assistant', clock, log, rng: Math.random }
  const byName = (a: { readonly name: string }, b: { readonly name: string }): number => a.name.localeCompare(b.name)
  const pools = createInformer<WorkerPool>({ ...common, resource: workerPools })
  pools.onChange(() => {
    assistant.pools = pools
      .list()
      .map(({ metadata, status }) => ({ name: metadata.name, status }))
      .toSorted(byName)
    onChange()
  })
  const schedules = createInformer<TaskSchedule>({ ...common, resource: taskSchedules })
  schedules.onChange(() => {
    assistant.schedules = schedules
      .list()
      .map(({ metadata, spec, status }) => ({ name: metadata.name, spec, status }))
      .toSorted(byName)
    onChange()
  })
  const seen = (what: string): void => {
    if (assistant.firstSeenMs[what] === undefined) assistant.firstSeenMs = { ...assistant.firstSeenMs, [what]: clock.now() }
  }
  const runs = createInformer<TaskExecution>({ ...common, resource: taskExecutions })
  runs.onChange((_key, run) => {
    if (hasEnded(run?.status?.state)) seen(run?.metadata.name ?? '')
    assistant.runs = runs
      .list()
      .toSorted((a, b) => createdMs(a) - createdMs(b) || byName(a.metadata, b.metadata))
      .map(({ metadata, spec, status }) => ({
        name: metadata.name,
        schedule: metadata.labels?.[labels.schedule],
        slot: spec.slotTime,
        status,
      }))
    onChange()
  })
  const alerts = createInformer<TaskAlert>({ ...common, resource: taskAlerts })
  alerts.onChange((_key, alert) => {
    if (alert?.status?.state !== undefined) seen(`${alert.metadata.name} ${alert.status.state}`)
    assistant.alerts = alerts
      .list()
      .map(({ metadata, spec, status }) => ({ name: metadata.name, severity: spec.severity, status }))
      .toSorted(byName)
    onChange()
  })
  return [pools, schedules, runs, alerts]
}

function observeOthers({ assistant }: DemoState, client: KubeClient, onChange: () => void): readonly Started[] {
  return otherExamples.map((namespace) => {
    const schedules = createInformer<TaskSchedule>({ client, namespace, resource: taskSchedules, clock, log, rng: Math.random })
    schedules.onChange(() => {
      const views = schedules.list().map(({ metadata, spec, status }) => ({ name: `${namespace}/${metadata.name}`, spec, status }))
      assistant.others = { ...assistant.others, [namespace]: views.toSorted((a, b) => a.name.localeCompare(b.name)) }
      onChange()
    })
    return schedules
  })
}

function createdMs({ metadata }: TaskExecution): number {
  return Date.parse(metadata.creationTimestamp ?? '')
}

function podView(pod: Pod): DemoState['pods'][number] {
  const ready = pod.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') ?? false
  const phase = pod.metadata.deletionTimestamp === undefined ? (pod.status?.phase ?? 'Pending') : 'Terminating'
  return { name: pod.metadata.name, phase, ready }
}
