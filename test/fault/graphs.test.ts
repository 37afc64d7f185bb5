/**
 * Random graphs through the real operator, two of them in each namespace, on a real API server, a real Redis and plain BullMQ workers:
 * the leader is killed once at every point between two statements that matter for a run, and at seeded moments, and is started again or
 * followed by the other one. Runs are cancelled, timed out, deleted, replaced and expire meanwhile. Each must come out as the brute-force
 * evaluator says, and each handler must have run exactly as often as its attempts say, by its own book. The seed, the points and the moments are
 * printed; SEED=… repeats the graphs and the moments, ONLY=lane-2 only those of one namespace.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startRedis, type RedisServer } from '../../hack/cluster/redis.ts'
import type { AppendName } from '../../src/graph/index.ts'
import { openCluster, type TestCluster } from '../support/cluster.ts'
import { draws, seed } from '../support/draws.ts'
import { openLane, type Lane } from '../support/graph-lane.ts'
import { startOperator, type OperatorProcess } from '../support/operator-process.ts'
import { startPlainWorker, type PlainWorker } from '../support/plain-worker.ts'
import { random } from '../support/random.ts'
import { drawRun, queues, type RandomRun, type Wish } from '../support/random-graphs.ts'
import { connectRedis, createHome } from '../support/schedule-home.ts'

const only = process.env['ONLY']
/** Namespaces, each with operators of its own. */
const lanes = 5
const runsInAll = draws(150, 400)
const folder = mkdtempSync(join(tmpdir(), 'taskmill-graphs-'))
const recordFile = join(folder, 'runs')
let cluster: TestCluster
let redis: RedisServer
let commands: Redis
let client: TestCluster['client']
let worker: PlainWorker
const operators: OperatorProcess[] = []
const opened: Lane[] = []

beforeAll(async () => {
  console.log(`SEED=${seed}`)
  writeFileSync(recordFile, '')
  ;[cluster, redis] = await Promise.all([openCluster(), startRedis({ appendonly: 'everysec' })])
  ;({ client } = cluster)
  commands = connectRedis(redis)
  worker = startPlainWorker({ redis, queues: [queues.work, queues.slow], recordFile })
})

afterAll(async () => {
  for (const lane of opened) lane.stop()
  await Promise.allSettled([...operators.map((operator) => operator.kill()), worker?.stop()])
  commands?.disconnect()
  await Promise.allSettled([redis?.stop(), cluster?.close()])
  rmSync(folder, { recursive: true })
})

/** What has to happen for each append, but for those of Kubernetes Jobs: the compiler asks for one that is new, and the test for a way to reach it. */
const wishes = {
  begin: {},
  end: {},
  refused: { first: 'Refused' },
  stopped: { first: 'Late' },
  cancel: { fate: 'Cancelled' },
  timeout: { fate: 'TimedOut' },
  stop: { first: 'Late' },
  advance: { isWide: true },
  forget: { fate: 'Deleted' },
} as const satisfies Record<Exclude<AppendName, 'placed'>, Wish>

/** Every point there is, and a run that brings the operator to it. */
const points: readonly { readonly point: string; readonly wish: Wish; readonly isCommon: boolean }[] = [
  ...Object.entries(wishes).map(([what, wish]) => ({ what: `append ${what}`, wish, isCommon: what === 'begin' || what === 'end' })),
  { what: 'place', wish: {}, isCommon: true },
  { what: 'remove', wish: { fate: 'Cancelled' as const }, isCommon: false },
  { what: 'acknowledge', wish: {}, isCommon: true },
  { what: 'delete', wish: { fate: 'Deleted' as const }, isCommon: false },
  { what: 'status', wish: {}, isCommon: true },
  { what: 'expire', wish: { fate: 'Expires' as const }, isCommon: false },
].flatMap(({ what, ...rest }) => ['before', 'after'].map((when) => ({ point: `${when} ${what}`, ...rest })))

type Strike = {
  readonly killAt: string
  /** Begun before it is to strike. */
  readonly runs: readonly RandomRun[]
  /** After it, the other operator takes over and is killed after so long; undefined: the same one comes again. */
  readonly followedForMs?: number
}

