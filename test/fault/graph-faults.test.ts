/**
 * Runs of graphs while a leader that was frozen wakes up, while Redis goes away and comes back, or comes back with less than it had, and while
 * objects are replaced in quick succession. The seed is printed; SEED=… repeats the graphs and the moments.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startRedis, type RedisServer } from '../../hack/cluster/redis.ts'
import { taskDependencies, taskExecutions, type TaskExecution } from '../../src/api/index.ts'
import { openCluster, type TestCluster } from '../support/cluster.ts'
import { observe } from '../support/cluster-client.ts'
import { seed } from '../support/draws.ts'
import { openLane, type Lane } from '../support/graph-lane.ts'
import { createDependency, createExecution } from '../support/manifests.ts'
import { startOperator, termsOf, unhurriedLease, type OperatorProcess } from '../support/operator-process.ts'
import { startPlainWorker } from '../support/plain-worker.ts'
import { random } from '../support/random.ts'
import { drawRun, queues, type Wish } from '../support/random-graphs.ts'
import { connectRedis, createHome, until } from '../support/schedule-home.ts'

const folder = mkdtempSync(join(tmpdir(), 'taskmill-graphs-'))
let cluster: TestCluster
let client: TestCluster['client']
const closing: (() => unknown)[] = []

beforeAll(async () => {
  console.log(`SEED=${seed}`)
  cluster = await openCluster()
  ;({ client } = cluster)
})

afterAll(async () => {
  await Promise.allSettled(closing.toReversed().map(async (close) => close()))
  await cluster?.close()
  rmSync(folder, { recursive: true })
})

type Scene = {
  readonly namespace: string
  readonly redis: RedisServer
  readonly commands: ReturnType<typeof connectRedis>
  readonly recordFile: string
  readonly work: (...on: readonly string[]) => ReturnType<typeof startPlainWorker>
  readonly launch: (more?: Partial<Parameters<typeof startOperator>[0]>) => OperatorProcess
  readonly lane: Lane
}

/** A namespace with a Redis of its own. */
async function open(name: string): Promise<Scene> {
  const namespace = cluster.nameOf(name)
  const dir = join(folder, name)
  mkdirSync(dir)
  const recordFile = join(dir, 'runs')
  writeFileSync(recordFile, '')
  const redis = await startRedis({ appendonly: 'always', dir })
  closing.push(() => redis.stop())
  const commands = connectRedis(redis)
  closing.push(() => commands.disconnect())
  await createHome({ client, commands, namespace, recordFile }, redis)
  const lane = await openLane({ client, commands, namespace, recordFile })
  closing.push(lane.stop)
  return {
    namespace,
    redis,
    commands,
    recordFile,
    lane,
    work(...on) {
      const worker = startPlainWorker({ redis, queues: on, recordFile })
      closing.push(() => worker.stop())
      return worker
    },
    launch(more = {}) {
      const operator = startOperator({
        cluster,
        namespaces: [namespace],
        ...more,
      })
      closing.push(() => operator.kill())
      return operator
    },
  }
}

/** What every run has to go through. */
const everything: readonly Wish[] = [
  {},
  { first: 'Late' },
  { first: 'Refused' },
  { fate: 'Cancelled' },
  { fate: 'TimedOut' },
  { fate: 'Deleted' },
  { fate: 'Expires' },
  {},
]

const frozenAt = ['before append end', 'before append forget', 'before place', 'before remove', 'before acknowledge', 'before status']

it.concurrent.each(frozenAt)('two that believe to lead: one is frozen %s, beyond its Lease', { timeout: 290_000 }, async (point) => {
  const { namespace, launch, lane, recordFile, work } = await open(`frozen-${point.replaceAll(' ', '-')}`)
  const rng = random(seed + frozenAt.indexOf(point))
  work(queues.work, queues.slow)
  const first = launch({
    identity: 'operator-0',
    env: { KILL_AT: `${point}#1`, KILL_SIGNAL: 'SIGSTOP' },
  })
  await first.logged('leading')
  const second = launch({ identity: 'operator-1' })
  await second.logged('operator started')
  await Promise.all(everything.map((wish, index) => lane.begin(drawRun(`g${index}`, rng, wish))))
  await first.logged('struck')
  await second.logged('leading')
  await lane.settled()
  expect(await lane.judge()).toEqual([])

  // At rest now, also the writes that may come a second later: whatever changes from here on, the woken one did.
  let objectsBefore = await versionsIn(namespace)
  await until('nothing changes any more', async () => {
    const known = JSON.stringify(objectsBefore)
    await sleep(2500)
    objectsBefore = await versionsIn(namespace)
    return JSON.stringify(objectsBefore) === known
  })
  const [before, ranBefore] = [await lane.effects(), readFileSync(recordFile, 'utf8')]
  first.signal('SIGCONT')
  await Promise.race([first.exited, sleep(6000)])
  expect(await lane.effects()).toEqual(before)
  expect(await versionsIn(namespace)).toEqual(objectsBefore)
  expect(readFileSync(recordFile, 'utf8')).toEqual(ranBefore)
  await Promise.all([first.kill(), second.kill()])
})

it.concurrent('Redis with AOF always is killed three times, and away for a while: nothing is lost, nothing is doubled', async () => {
  const { redis, launch, lane, work } = await open('away')
  const rng = random(seed + 100)
  work(queues.work, queues.slow)
  const operator = launch({ times: { lease: unhurriedLease } })
  await operator.logged('leading')
  for (let round = 0; round < 4; round += 1) {
    await Promise.all(everything.map((_, index) => lane.begin(drawRun(`g${round}-${index}`, rng))))
    await sleep(Math.round(rng() * 2000))
    await (round < 3 ? redis.kill() : redis.stop())
    await sleep(round < 3 ? Math.round(rng() * 1000) : 8000)
    await redis.restart()
  }
  await lane.settled()
  expect(await lane.judge()).toEqual([])
  expect(termsOf(operator)).toBe(1)
  await operator.stop()
})

