/**
 * The controllers of a term, one function per kind: what each is made of, and what it is asked to look at again by. A new kind adds its
 * cache in `caches.ts` and its function here.
 */
import { finalStateOf } from '../api/index.ts'
import { doneQueue, type OwnerMarker, ownerOf } from '../contract/index.ts'
import { createTaskBrokerController } from '../controllers/task-broker/index.ts'
import { createTaskDependencyController } from '../controllers/task-dependency/index.ts'
import { createTaskExecutionController } from '../controllers/task-execution/index.ts'
import { createTaskQueueController } from '../controllers/task-queue/index.ts'
import { createTaskScheduleController } from '../controllers/task-schedule/index.ts'
import { createWorkerPoolController, poolsOf } from '../controllers/worker-pool/index.ts'
import type { Controller, Startable } from '../runtime/index.ts'
import { starterOf } from '../services/jobs/index.ts'
import { createRunDriver, createSlotDriver, createSweep, type RunDriver, type SlotDriver, type Sweep } from '../services/runs/index.ts'
import { createTracking, createWhereabouts, type Tracking, type Whereabouts } from '../services/tracking/index.ts'
import { isRecorded, slotRunOf } from '../plans/index.ts'
import { endOfJob, isAcknowledged } from '../workloads/index.ts'
import { alertParts } from './alert-controllers.ts'
import { dependencyOf, keysOf } from './caches.ts'
import { atEnd, type Term } from './term.ts'

/** In the order of their start. */
export function controllersOf(term: Term): readonly Startable[] {
  return [taskBrokerController(term), workerPoolController(term), taskDependencyController(term), ...runParts(term), ...alertParts(term)]
}

function taskBrokerController(term: Term): Controller {
  const { caches, directory, dispatchLeases } = term
  const queuesOf = (broker: string) => caches.pools.byIndex('byBroker', broker).flatMap(({ spec }) => spec.queues.map(({ name }) => name))
  const { reconcile } = createTaskBrokerController({ ...term, taskBrokers: caches.taskBrokers, queuesOf })
  const controller = term.controllerOf('task-broker', () => keysOf(caches.taskBrokers.list()), reconcile)
  term.follow(caches.taskBrokers, (key) => controller.enqueue(key))
  dispatchLeases.onChange((key) => controller.enqueue(key))
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
  term.signals.changesOf('WorkerPool').onChange((key) => controller.enqueue(key))
  term.follow(caches.taskBrokers, enqueueThoseOf)
  directory.onChange(enqueueThoseOf)
  return controller
}

function taskDependencyController(term: Term): Controller {
  const { dependencies, executions, taskBrokers } = term.caches
  const { reconcile } = createTaskDependencyController({ ...term, dependencies, executions, taskBrokers })
  const controller = term.controllerOf('task-dependency', () => keysOf(dependencies.list()), reconcile)
  term.follow(dependencies, (key) => controller.enqueue(key))
  term.follow(executions, (_, current, previous) => {
    const run = current ?? previous
    const dependency = run && dependencyOf(run)
    if (dependency !== undefined) controller.enqueue(dependency)
  })
  term.follow(taskBrokers, (broker) => {
    for (const key of keysOf(dependencies.byIndex('byBroker', broker))) controller.enqueue(key)
  })
  return controller
}

/** What slots and runs share: their ends are followed and what they leave is cleaned up by parts that stop after the controllers. */
type RunServices = {
  readonly tracking: Tracking
  readonly whereabouts: Whereabouts
  readonly sweep: Sweep
  readonly runDriver: RunDriver
}

