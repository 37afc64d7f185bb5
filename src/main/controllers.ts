/**
 * The controllers of a term, one function per kind: what each is made of, and what it is asked to look at again by. A new kind adds its
 * cache in `caches.ts` and its function here.
 */
import { doneQueue } from '../contract/index.ts'
import { createTaskBrokerController } from '../controllers/task-broker/index.ts'
import { createTaskScheduleController } from '../controllers/task-schedule/index.ts'
import { createWorkerPoolController, poolsOf } from '../controllers/worker-pool/index.ts'
import type { Controller, Startable } from '../runtime/index.ts'
import { createRunDriver, createSlotDriver, createSweep, createTracking } from '../services/index.ts'
import { keysOf } from './caches.ts'
import { atEnd, type Term } from './term.ts'

/** In the order of their start. */
export function controllersOf(term: Term): readonly Startable[] {
  return [taskBrokerController(term), workerPoolController(term), ...taskScheduleParts(term)]
}

function taskBrokerController(term: Term): Controller {
  const { caches, directory, dispatchers } = term
  const queuesOf = (broker: string) => caches.pools.byIndex('byBroker', broker).flatMap(({ spec }) => spec.queues.map(({ name }) => name))
  const { reconcile } = createTaskBrokerController({ ...term, taskBrokers: caches.taskBrokers, queuesOf })
  const controller = term.controllerOf('task-broker', () => keysOf(caches.taskBrokers.list()), reconcile)
  term.follow(caches.taskBrokers, (key) => controller.enqueue(key))
  dispatchers.onChange((key) => controller.enqueue(key))
  directory.onChange((key) => controller.enqueue(key))
  return controller
}

function workerPoolController(term: Term): Controller {
  const { caches, directory } = term
  const { reconcile } = createWorkerPoolController({
    ...term,
    pools: caches.pools,
    brokers: caches.taskBrokers,
    deployments: caches.deployments,
    enqueue: (key) => controller.enqueue(key),
  })
  // A Deployment that a pool has left while nobody looked names it still.
  const keys = () => new Set([...keysOf(caches.pools.list()), ...caches.deployments.list().flatMap((object) => poolsOf(object))])
  const controller = term.controllerOf('worker-pool', keys, reconcile)
  const enqueueThoseOf = (broker: string) => {
    for (const pool of keysOf(caches.pools.byIndex('byBroker', broker))) controller.enqueue(pool)
  }
  term.follow(caches.pools, (key) => controller.enqueue(key))
  term.follow(caches.deployments, (_, current, previous) => {
    for (const pool of poolsOf(current, previous)) controller.enqueue(pool)
  })
  term.follow(caches.taskBrokers, enqueueThoseOf)
  directory.onChange(enqueueThoseOf)
  return controller
}

/** What runs of schedules are followed by and cleaned up by stops after the controller. */
function taskScheduleParts(term: Term): readonly Startable[] {
  const { caches, clock, log, at, directory, dispatchers } = term
  const { schedules, taskBrokers } = caches
  const keyOfLedger = (ledger: string) => ledger.slice(ledger.indexOf('/') + 1)
  const namespaceOf = (key: string) => key.slice(0, key.indexOf('/'))
  const isGone = (ledger: string) => schedules.get(keyOfLedger(ledger)) === undefined
  const tracking = createTracking({ ...term, isGone })
  const driver = createSlotDriver({ clock, log, at, outcomes: term.outcomes })
  const sweep = createSweep({
    ...term,
    driver,
    runDriver: createRunDriver({ clock, log, at, outcomes: term.outcomes }),
    exists: (kind, namespace, name) => kind !== 'TaskSchedule' || schedules.get(`${namespace}/${name}`) !== undefined,
    turnIn: turnsOf(term),
  })
  const { reconcile } = createTaskScheduleController({
    ...term,
    schedules,
    taskBrokers,
    tracking,
    driver,
    enqueue: (key) => controller.enqueue(key),
    onLeftBehind: sweep.again,
  })
  const controller = term.controllerOf('task-schedule', () => keysOf(schedules.list()), reconcile)
  const enqueueThoseOf = (broker: string) => {
    for (const schedule of keysOf(schedules.byIndex('byBroker', broker))) controller.enqueue(schedule)
    const place = directory.get(broker)
    if (place.kind === 'Known' && dispatchers.state(broker).kind === 'Active') {
      tracking.keep(broker, { endpoint: place.endpoint, doneQueue: doneQueue(term.installation, namespaceOf(broker)) })
      sweep.visit(place.endpoint)
    } else tracking.keep(broker, undefined)
  }
  term.follow(schedules, (key) => controller.enqueue(key))
  term.follow(taskBrokers, enqueueThoseOf)
  directory.onChange(enqueueThoseOf)
  dispatchers.onChange(enqueueThoseOf)
  return [sweep, atEnd('tracking of runs', tracking.stop), controller]
}

/** Whose turn it is at a broker in a namespace, by what the dispatchers of the TaskBrokers there know. */
function turnsOf({ caches, directory, dispatchers }: Term): Parameters<typeof createSweep>[0]['turnIn'] {
  return (namespace, endpoint) => {
    const there = keysOf(caches.taskBrokers.list(namespace)).filter((key) => {
      const place = directory.get(key)
      return place.kind !== 'Known' || (place.endpoint.address === endpoint.address && place.endpoint.keyPrefix === endpoint.keyPrefix)
    })
    const states = there.map(dispatchers.state)
    const active = states.find((state) => state.kind === 'Active')
    if (active !== undefined) return { kind: 'Ours', proof: active.proof }
    if (states.length === 0) return { kind: 'None' }
    return { kind: states.some((state) => state.kind === 'Pending') ? 'Pending' : 'Elsewhere' }
  }
}
