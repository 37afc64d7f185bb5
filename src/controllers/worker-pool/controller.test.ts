import { expect, test } from 'vitest'
import { type Deployment, findCondition, type WorkerPool, type WorkerPoolStatus } from '../../api/index.ts'
import { fakeClock } from '../../clock/index.ts'
import { createMetrics, silentLogger } from '../../observability/index.ts'
import { createWriteBudget } from '../../services/status/index.ts'
import { taskmillError } from '../../errors/index.ts'
import { broker, deploymentOf, loadOf, nowMs, poolOf, scalingOf } from './fixtures.ts'
import { createWorkerPoolController, type WorkerPoolDeps } from './controller.ts'

/** A pool whose cache of Deployments stands still while the API server continues. */
function setup(poolInCache: WorkerPool = poolOf(), poolOnServer = poolInCache, deployment = deploymentOf(0)) {
  const server = {
    deployment,
    reads: 0,
    replicas: [] as number[],
    status: undefined as WorkerPoolStatus | undefined,
    refuses: undefined as unknown,
    isClosing: false,
  }
  const cache = { deployment: server.deployment }
  const load = { waiting: 0 }
  const backlogs: (number | undefined)[] = []
  const unused = () => undefined
  const client = {
    async get() {
      server.reads++
      return server.deployment
    },
    async apply(
      _resource: unknown,
      body: { metadata: { annotations?: Deployment['metadata']['annotations'] }; spec: { replicas?: number } },
    ) {
      if (server.refuses !== undefined && 'template' in body.spec) throw server.refuses
      const { metadata, spec } = server.deployment
      if (body.spec.replicas !== undefined) server.replicas.push(body.spec.replicas)
      server.deployment = {
        ...server.deployment,
        metadata: {
          ...metadata,
          ...(body.metadata.annotations ? { annotations: body.metadata.annotations } : {}),
          generation: (metadata.generation ?? 0) + 1,
          resourceVersion: String(Number(metadata.resourceVersion) + 1),
        },
        spec: { ...spec, ...(body.spec.replicas === undefined ? {} : { replicas: body.spec.replicas }) },
      }
      return server.deployment
    },
    list: async ({ plural }: { readonly plural: string }) => ({
      items: plural === 'workerpools' ? [poolOnServer] : [],
      resourceVersion: '1',
    }),
    async applyStatus(_: unknown, { status }: { readonly status: WorkerPoolStatus }) {
      server.status = status
      backlogs.push(status.backlog)
      return { metadata: {} }
    },
  }
  const clock = fakeClock(nowMs)
  const controller = createWorkerPoolController({
    client,
    pools: { get: () => poolInCache },
    taskBrokers: { get: () => broker },
    directory: { get: () => ({ kind: 'Known', endpoint: { address: 'redis:6379', keyPrefix: 'bull' } }) },
    deployments: { get: () => cache.deployment },
    signals: {
      subscribe: unused,
      unsubscribe: unused,
      snapshot: () => new Map([['email_tasks', { ok: true, reading: loadOf({ waiting: load.waiting }), orphaned: 0, readAtMs: nowMs }]]),
    },
    events: { event: unused },
    metrics: createMetrics({ now: () => 0 }),
    clock,
    statusBudget: createWriteBudget({ clock, perSecond: 10, closing: { isClosing: () => server.isClosing, noteGone: unused } }),
  } as unknown as WorkerPoolDeps)
  const reconcile = () =>
    controller.reconcile('acme/email', {
      signal: new AbortController().signal,
      log: silentLogger,
      areOthersDue: () => false,
      stepAside: () => undefined,
    })
  return { clock, server, cache, load, backlogs, reconcile }
}

test('nothing is decided on a cache that is older than what was written: the API server is asked until the cache has caught up', async () => {
  const { server, cache, load, reconcile } = setup()
  load.waiting = 100
  await reconcile()
  expect(server).toMatchObject({ replicas: [2], reads: 0 })

  // The cache still shows 0 replicas, without an author: taken at its word, this would be a change by a person, or a second scaling.
  await reconcile()
  await reconcile()
  expect(server).toMatchObject({ replicas: [2], reads: 2 })

  cache.deployment = server.deployment
  await reconcile()
  expect(server).toMatchObject({ replicas: [2], reads: 2 })
})

test('the backlog in the status is at most 5 s old while a burst runs, and is not written while it stays', async () => {
  const { clock, server, cache, load, backlogs, reconcile } = setup()
  load.waiting = 2_000
  await reconcile()
  cache.deployment = server.deployment
  await reconcile()
  backlogs.length = 0
  /** A pass a second, as the signals announce changes. */
  const live = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second += 1) {
      await clock.advance(1_000)
      await reconcile()
    }
  }
  await live(20)
  expect(backlogs.splice(0)).toEqual([])
  load.waiting = 1_000
  await live(1)
  expect(backlogs.splice(0)).toEqual([1_000])
  load.waiting = 900
  await live(4)
  load.waiting = 800
  await live(1)
  expect(backlogs.splice(0)).toEqual([800])
  await live(60)
  expect(backlogs).toEqual([])
  load.waiting = 0
  await live(5)
  expect(backlogs).toContain(0)
})