/** What is to befall one namespace, drawn before anything happens in it. */
function drawStrikes(index: number): readonly Strike[] {
  const rng = random(seed + index)
  const own = points.filter((_, at) => at % lanes === index)
  const runs = Math.ceil(runsInAll / lanes)
  let drawn = 0
  return own.map(({ point, wish, isCommon }, at) => {
    const count = Math.ceil((runs * (at + 1)) / own.length) - drawn
    const first = drawn
    drawn += count
    return {
      killAt: `${point}#${isCommon ? 1 + Math.floor(rng() * 2) : 1}`,
      runs: Array.from({ length: count }, (_, each) => drawRun(`g${first + each}`, rng, each === 0 ? wish : {})),
      // It takes as long as the Lease lasts.
      ...(at % 3 === 1 ? { followedForMs: Math.floor(rng() * 2000) } : {}),
    }
  })
}

/** Two operators, of which one leads. */
function createPair(namespace: string) {
  const launch = (identity: string, killAt: string): OperatorProcess => {
    const operator = startOperator({
      cluster,
      namespaces: [namespace],
      identity,
      env: { KILL_AT: killAt },
    })
    operators.push(operator)
    return operator
  }
  /** The last leader: it takes over at once when it starts again, the other one when the Lease has ended. */
  let identity = 'operator-0'
  let other: OperatorProcess | undefined
  const otherIdentity = () => (identity === 'operator-0' ? 'operator-1' : 'operator-0')

  return {
    /** The next leader, which kills itself at that point. */
    async lead(killAt = ''): Promise<OperatorProcess> {
      const leader = launch(identity, killAt)
      // A process that is killed as soon as it leads does not always log it.
      const leads = Promise.race([leader.logged('leading'), leader.exited]).then(() => true)
      while (!(await Promise.race([leads, other?.logged('leading').then(() => false) ?? leads]))) {
        // It took too long to come again: the other one was faster.
        await other?.kill()
        other = undefined
      }
      other ??= launch(otherIdentity(), '')
      return leader
    },
    /** The leader has ended, and the other operator leads for this time. */
    async follow(forMs: number): Promise<void> {
      await other?.logged('leading')
      await sleep(forMs)
      await other?.kill()
      other = undefined
      identity = otherIdentity()
    },
    stop: () => other?.kill(),
  }
}

async function live(
  index: number,
): Promise<{ readonly struck: readonly string[]; readonly wrong: readonly string[]; readonly lane: Lane }> {
  const strikes = drawStrikes(index)
  const namespace = cluster.nameOf(`lane-${index}`)
  await createHome({ client, commands, namespace, recordFile }, redis)
  const lane = await openLane({ client, commands, namespace, recordFile })
  opened.push(lane)
  const pair = createPair(namespace)
  const told: string[] = []
  const struck: string[] = []
  for (const { killAt, runs, followedForMs } of strikes) {
    const leader = await pair.lead(killAt)
    await Promise.all(runs.map(lane.begin))
    const isStruck = await Promise.race([leader.exited.then(() => true), sleep(180_000, false, { ref: false })])
    await leader.kill()
    if (isStruck) struck.push(killAt.replace(/#.*/u, ''))
    told.push(isStruck ? killAt : `${killAt} (not reached)`)
    if (followedForMs === undefined) continue
    await pair.follow(followedForMs)
    told.push(`the other one after ${followedForMs} ms`)
  }
  const last = await pair.lead()
  const stuck = await lane.settled().then(
    () => [],
    (error: unknown) => [String(error)],
  )
  console.log(`lane-${index}: killed at ${told.join(', ')}`)
  await Promise.all([last.stop(), pair.stop()])
  return { struck, wrong: [...stuck, ...(await lane.judge())], lane }
}

it(
  'whoever leads is killed: every run comes out as it should, and every handler ran as often as it should',
  { timeout: 600_000 },
  async () => {
    const indexes = Array.from({ length: lanes }, (_, index) => index).filter((index) => only === undefined || only === `lane-${index}`)
    const lived = await Promise.all(indexes.map(live))
    expect(lived.flatMap(({ wrong }) => wrong)).toEqual([])
    const wanted = points.filter((_, at) => indexes.includes(at % lanes)).map(({ point }) => point)
    expect(lived.flatMap(({ struck }) => struck).toSorted()).toEqual(wanted.toSorted())
    const renewed = await Promise.all(lived.map(({ lane }) => lane.renewed()))
    const sum = renewed.reduce((all, { anew, of }) => ({ anew: all.anew + anew, of: all.of + of }), { anew: 0, of: 0 })
    console.log(`of ${sum.of} replaced runs ${sum.anew} ran anew, the others went on`)
    if (only === undefined) expect(sum.anew).toBeGreaterThan(0)
  },
)
