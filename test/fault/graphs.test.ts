/**
 * 200 random graphs with random outcomes on a real Redis, while whoever leads is killed between two statements or at seeded moments, and
 * followed by the next, also before it has died. Each run must come out as the brute-force evaluator says, and each handler must have run
 * exactly as often as its attempts say, by its own book. The seed, the points and the moments are printed; SEED=… repeats them.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startRedis, type RedisServer } from '../../hack/cluster/redis.ts'
import { connectBroker, type Broker } from '../../src/broker/index.ts'
import { systemClock } from '../../src/clock/index.ts'
import { doneQueue, nodeJobId, runName } from '../../src/contract/index.ts'
import { foldRun, nodesOf, viewOf, type AppendName, type EdgeCondition, type PlanNode, type RunPlan } from '../../src/graph/index.ts'
import { silentLogger } from '../../src/observability/index.ts'
import { oracleWorlds, worldOf, type OracleGraph, type OracleNode, type OracleOutcome } from '../support/graph-oracle.ts'
import { startPlainWorker, type PlainWorker } from '../support/plain-worker.ts'
import { random } from '../support/random.ts'

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
/** Namespaces, each with leaders of its own. */
const lanes = 5
const graphsEach = 40
const folder = mkdtempSync(join(tmpdir(), 'taskmill-graphs-'))
const recordFile = join(folder, 'runs')
let redis: RedisServer
let broker: Broker
let worker: PlainWorker

beforeAll(async () => {
  console.log(`SEED=${seed}`)
  writeFileSync(recordFile, '')
  redis = await startRedis({ appendonly: 'everysec' })
  broker = connectBroker({ address: redis.address, keyPrefix: 'bull', log: silentLogger, clock: systemClock })
  worker = startPlainWorker({ redis, queues: ['work'], recordFile })
})

afterAll(async () => {
  await Promise.allSettled([worker?.stop(), broker?.close()])
  await redis?.stop()
  rmSync(folder, { recursive: true })
})

/** A graph, what its handlers do, and how often each is to run once its node has started. */
type Case = {
  readonly plan: RunPlan
  readonly oracle: OracleGraph
  readonly ends: ReadonlyMap<string, OracleOutcome>
  readonly attempts: ReadonlyMap<string, number>
}

type Rng = () => number

function drawCase(name: string, rng: Rng): Case {
  const pick = <T>(...values: readonly [T, ...T[]]): T => values[Math.floor(rng() * values.length)] ?? values[0]
  const count = 1 + Math.floor(rng() * 8)
  const finallyCount = count > 2 ? Math.floor(rng() * 2) : 0
  const onNodeFailure = pick('Stop', 'Continue')
  const ends = new Map<string, OracleOutcome>()
  const attempts = new Map<string, number>()
  const drawNode = (index: number): { readonly plan: PlanNode; readonly oracle: OracleNode } => {
    const own = `n${index}`
    const isFinally = index >= count - finallyCount
    const upstream = isFinally ? [] : [...new Set([1, 2].map(() => Math.floor(rng() * (index + 1))))].filter((each) => each < index)
    const dependsOn = upstream.map((each) => ({
      name: `n${each}`,
      condition: pick<EdgeCondition>('Succeeded', 'Succeeded', 'Failed', 'Completed'),
    }))
    const required = rng() < 0.7
    const end = pick<OracleOutcome>('Succeeded', 'Succeeded', 'Succeeded', 'Failed', 'Failed', 'TimedOut')
    // Which of two comes first would count where a failure of an expression stops the run.
    const when = pick('true', 'true', 'true', 'false', onNodeFailure === 'Continue' || !required ? 'fails' : 'true')
    const maxRetries = pick(0, 0, 1)
    ends.set(own, end)
    attempts.set(own, end === 'TimedOut' ? 0 : end === 'Failed' ? maxRetries + 1 : 1)
    // Nobody works on the queue of those that time out.
    const task = {
      type: end === 'Failed' ? 'fail' : 'record',
      queue: end === 'TimedOut' ? 'idle' : 'work',
      payload: { ms: Math.floor(rng() * 30) },
      retry: { maxRetries, initialDelaySeconds: 0 },
    }
    const asked = { true: 'parameters.yes', false: 'parameters.no', fails: 'parameters.missing' }[when]
    const plan: PlanNode = { name: own, dependsOn, required, when: asked, task, ...(end === 'TimedOut' ? { timeoutSeconds: 1 } : {}) }
    return { plan, oracle: { name: own, dependsOn, when, required, isFinally } }
  }
  const nodes = Array.from({ length: count }, (_, index) => drawNode(index))
  const parts = { nodes: nodes.filter(({ oracle }) => !oracle.isFinally), finally: nodes.filter(({ oracle }) => oracle.isFinally) }
  return {
    plan: {
      name,
      nodes: parts.nodes.map(({ plan }) => plan),
      finally: parts.finally.map(({ plan }) => plan),
      onNodeFailure,
      parameters: { yes: true, no: false },
    },
    oracle: { nodes: nodes.map(({ oracle }) => oracle), onNodeFailure },
    ends,
    attempts,
  }
}

/** `begun`: it has reached its first point. */
type Leader = { readonly begun: Promise<unknown>; readonly exited: Promise<number | null>; kill(): void }

