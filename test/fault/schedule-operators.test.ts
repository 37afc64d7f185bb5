/**
 * Many slots while operators are killed, followed by others, and frozen in the middle of a decision. Counted by the handlers of plain BullMQ
 * workers in a file of their own. The seed is printed; SEED=… repeats the moments.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startRedis, type RedisServer } from '../../hack/cluster/redis.ts'
import { deployments } from '../../src/api/index.ts'
import { openCluster, type TestCluster } from '../support/cluster.ts'
import { observe } from '../support/cluster-client.ts'
import { seed } from '../support/draws.ts'
import { createPool } from '../support/manifests.ts'
import { startOperator, type OperatorProcess } from '../support/operator-process.ts'
import { startKubelet, type Kubelet } from '../support/kubelet.ts'
import { startPlainWorker, type PlainWorker } from '../support/plain-worker.ts'
import { random } from '../support/random.ts'
import { startRecordingProxy, type RecordingProxy } from '../support/recording-proxy.ts'
import {
  applySchedule,
  connectRedis,
  createGraph,
  createHome,
  effectsOf,
  graphOneAtATime,
  jobOneAtATime,
  ledgerOf,
  oneAtATime,
  placedAhead,
  queue,
  runsOf,
  settle,
  slotsDue,
  slotsRun,
  until,
  untilLedger,
  untilMoreRan,
  type Home,
  type ScheduleSpec,
} from '../support/schedule-home.ts'

const folder = mkdtempSync(join(tmpdir(), 'taskmill-fault-'))
const recordFile = join(folder, 'runs')
let cluster: TestCluster
let redis: RedisServer
let commands: Redis
let client: TestCluster['client']
let kubelet: Kubelet
const workers: PlainWorker[] = []
const operators: OperatorProcess[] = []
const proxies: RecordingProxy[] = []

beforeAll(async () => {
  console.log(`SEED=${seed}`)
  writeFileSync(recordFile, '')
  ;[cluster, redis] = await Promise.all([openCluster(), startRedis({ appendonly: 'everysec' })])
  ;({ client } = cluster)
  commands = connectRedis(redis)
  workers.push(startPlainWorker({ redis, queues: [queue], recordFile }))
  kubelet = startKubelet(cluster, recordFile, ['job'])
})

afterAll(async () => {
  await Promise.allSettled([...operators.map((operator) => operator.kill()), ...workers.map((worker) => worker.stop()), kubelet?.stop()])
  await Promise.allSettled(proxies.map((proxy) => proxy[Symbol.asyncDispose]()))
  commands?.disconnect()
  await Promise.allSettled([redis?.stop(), cluster?.close()])
  rmSync(folder, { recursive: true })
})

/** An operator for one namespace, with a Lease in it: as many of them as wanted do not meet. */
function launch(namespace: string, more: Partial<Parameters<typeof startOperator>[0]> = {}): OperatorProcess {
  const operator = startOperator({ cluster, namespaces: [namespace], ...more })
  operators.push(operator)
  return operator
}

const homeOf = (name: string): Home => ({ client, commands, namespace: cluster.nameOf(name), recordFile })

async function createAll(home: Home, specs: Readonly<Record<string, ScheduleSpec>>): Promise<ReadonlyMap<string, number>> {
  return new Map(
    await Promise.all(Object.entries(specs).map(async ([name, spec]) => [name, await applySchedule(home, name, spec)] as const)),
  )
}

const settleAll = (home: Home, specs: Readonly<Record<string, ScheduleSpec>>, createdAt: ReadonlyMap<string, number>) =>
  Promise.all(Object.entries(specs).map(async ([name, spec]) => ({ name, ...(await settle(home, name, spec, createdAt.get(name) ?? 0)) })))

