/** What a real Prometheus makes of the operator's metrics and of the chart's alerts. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tryRun } from '../../hack/cluster/command.ts'
import { type PrometheusServer, startPrometheus } from '../../hack/cluster/prometheus.ts'
import { temporaryFolder } from '../../hack/cluster/temporary-folder.ts'
import { type KubeObject, kinds, type Resource, taskQueues, taskSchedules } from '../../src/api/index.ts'
import { metricGroups, type MetricGroup, mostSeries } from '../../src/observability/index.ts'
import { renderChart } from '../chart/helm.ts'
import { namespaces } from '../support/cluster-client.ts'
import { createSchedule } from '../support/manifests.ts'
import { startWorkerPod } from '../support/worker-pod.ts'
import { kindCases } from './api-kinds/index.ts'
import { addJobs, queueOf } from './consumers.ts'
import { scheduleHome, type ScheduleHome } from './schedule-home.ts'

let home: ScheduleHome
let prometheus: PrometheusServer
let operator: string

type RenderedRule = { readonly alert: string; readonly for?: string }
type RenderedGroup = { readonly rules: readonly RenderedRule[] }

beforeAll(async () => {
  home = await scheduleHome('prometheus', { isAlone: true })
  const { port } = await home.operator.logged('operator started')
  operator = `127.0.0.1:${String(port)}`
  const objects = await renderChart('serviceMonitor.enabled=true', 'metrics.prometheusRule.enabled=true')
  const specOf = (kind: string) => objects.find((object) => object.kind === kind)?.spec as unknown
  const { endpoints } = specOf('ServiceMonitor') as { endpoints: readonly [{ honorLabels: boolean }] }
  const { groups } = specOf('PrometheusRule') as { groups: readonly RenderedGroup[] }
  prometheus = await startPrometheus({
    target: operator,
    labels: { namespace: 'taskmill-system', pod: 'operator-0' },
    honorLabels: endpoints[0].honorLabels,
    // As the chart has them, but without patience.
    groups: groups.map((group) => ({ ...group, rules: group.rules.map(withoutPatience) })),
  })
})

afterAll(async () => {
  await prometheus?.[Symbol.asyncDispose]()
  await home?.stop()
})

function withoutPatience(rule: RenderedRule): RenderedRule {
  const { for: _, ...rest } = rule
  return rest
}

const text = async () => (await fetch(`http://${operator}/metrics`)).text()
const patience = { timeout: 60_000, interval: 500 }

/** Labels of the alerts of that name that fire. */
async function firing(name: string): Promise<readonly Readonly<Record<string, string>>[]> {
  const found = await prometheus.query(`ALERTS{alertname="${name}", alertstate="firing"}`)
  return found.map(({ metric }) => metric)
}

describe('the scrape', () => {
  it('is up, and the namespace of a series is that of its object', async () => {
    await expect.poll(() => prometheus.query('up == 1').then(({ length }) => length), patience).toBe(1)
    const condition = 'taskmill_object_condition{kind="TaskBroker", condition="Ready"} == 1'
    await expect.poll(() => prometheus.query(condition).then(([sample]) => sample?.metric['namespace']), patience).toBe(home.namespace)
    expect(await prometheus.query('{exported_namespace!=""}')).toEqual([])
  })

  it('finds nothing that promtool minds, of the operator or of a worker', async () => {
    const folder = await temporaryFolder('taskmill-worker-')
    await writeFile(join(folder, 'tasks.mjs'), 'export const tasks = { ok: () => 1 }')
    await using worker = await startWorkerPod(folder, home.redis.address)
    await expect.poll(() => worker.get('/metrics').then(([status]) => status), patience).toBe(200)
    for (const output of [await text(), (await worker.get('/metrics'))[1]]) {
      expect(await tryRun('promtool', ['check', 'metrics'], { input: output })).toEqual({ code: 0, stdout: '', stderr: '' })
    }
  })
})

