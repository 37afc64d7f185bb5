/**
 * One who leads in a namespace, as a process of its own: it drives the runs that RUNS names (a file with a list of plans) in the term EPOCH, by
 * the real driver against the real broker, until all have finished. Each point between two statements that matter is printed as it is reached;
 * at the one that KILL_AT names (`before place#2`: the second time) the process kills itself, before anything else can happen in it. Whoever
 * finds that another leads ends with the code 3.
 */
import { readFileSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectBroker, type EndedJob } from '../../src/broker/index.ts'
import { systemClock } from '../../src/clock/index.ts'
import { dispatcherName, doneQueue, runName, type OwnerMarker } from '../../src/contract/index.ts'
import { compileGraph, viewOf, type RunPlan } from '../../src/graph/index.ts'
import { silentLogger } from '../../src/observability/index.ts'
import { createRunDriver, type RunMemory } from '../../src/services/index.ts'

const { REDIS = '', NAMESPACE = '', EPOCH = '1', RUNS = '', KILL_AT = '' } = process.env
const [wanted = '', occurrence = '1'] = KILL_AT.split('#')
const reached = new Map<string, number>()

function at(point: string): void {
  const count = (reached.get(point) ?? 0) + 1
  reached.set(point, count)
  // Straight into the pipe: what waits in a buffer would die with the process.
  writeSync(1, `${point}\n`)
  if (point === wanted && count === Number(occurrence)) process.kill(process.pid, 'SIGKILL')
}

const broker = connectBroker({ address: REDIS, keyPrefix: 'bull', log: silentLogger, clock: systemClock })
const proof = { dispatcher: dispatcherName('default', NAMESPACE), epoch: Number(EPOCH), holder: 'cluster/lease' }
const done = doneQueue('default', NAMESPACE)
const driver = createRunDriver({ clock: systemClock, log: silentLogger, at })
const { signal } = new AbortController()

const runs = (JSON.parse(readFileSync(RUNS, 'utf8')) as readonly RunPlan[]).map((plan) => {
  const compiled = compileGraph(plan)
  if (!compiled.ok) throw new Error(compiled.faults.map(({ field, message }) => `${field}: ${message}`).join('; '))
  const memory: RunMemory = { run: undefined }
  return { name: plan.name, run: runName('default', NAMESPACE, plan.name), graph: compiled.graph, memory, untilMs: 0 }
})

const [answer] = await broker.claimDispatch([{ ...proof, by: `process-${EPOCH}`, patienceMs: 0 }])
if (answer?.kind !== 'Held') process.exit(3)

for (;;) {
  const { ended } = await broker.readEnded([done])
  const finished = await Promise.all(runs.map((each) => visit(each, ended)))
  if (finished.every(Boolean) && ended.length === 0) break
  await sleep(5)
}
writeSync(1, 'finished\n')
process.exit(0)

/** Whether it has finished, and nothing has arrived for it. */
async function visit(each: (typeof runs)[number], all: readonly EndedJob[]): Promise<boolean> {
  const { run, name, graph, memory } = each
  let ended = all.filter(({ owner }) => owner === run)
  const isFinished = (): boolean => memory.run !== undefined && viewOf(memory.run)?.finished !== undefined
  if (ended.length === 0 && memory.run !== undefined && (isFinished() || each.untilMs > Date.now())) return isFinished()
  const marker: OwnerMarker = { v: 1, cluster: 'cluster', kind: 'TaskExecution', namespace: NAMESPACE, name, deletionPolicy: 'Delete' }
  const result = await driver.visit({
    broker,
    proof,
    marker,
    run,
    doneQueue: done,
    memory,
    desired: 'Running',
    begin: { token: '1f0c9b2e', graph },
    ended: () => ended,
    onAcknowledged: (ids) => void (ended = ended.filter(({ id }) => !ids.includes(id))),
    onEntries: () => undefined,
    subjects: [],
    signal,
  })
  if (result.kind === 'Fenced') process.exit(3)
  each.untilMs = result.kind === 'Waiting' ? (result.untilMs ?? Infinity) : 0
  return false
}