function lead(namespace: string, epoch: number, runsFile: string, killAt = ''): Leader {
  const child = spawn(process.execPath, ['test/support/driver-with-kill-points.ts'], {
    env: { ...process.env, REDIS: redis.address, NAMESPACE: namespace, EPOCH: String(epoch), RUNS: runsFile, KILL_AT: killAt },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const begun = once(child.stdout, 'data')
  child.stdout.resume()
  return { begun, exited: once(child, 'close').then(([code]) => code as number | null), kill: () => void child.kill('SIGKILL') }
}

/** How often each handler ran, by its own book. */
function runsByJob(): ReadonlyMap<string, number> {
  const runs = new Map<string, number>()
  for (const line of readFileSync(recordFile, 'utf8').split('\n').filter(Boolean)) {
    const [id = ''] = line.split(' ')
    runs.set(id, (runs.get(id) ?? 0) + 1)
  }
  return runs
}

/** What is wrong with a run, in words. */
async function judge(
  namespace: string,
  { plan, oracle, ends, attempts }: Case,
  runs: ReadonlyMap<string, number>,
): Promise<readonly string[]> {
  const run = runName('default', namespace, plan.name)
  const folded = foldRun((await broker.readRun(run, 0)).entries)
  if (!folded.ok) return [`${run}: ${folded.message}`]
  const nodes = nodesOf(folded.run)
  const world = worldOf(oracle, Object.fromEntries(nodes.map(({ name, state }) => [name, state])), viewOf(folded.run)?.finished?.outcome)
  const worlds = oracleWorlds(oracle, (node) => ends.get(node) ?? 'Succeeded')
  return [
    ...(worlds.has(world) ? [] : [`${run}: ${world}, and could be only ${[...worlds].join(' or ')}`]),
    ...nodes.flatMap(({ name, startedAtMs }) => {
      const ran = runs.get(nodeJobId(run, '1f0c9b2e', name)) ?? 0
      const expected = startedAtMs === undefined ? 0 : (attempts.get(name) ?? 0)
      return ran === expected ? [] : [`${run}: ${name} ran ${ran} times, and should have ${expected} times`]
    }),
  ]
}

/** Every append that nothing but a node's job or its time can bring about; the others have their own tests. */
const appends = ['begin', 'end', 'stop', 'stopped'] as const satisfies readonly AppendName[]
const points = [...appends.map((what) => `append ${what}`), 'place', 'remove', 'acknowledge'].flatMap((what) => [
  `before ${what}`,
  `after ${what}`,
])

/** What is to befall one namespace, drawn before anything happens in it. */
type Lane = {
  readonly namespace: string
  readonly cases: readonly Case[]
  readonly strikes: readonly { readonly killAt: string; readonly patienceMs: number; readonly isFollowed: boolean }[]
}

function drawLane(index: number): Lane {
  const rng = random(seed + index)
  const cases = Array.from({ length: graphsEach }, (_, at) => drawCase(`g${at}`, rng))
  const own = points.filter((_, at) => at % lanes === index || rng() < 0.2)
  const strikes = own.map((point) => ({
    killAt: `${point}#${1 + Math.floor(rng() * 3)}`,
    patienceMs: 100 + Math.floor(rng() * 600),
    isFollowed: rng() < 0.4,
  }))
  return { namespace: `lane-${index}`, cases, strikes }
}

/** Killed at each of these points, or when it does not come there; sometimes the next one comes before the last has died. */
async function live({ namespace, cases, strikes }: Lane): Promise<readonly string[]> {
  const runsFile = join(folder, namespace)
  const told: string[] = []
  let epoch = 0
  for (const [index, { killAt, patienceMs, isFollowed }] of strikes.entries()) {
    // More begin with each of them, so that every point is still to be reached.
    const count = Math.ceil((cases.length * (index + 1)) / (strikes.length + 1))
    writeFileSync(runsFile, JSON.stringify(cases.slice(0, count).map(({ plan }) => plan)))
    const leader = lead(namespace, (epoch += 1), runsFile, killAt)
    const isDead = await Promise.race([leader.exited.then(() => true), leader.begun.then(() => sleep(patienceMs, false))])
    told.push(isDead ? killAt : `${patienceMs} ms`)
    if (!isDead && isFollowed) {
      const next = lead(namespace, (epoch += 1), runsFile)
      await Promise.race([next.begun.then(() => sleep(patienceMs)), next.exited])
      next.kill()
      await next.exited
      told.push(`followed for ${patienceMs} ms`)
    }
    leader.kill()
    await leader.exited
  }
  writeFileSync(runsFile, JSON.stringify(cases.map(({ plan }) => plan)))
  const code = await lead(namespace, (epoch += 1), runsFile).exited
  console.log(`${namespace}: killed at ${told.join(', ')}`)
  const runs = runsByJob()
  const wrong = await Promise.all(cases.map((each) => judge(namespace, each, runs)))
  const { ended } = await broker.readEnded([doneQueue('default', namespace)])
  return [
    ...(code === 0 ? [] : [`${namespace}: the last leader ended with ${code}`]),
    ...wrong.flat(),
    ...ended.map(({ id }) => `${id}: its end was not acknowledged`),
  ]
}

it('whoever leads is killed: every run comes out as it should, and every handler ran as often as it should', async () => {
  const wrong = await Promise.all(Array.from({ length: lanes }, (_, index) => live(drawLane(index))))
  expect(wrong.flat()).toEqual([])
  expect(runsByJob().size).toBeGreaterThan(100)
})