it.concurrent(
  'replaced in quick succession, as by kubectl replace --force: the last one is another run, the others left nothing',
  async () => {
    const { launch, lane, work } = await open('replaced')
    const rng = random(seed + 200)
    work(queues.work, queues.slow)
    const operator = launch()
    await operator.logged('leading')
    const runs = Array.from({ length: 6 }, (_, index) => drawRun(`g${index}`, rng, { fate: 'Replaced', times: 10 }))
    await Promise.all(runs.map(lane.begin))
    await lane.settled()
    expect(await lane.judge()).toEqual([])
    expect(await lane.renewed()).toEqual({ anew: 6, of: 6 })
    await operator.stop()
  },
)

/** What is written to an object changes it. */
async function versionsIn(namespace: string): Promise<Readonly<Record<string, string | undefined>>> {
  const pages = await Promise.all([client.list(taskExecutions, { namespace }), client.list(taskDependencies, { namespace })])
  return Object.fromEntries(pages.flatMap(({ items }) => items.map(({ metadata }) => [metadata.uid, metadata.resourceVersion])))
}

const restored = [
  { name: 'restored', when: 'while the operator keeps running', isRestarted: false },
  { name: 'restored-anew', when: 'while no operator runs', isRestarted: true },
]

it.concurrent.each(restored)('a snapshot is restored $when: said, and nothing starts again', async ({ name: scene, isRestarted }) => {
  const { namespace, redis, commands, recordFile, launch, work } = await open(scene)
  const graph = (name: string, ...on: readonly string[]) =>
    createDependency(client, namespace, name, {
      nodes: on.map((queue, index) => ({
        name: `n${index}`,
        dependsOn: index === 0 ? [] : [{ name: `n${index - 1}` }],
        task: { type: 'record', queue },
      })),
      finally: [{ name: 'z', task: { type: 'record', queue: 'work' } }],
    })
  const begin = (name: string) => createExecution(client, namespace, name, { dependencyRef: { name } })
  const told = (name: string, holds: (status: NonNullable<TaskExecution['status']>) => boolean) =>
    observe(client, taskExecutions, { namespace, name }, (object) => object?.status !== undefined && holds(object.status))
  const waitsFor = (node: string) => (status: NonNullable<TaskExecution['status']>) =>
    status.nodes?.find(({ name }) => name === node)?.state === 'Running'
  const isFinal = ({ state }: NonNullable<TaskExecution['status']>) => state !== undefined && !['Pending', 'Running'].includes(state)
  const ranOf = (name: string) =>
    readFileSync(recordFile, 'utf8')
      .split('\n')
      .flatMap((line) => (line.includes(`/run/${name}/`) ? [line.slice(0, line.indexOf(' ')).replace(/^.*\//u, '')] : []))
      .toSorted()

  work('work')
  let operator = launch()
  await Promise.all([
    graph('over', 'work', 'work'),
    graph('went-on', 'work', 'later', 'work'),
    graph('moved-on', 'work', 'later', 'never'),
    graph('waits', 'work', 'at-last'),
    graph('new', 'work', 'never'),
  ])
  await Promise.all(['over', 'went-on', 'moved-on', 'waits'].map(begin))
  await Promise.all([told('over', isFinal), ...['went-on', 'moved-on', 'waits'].map((name) => told(name, waitsFor('n1')))])
  await until('nothing on its way', async () => (await commands.llen(`bull:.taskmill-done/default/${namespace}:wait`)) === 0)
  const snapshot = await redis.snapshot()

  const later = work('later')
  await begin('new')
  await Promise.all([told('went-on', isFinal), told('moved-on', waitsFor('n2')), told('new', waitsFor('n1'))])
  await later.stop()
  if (isRestarted) await operator.kill()
  await redis.restore(snapshot)
  if (isRestarted) operator = launch()

  const lost = await Promise.all(['moved-on', 'new'].map((name) => told(name, isFinal)))
  for (const run of lost) {
    expect(run?.status).toMatchObject({ state: 'Failed', failureMessage: expect.stringContaining('the broker lost the log of this run') })
  }
  // Events are sent a moment after what they tell of.
  const eventsThere = () => client.raw(`/apis/events.k8s.io/v1/namespaces/${namespace}/events`)
  await until('two Events', async () => (await eventsThere()).match(/"reason":"LedgerRegressed"/gu)?.length === 2)
  // Taken back; that of the run that has ended is Redis's own to run again, and its end means nothing.
  await until('what came back was taken back', async () => (await commands.llen('bull:later:wait')) === 1)
  work('later', 'at-last')
  await until('it ran again', () => ranOf('went-on').length === 5)
  await told('waits', isFinal)
  await until('its end was forgotten', async () => (await commands.llen(`bull:.taskmill-done/default/${namespace}:wait`)) === 0)
  expect(Object.fromEntries(['over', 'went-on', 'moved-on', 'waits', 'new'].map((name) => [name, ranOf(name)]))).toEqual({
    over: ['n0', 'n1', 'z'],
    'went-on': ['n0', 'n1', 'n1', 'n2', 'z'],
    'moved-on': ['n0', 'n1'],
    waits: ['n0', 'n1', 'z'],
    new: ['n0'],
  })
  const states = await Promise.all(['over', 'went-on', 'waits'].map((name) => told(name, isFinal)))
  expect(states.map((run) => run?.status?.state)).toEqual(['Succeeded', 'Succeeded', 'Succeeded'])
  expect(await commands.llen('bull:never:wait')).toBe(0)
  await operator.stop()
})