function runParts(term: Term): readonly Startable[] {
  const { caches, clock, log, at, directory, dispatchLeases } = term
  const existsIn = { TaskSchedule: caches.schedules, TaskExecution: caches.executions, TaskQueue: caches.queues }
  const exists = (kind: OwnerMarker['kind'], namespace: string, name: string) => existsIn[kind].get(`${namespace}/${name}`) !== undefined
  const isGone = (owner: string) => {
    const { kind, namespace, name } = ownerOf(owner)
    return !exists(kind, namespace, name)
  }
  const tracking = createTracking({ ...term, isGone })
  const driver = createSlotDriver({ clock, log, at, outcomes: term.outcomes })
  const runDriver = createRunDriver({ clock, log, at, outcomes: term.outcomes })
  const sweep = createSweep({
    ...term,
    driver,
    runDriver,
    exists,
    leaseIn: leasesOf(term),
    onRemains: ({ kind, namespace, name }) => (kind === 'TaskExecution' ? term.departures.note(`${namespace}/${name}`) : undefined),
  })
  const whereabouts = createWhereabouts(term)
  const services = { tracking, whereabouts, sweep, driver, runDriver }
  const ofSchedules = taskScheduleController(term, services)
  const ofExecutions = taskExecutionController(term, services)
  const watchDoneQueue = (broker: string) => {
    const place = directory.get(broker)
    if (place.kind === 'Known' && dispatchLeases.state(broker).kind === 'Active') {
      tracking.watch(broker, { endpoint: place.endpoint, doneQueue: doneQueue(term.installation, namespaceOf(broker)) })
      sweep.visit(place.endpoint)
    } else tracking.watch(broker, undefined)
  }
  term.follow(caches.taskBrokers, watchDoneQueue)
  directory.onChange(watchDoneQueue)
  dispatchLeases.onChange(watchDoneQueue)
  const ends = [atEnd('tracking of runs', tracking.stop), atEnd('whereabouts of jobs', whereabouts.stop)]
  return [sweep, ...ends, ofSchedules, ofExecutions, taskQueueController(term, sweep)]
}

function taskScheduleController(term: Term, { tracking, driver, sweep }: RunServices & { readonly driver: SlotDriver }): Controller {
  const { caches, directory, dispatchLeases } = term
  const { schedules, dependencies, executions, taskBrokers } = caches
  const { reconcile } = createTaskScheduleController({
    ...term,
    schedules,
    dependencies,
    executions,
    taskBrokers,
    tracking,
    driver,
    onLeftBehind: sweep.again,
  })
  const controller = term.controllerOf('task-schedule', () => keysOf(schedules.list()), reconcile)
  const enqueueThoseOf = (broker: string) => {
    for (const schedule of keysOf(schedules.byIndex('byBroker', broker))) controller.enqueue(schedule)
  }
  term.follow(schedules, (key) => controller.enqueue(key))
  term.follow(dependencies, (key) => {
    for (const schedule of keysOf(schedules.byIndex('byDependency', key))) controller.enqueue(schedule)
  })
  // Those that slots have started, when they end or are deleted.
  term.follow(executions, (_, current, previous) => {
    const object = current ?? previous
    const run = object && slotRunOf(object)
    const isNews =
      current === undefined ||
      current.metadata.deletionTimestamp !== undefined ||
      (finalStateOf(current) !== undefined && !isRecorded(current))
    if (run !== undefined && isNews) controller.enqueue(`${object?.metadata.namespace ?? ''}/${run.schedule}`)
  })
  term.follow(caches.jobs, (_, current, previous) => {
    const starter = starterOf(current ?? previous)
    const isNews = current === undefined || (endOfJob(current) !== undefined && !isAcknowledged(current))
    if (starter?.kind === 'TaskSchedule' && isNews) controller.enqueue(`${starter.namespace}/${starter.name}`)
  })
  tracking.changesOf('TaskSchedule').onChange((key) => controller.enqueue(key))
  term.follow(taskBrokers, enqueueThoseOf)
  directory.onChange(enqueueThoseOf)
  dispatchLeases.onChange(enqueueThoseOf)
  return controller
}