it.concurrent(
  '20 kills at random moments during a burst of jobs and 300 slots',
  async () => {
    const rng = random(seed)
    const home = await createHome(homeOf('burst'), redis)
    const jobsFile = join(folder, 'jobs')
    writeFileSync(jobsFile, '')
    let operator = launch(home.namespace)
    const specs: Record<string, ScheduleSpec> = {}
    for (const everySeconds of [1, 2, 3]) {
      specs[`all-${everySeconds}`] = placedAhead(everySeconds)
      specs[`latest-${everySeconds}`] = placedAhead(everySeconds, { missedRuns: 'Latest' })
      specs[`alone-${everySeconds}`] = oneAtATime(everySeconds)
      specs[`alone-latest-${everySeconds}`] = oneAtATime(everySeconds, { missedRuns: 'Latest' })
    }
    const createdAt = await createAll(home, specs)
    await createPool(client, home.namespace, 'burst', {
      queues: [{ name: 'burst' }],
      scaling: { maxReplicas: 8, targetBacklogPerReplica: 20, behavior: { scaleDown: { stabilizationWindowSeconds: 2 } } },
    })
    const deployment = (replicas: number) =>
      observe(client, deployments, { namespace: home.namespace, name: 'burst' }, (object) => object?.spec.replicas === replicas)
    await deployment(0)

    const jobs = new Queue('burst', { connection: { host: redis.host, port: redis.port } })
    const ids = Array.from({ length: 400 }, (_, index) => `burst-${index}`)
    await jobs.addBulk(ids.map((jobId) => ({ name: 'record', data: { ms: 200 }, opts: { jobId } })))
    await jobs.close()
    workers.push(startPlainWorker({ redis, queues: ['burst'], recordFile: jobsFile }))

    const ranOfAll = () => Object.keys(specs).reduce((sum, name) => sum + slotsRun(home, name).size, 0)
    for (let kill = 1; kill <= 20; kill += 1) {
      // Mostly while it works, now and then while it starts.
      if (rng() > 0.2) await operator.logged('leading')
      await sleep(Math.round(rng() * 2500))
      await operator.kill()
      operator = launch(home.namespace)
      // One look counts at most 100 missed slots: on a slow machine 20 lives without a look at some schedule may take longer than that.
      if (kill % 5 === 0) await Promise.all(Object.keys(specs).map((name) => untilMoreRan(home, name, 1)))
    }
    await until('300 slots ran', async () => ranOfAll() >= 300)
    const accounts = await settleAll(home, specs, createdAt)
    console.log(`burst: ${accounts.map(({ name, due, ran, missed }) => `${name} ${ran}/${due} ${JSON.stringify(missed)}`).join(', ')}`)
    expect(accounts.filter(({ wrong }) => wrong.length > 0)).toEqual([])
    expect(accounts.reduce((sum, { due }) => sum + due, 0)).toBeGreaterThanOrEqual(300)
    // Slots that may run late are not missed: no limit was exceeded.
    expect(accounts.filter(({ name, missed }) => name.startsWith('all-') && Object.keys(missed).length > 0)).toEqual([])

    await deployment(0)
    const jobsRun = readFileSync(jobsFile, 'utf8').split('\n').filter(Boolean)
    expect(jobsRun.map((line) => line.split(' ')[0] ?? '').toSorted()).toEqual(ids.toSorted())
    await operator.kill()
  },
  280_000,
)

it.concurrent(
  'the leader is killed: slots placed ahead run on time, the others when another one leads',
  async () => {
    const home = await createHome(homeOf('followed'), redis)
    const first = launch(home.namespace, { identity: 'operator-0' })
    await first.logged('leading')
    const second = launch(home.namespace, { identity: 'operator-1' })
    const specs = { ahead: placedAhead(2), alone: oneAtATime(3), newest: oneAtATime(2, { missedRuns: 'Latest' }) }
    const createdAt = await createAll(home, specs)
    await Promise.all(Object.keys(specs).map((name) => untilMoreRan(home, name, 3)))
    await second.logged('operator started')

    await first.kill()
    const killedMs = Date.now()
    await second.logged('leading')
    const ledMs = Date.now()
    const between = slotsDue(2, Math.ceil(killedMs / 1000), Math.floor(ledMs / 1000) - 1)
    const ranMeanwhile = new Set(
      runsOf(home, 'ahead')
        .filter(({ atMs }) => atMs < ledMs)
        .map(({ slot }) => slot),
    )
    expect(between.length).toBeGreaterThan(3)
    expect(between.filter((slot) => !ranMeanwhile.has(slot))).toEqual([])
    await Promise.all(Object.keys(specs).map((name) => untilMoreRan(home, name, 2)))
    const accounts = await settleAll(home, specs, createdAt)
    console.log(`followed: ${accounts.map(({ name, due, ran, missed }) => `${name} ${ran}/${due} ${JSON.stringify(missed)}`).join(', ')}`)
    expect(accounts.flatMap(({ name, wrong }) => wrong.map((each) => `${name}: ${each}`))).toEqual([])
    expect(accounts.filter(({ name, missed }) => name === 'ahead' && Object.keys(missed).length > 0)).toEqual([])
    await second.kill()
  },
  280_000,
)