test('a template that server-side apply answers with 500 stops neither the replicas nor the status', async () => {
  const { server, load, reconcile } = setup(poolOf(), poolOf(), deploymentOf(1, {}, 1))
  const message =
    'failed to create typed patch object (acme/email; apps/v1, Kind=Deployment): .spec.template.spec.containers[name="worker"].env: '
  server.refuses = taskmillError('TM_KUBE_INVALID', `${message}duplicate entries for key [name="A"]`, {
    details: { status: 500, causes: [] },
  })
  load.waiting = 100
  await reconcile()
  expect(server.replicas).toEqual([2])
  expect(server.status).toMatchObject({ observedGeneration: 3, desiredReplicas: 2, backlog: 100, reason: 'TemplateInvalid' })
  expect(findCondition(server.status?.conditions, 'Stalled')?.message).toContain('two entries have name="A"')
})

test('a refused template is not looked at in a hurry while the Deployment of its name belongs to another owner', async () => {
  const { clock, server, cache, reconcile } = setup(poolOf(), poolOf(), deploymentOf(1, {}, 1))
  server.refuses = taskmillError('TM_KUBE_FORBIDDEN', 'exceeded quota: compute', { details: { status: 403, causes: [] } })
  await reconcile()
  expect(server.status).toMatchObject({ reason: 'TemplateRefused' })

  const { ownerReferences: _, ...metadata } = server.deployment.metadata
  cache.deployment = server.deployment = { ...server.deployment, metadata }
  await clock.advance(40_000)
  expect(await reconcile()).toEqual({ requeueAfterMs: 30_000 })
  expect(server.status).toMatchObject({ reason: 'DeploymentNotOwned' })
})

test('a new leader whose cache is behind keeps what the former one recorded of an override', async () => {
  const pool = poolOf({ ...scalingOf({ mode: 'DryRun' }), override: { replicas: 9, until: '2026-11-23T04:00:00Z' } })
  const status = { observedGeneration: 3, desiredReplicas: 9, replicasBeforeOverride: 2 }
  const newest = { ...pool, metadata: { ...pool.metadata, resourceVersion: '8' }, status }
  const behind = { ...pool, metadata: { ...pool.metadata, resourceVersion: '5' }, status: { observedGeneration: 2, desiredReplicas: 2 } }
  const { server, reconcile } = setup(behind, newest, deploymentOf(9, {}, 9))
  await reconcile()
  expect(server.status).toMatchObject({ replicasBeforeOverride: 2, desiredReplicas: 9 })
})

test('in a namespace that is being deleted nothing is asked for and nothing written', async () => {
  const { server, load, reconcile } = setup()
  load.waiting = 100
  server.isClosing = true
  expect(await reconcile()).toEqual({ requeueAfterMs: 60_000 })
  expect(server).toMatchObject({ replicas: [], reads: 0 })
  expect(server.status).toBeUndefined()
  server.isClosing = false
  await reconcile()
  expect(server.replicas).toEqual([2])
})

test.each([
  ['was edited elsewhere since, while no operator ran', 4, 'Invalid value'],
  ['is the same, and the answer has changed', 3, 'Required value'],
])('an operator that starts names the generation whose template was refused first, where the spec %s', async (_, generation, problem) => {
  const refusing = (message: string) =>
    taskmillError('TM_KUBE_INVALID', 'invalid', {
      details: { status: 422, causes: [{ field: 'spec.template.spec.containers[0].image', message }] },
    })
  const first = setup(poolOf(), poolOf(), deploymentOf(1, {}, 1))
  first.server.refuses = refusing('Invalid value')
  await first.reconcile()
  expect(first.server.status).toMatchObject({ observedGeneration: 3 })

  const pool = { ...poolOf(), metadata: { ...poolOf().metadata, generation }, status: first.server.status } as WorkerPool
  const second = setup(pool, pool, deploymentOf(1, {}, 1))
  second.server.refuses = refusing(problem)
  await second.reconcile()
  const { conditions } = second.server.status ?? pool.status ?? {}
  expect(findCondition(conditions, 'Stalled')?.message).toMatch(/^template of generation 3 refused: /u)
})

test('the template of a later generation that is refused for another reason is named by that generation', async () => {
  const first = setup(poolOf(), poolOf(), deploymentOf(1, {}, 1))
  first.server.refuses = taskmillError('TM_KUBE_INVALID', 'first', { details: { status: 400, causes: [] } })
  await first.reconcile()
  const pool = { ...poolOf(), metadata: { ...poolOf().metadata, generation: 5 }, status: first.server.status } as WorkerPool
  const second = setup(pool, pool, deploymentOf(1, {}, 1))
  second.server.refuses = taskmillError('TM_KUBE_INVALID', 'second', { details: { status: 400, causes: [] } })
  await second.reconcile()
  expect(findCondition(second.server.status?.conditions, 'Stalled')?.message).toMatch(/^template of generation 5 refused: second/u)
})