function taskExecutionController(term: Term, { tracking, whereabouts, runDriver, sweep }: RunServices): Controller {
  const { caches, directory, dispatchLeases } = term
  const { executions, schedules, dependencies, taskBrokers, pools, queues } = caches
  const { reconcile } = createTaskExecutionController({
    ...term,
    executions,
    schedules,
    dependencies,
    taskBrokers,
    pools,
    queues,
    tracking,
    whereabouts,
    driver: runDriver,
    hasDeparted: term.departures.has,
    enqueue: (key) => controller.enqueue(key),
    onLeftBehind: sweep.again,
  })
  const controller = term.controllerOf('task-execution', () => keysOf(executions.list()), reconcile)
  const enqueueAll = (runs: ReturnType<typeof executions.list>) => {
    for (const key of keysOf(runs)) controller.enqueue(key)
  }
  const enqueueThoseOf = (broker: string) => enqueueAll(executions.byIndex('byBroker', broker))
  // Only what has not begun still wants to know what it refers to.
  const waiting = (runs: ReturnType<typeof executions.list>) => runs.filter(({ status }) => status?.startTime === undefined)
  term.follow(executions, (key) => controller.enqueue(key))
  term.follow(caches.jobs, (_, current, previous) => {
    const starter = starterOf(current ?? previous)
    if (starter?.kind === 'TaskExecution') controller.enqueue(`${starter.namespace}/${starter.name}`)
  })
  term.follow(schedules, (key, current) => {
    enqueueAll(waiting(executions.byIndex('bySchedule', key)))
    // Nobody records their ends any more, which they wait for before they go.
    if (current === undefined) enqueueAll(executions.byIndex('byUnrecordedSlot', key))
  })
  term.follow(dependencies, (key) => enqueueAll(waiting(executions.byIndex('byDependency', key))))
  tracking.changesOf('TaskExecution').onChange((key) => controller.enqueue(key))
  whereabouts.changesOf('TaskExecution').onChange((key) => controller.enqueue(key))
  term.follow(taskBrokers, enqueueThoseOf)
  directory.onChange(enqueueThoseOf)
  dispatchLeases.onChange(enqueueThoseOf)
  return controller
}

function taskQueueController(term: Term, sweep: Sweep): Controller {
  const { caches, directory, dispatchLeases } = term
  const { queues, taskBrokers } = caches
  const { reconcile } = createTaskQueueController({
    ...term,
    queues,
    taskBrokers,
    onLeftBehind: sweep.again,
  })
  const controller = term.controllerOf('task-queue', () => keysOf(queues.list()), reconcile)
  const enqueueThoseOf = (broker: string) => {
    for (const queue of keysOf(queues.byIndex('byBroker', broker))) controller.enqueue(queue)
  }
  term.follow(queues, (key, current, previous) => {
    controller.enqueue(key)
    // Those that decide, or would, about the same queue.
    const name = (current ?? previous)?.spec.queueName ?? ''
    for (const other of keysOf(queues.byIndex('byQueue', name))) controller.enqueue(other)
  })
  term.signals.changesOf('TaskQueue').onChange((key) => controller.enqueue(key))
  term.follow(taskBrokers, enqueueThoseOf)
  directory.onChange(enqueueThoseOf)
  dispatchLeases.onChange(enqueueThoseOf)
  return controller
}

function namespaceOf(key: string): string {
  return key.slice(0, key.indexOf('/'))
}

/** Who holds the dispatch lease of a namespace at a broker, by the states of the TaskBrokers there. */
function leasesOf({ caches, directory, dispatchLeases }: Term): Parameters<typeof createSweep>[0]['leaseIn'] {
  return (namespace, endpoint) => {
    const there = keysOf(caches.taskBrokers.list(namespace)).filter((key) => {
      const place = directory.get(key)
      return place.kind !== 'Known' || (place.endpoint.address === endpoint.address && place.endpoint.keyPrefix === endpoint.keyPrefix)
    })
    const states = there.map(dispatchLeases.state)
    const active = states.find((state) => state.kind === 'Active')
    if (active !== undefined) return { kind: 'Ours', proof: active.proof }
    if (states.length === 0) return { kind: 'None' }
    return { kind: states.some((state) => state.kind === 'Pending') ? 'Pending' : 'Elsewhere' }
  }
}