/** Where the leader is frozen, and what it does then when it wakes up as if nothing had happened. */
const frozenAt = [
  { point: 'before write dispatch', name: 'frozen-dispatch' },
  { point: 'after write dispatch', name: 'frozen-dispatched' },
  { point: 'before write intend', name: 'frozen-intend' },
  { point: 'before place', name: 'frozen-place' },
  { point: 'after place', name: 'frozen-placed' },
  { point: 'before remove', name: 'frozen-remove' },
  { point: 'before start primitive', name: 'frozen-start' },
  { point: 'before write hand over', name: 'frozen-hand-over' },
  { point: 'before acknowledge', name: 'frozen-acknowledge' },
  { point: 'before create execution', name: 'frozen-execution' },
  { point: 'before create job', name: 'frozen-job' },
]

/** Only what no write to the ledger can start is intended first. */
const ofGraphs = new Set(['before write intend', 'before place', 'after place', 'before create execution'])
/** The first of these: there is one by an edit, or by the creation of a job scheduler. */
const ofEdits = new Set(['before remove', 'before write hand over'])
const ofSchedulers = new Set(['before start primitive', 'before write hand over'])

it.concurrent.each(frozenAt)(
  'two that believe to lead: one is frozen $point, beyond its Lease',
  async ({ point, name: scene }) => {
    const home = await createHome(homeOf(scene), redis)
    const { namespace } = home
    const proxy = await startRecordingProxy(cluster, namespace)
    proxies.push(proxy)
    const first = launch(namespace, {
      identity: 'operator-0',
      cluster: proxy,
      env: { KILL_AT: `${point}#${ofEdits.has(point) || ofSchedulers.has(point) ? 1 : 3}`, KILL_SIGNAL: 'SIGSTOP' },
    })
    await first.logged('leading')
    const second = launch(namespace, { identity: 'operator-1' })
    await createGraph(home, 'sound')
    const specs: Record<string, ScheduleSpec> = { ahead: placedAhead(2), alone: oneAtATime(2) }
    if (ofGraphs.has(point)) specs['graph'] = graphOneAtATime(2, 'sound')
    if (point === 'before create job') specs['job'] = jobOneAtATime(2)
    // All scenes have one queue, where each job scheduler needs a name of its own.
    const scheduler = `${scene}-scheduler`
    const ofScheduler = { missedRuns: 'Latest' } as const
    if (ofSchedulers.has(point)) specs[scheduler] = placedAhead(2, { ...ofScheduler, engine: 'BullMQ' })
    const createdAt = await createAll(home, specs)
    if (point === 'before remove') {
      await untilMoreRan(home, 'ahead', 2)
      specs['ahead'] = placedAhead(2, { task: { type: 'record', payload: { edited: true } } })
      await applySchedule(home, 'ahead', specs['ahead'])
    }
    if (point === 'before write hand over') {
      await untilMoreRan(home, scheduler, 2)
      specs[scheduler] = placedAhead(2, ofScheduler)
      await applySchedule(home, scheduler, specs[scheduler])
    }
    const struck = await first.logged('struck')
    await second.logged('leading')
    await Promise.all(Object.keys(specs).map((name) => untilMoreDispatched(home, name, 2)))
    const accounts = await settleAll(home, specs, createdAt)
    expect(accounts.flatMap(({ name, wrong }) => wrong.map((each) => `${name}: ${each}`))).toEqual([])

    // At rest now: whatever changes from here on, the woken one did.
    const [before, runsBefore] = [await effectsOf(home, scheduler), readRuns(home, specs)]
    first.signal('SIGCONT')
    const awakeMs = performance.now()
    await Promise.race([first.exited, sleep(6000)])
    console.log(`${scene}: frozen ${String(struck['point'])}, ${accounts.map(({ name, ran, due }) => `${name} ${ran}/${due}`).join(', ')}`)
    expect(await effectsOf(home, scheduler)).toEqual(before)
    expect(readRuns(home, specs)).toEqual(runsBefore)
    const leases = /\/leases\//u
    expect(proxy.sent.filter((sent) => sent.atMs >= awakeMs && sent.method !== 'GET' && !leases.test(sent.path))).toEqual([])
    await Promise.all([first.kill(), second.kill()])
  },
  280_000,
)

async function untilMoreDispatched(home: Home, name: string, more: number): Promise<void> {
  const before = (await ledgerOf(home, name))?.dispatched ?? 0
  await untilLedger(home, name, `${more} more slots`, ({ dispatched }) => dispatched >= before + more)
}

const readRuns = (home: Home, specs: Readonly<Record<string, ScheduleSpec>>) => Object.keys(specs).map((name) => runsOf(home, name))