describe('the rules', () => {
  it('are loaded and evaluated without an error', async () => {
    type Rules = { readonly groups: readonly { readonly rules: readonly { readonly name: string; readonly health: string }[] }[] }
    const unhealthy = async () => {
      const { groups } = await prometheus.api<Rules>('rules')
      const rules = groups.flatMap((group) => group.rules)
      return [rules.length > 10, ...rules.filter(({ health }) => health !== 'ok')]
    }
    await expect.poll(unhealthy, patience).toEqual([true])
  })

  it('fire for a schedule that fails, until it is gone', async () => {
    home.consume('failing', () => Promise.reject(new Error('no')))
    await createSchedule(home.client, home.namespace, 'failing', { everySeconds: 1, task: { type: 't', queue: 'failing' } })
    await expect.poll(() => firing('TaskmillScheduleFailing'), patience).toMatchObject([{ namespace: home.namespace, schedule: 'failing' }])
    await home.client.delete(taskSchedules, home.namespace, 'failing')
    await expect.poll(() => firing('TaskmillScheduleFailing'), patience).toEqual([])
  })

  it('fire for a queue without workers, also without a pool, and not for a paused queue', async () => {
    const queues = ['open', 'held']
    const declare = (name: string, suspend: boolean) =>
      home.client.apply(
        taskQueues,
        { metadata: { namespace: home.namespace, name }, spec: { queueName: name, suspend } },
        { fieldManager: 'test', force: true },
      )
    await Promise.all(queues.map((name) => declare(name, false)))
    await Promise.all(
      queues.map(async (name) => {
        await using queue = queueOf(home.redis, name)
        await addJobs(queue, ['first'])
      }),
    )
    const told = () => firing('TaskmillQueueNotWorked').then((alerts) => alerts.map(({ queue = '' }) => queue).toSorted())
    await expect.poll(told, patience).toEqual(['held', 'open'])
    await declare('held', true)
    await expect.poll(told, patience).toEqual(['open'])
    expect(await prometheus.query('taskmill_queue_jobs{queue="held", state="waiting"} == 1')).toHaveLength(1)
  })

  it('fire while a broker is away, and end when it is back', async () => {
    await expect.poll(() => firing('TaskmillBrokerUnreachable'), patience).toEqual([])
    await home.redis.kill()
    await expect
      .poll(() => firing('TaskmillBrokerUnreachable'), patience)
      .toMatchObject([{ namespace: home.namespace, severity: 'critical' }])
    await home.redis.restart()
    await expect.poll(() => firing('TaskmillBrokerUnreachable'), patience).toEqual([])
    expect(await firing('TaskmillNoLeader')).toEqual([])
  })
})

it('series of deleted objects of every kind vanish', async () => {
  const namespace = 'gone'
  await home.client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }, { fieldManager: 'test' })
  const objects = kindCases.map(({ kind, least }) => ({
    resource: { ...kind, group: 'taskmill.dev', version: 'v1alpha1', namespaced: true } as unknown as Resource<KubeObject>,
    object: { ...least.object, metadata: { ...least.object.metadata, namespace } } as unknown as KubeObject,
  }))
  expect(objects.map(({ object }) => object.kind).toSorted()).toEqual(kinds.map(({ kind }) => kind).toSorted())
  for (const { resource, object } of objects) await home.client.create(resource, object, { fieldManager: 'test' })

  const telling = new Set((metricGroups as readonly MetricGroup[]).find(({ metrics }) => 'taskmill_object_condition' in metrics)?.owners)
  const seen = async () => [...telling].filter((kind) => new RegExp(`namespace="${namespace}".*kind="${kind}"`, 'u').test(told))
  let told = ''
  await expect.poll(async () => ((told = await text()), seen()), patience).toEqual([...telling])
  const mostSeriesOf = mostSeries(metricGroups)
  for (const { object } of objects) {
    const named = new RegExp(`^[^#]*\\{namespace="${namespace}",[a-z]+="${object.metadata.name}"`, 'gmu')
    // Objects of several kinds may have one name: then they have all of their series together.
    const most = objects.filter(({ object: { metadata } }) => metadata.name === object.metadata.name)
    expect(told.match(named)?.length ?? 0).toBeLessThanOrEqual(
      most.reduce((sum, each) => sum + (mostSeriesOf.get(each.object.kind) ?? 0), 0),
    )
  }
  for (const { resource, object } of objects) await home.client.delete(resource, namespace, object.metadata.name)
  await expect.poll(async () => (await text()).split('\n').filter((line) => line.includes(`"${namespace}"`)), patience).toEqual([])
})
