/** What objects report that people apply: pools, queues, brokers, alerts, channels, and the conditions of all of them. */
import { declareMetrics } from '../declaration.ts'

export const poolMetrics = declareMetrics({
  title: 'Worker pools',
  about: 'Of each WorkerPool.',
  owners: ['WorkerPool'],
  object: ['namespace', 'pool'],
  detail: ['pool'],
  metrics: {
    taskmill_pool_desired_replicas: { type: 'Gauge', help: 'Replicas that the WorkerPool wants.' },
    taskmill_pool_ready_replicas: {
      type: 'Gauge',
      help: 'Replicas of the WorkerPool that are Ready.',
      advice: 'Below the desired ones for longer than a pod takes to start: pods cannot be scheduled, pull their image, or start.',
    },
    taskmill_pool_max_replicas: {
      type: 'Gauge',
      help: 'Most replicas that the WorkerPool may have.',
      advice: 'Desired replicas stay at this number while jobs wait: raise maxReplicas, or find out why jobs take long.',
    },
  },
})

export const queueMetrics = declareMetrics({
  title: 'Queues',
  about:
    'Of each queue that a WorkerPool consumes or a TaskQueue is about, as last read from the broker: once a second while the queue has jobs. A queue that cannot be read keeps its last values.',
  owners: ['WorkerPool', 'TaskQueue'],
  each: 'queue',
  object: ['namespace'],
  detail: ['broker', 'queue'],
  metrics: {
    taskmill_queue_jobs: {
      type: 'Gauge',
      help: 'Jobs of a queue, by state: waiting, prioritized, delayed, active. Of a queue that was read, waiting is always there, the others above 0 only.',
      labels: ['broker', 'queue', 'state'],
      most: 4,
    },
    taskmill_queue_oldest_wait_seconds: {
      type: 'Age',
      help: 'How long the oldest job that could run has been waiting; missing while none waits.',
      labels: ['broker', 'queue'],
      together: 'max',
      advice:
        'Grows while pods are there: they are too few, stuck, or the queue is paused. Grows without pods: the pool does not scale, see its conditions.',
    },
    taskmill_queue_paused: {
      type: 'Gauge',
      help: '1 while a queue is paused, whoever paused it: no worker begins any of its jobs.',
      labels: ['broker', 'queue'],
      omitsZero: true,
      together: 'max',
      advice: 'SUSPENDED in `kubectl get tq` says who: Yes or Override, or ByOthers for a pause past Taskmill, which is left alone.',
    },
    taskmill_queue_concurrency_limit: {
      type: 'Gauge',
      help: 'Most jobs of a queue that run at once, over all its workers; missing without a limit.',
      labels: ['broker', 'queue'],
      advice: 'As many jobs are active while others wait: the limit holds them back, not the pods. It is maxConcurrency of the TaskQueue.',
    },
  },
})

export const brokerMetrics = declareMetrics({
  title: 'Brokers',
  about: 'Of each TaskBroker, looked at every 10 s.',
  owners: ['TaskBroker'],
  object: ['namespace', 'broker'],
  metrics: {
    taskmill_broker_reachable: {
      type: 'Gauge',
      help: '1 while the TaskBroker answers, 0 while it does not, or its Secrets cannot be used.',
      advice: 'At 0 nothing is scaled or dispatched, and workers wait: `kubectl describe tmb` says what is refused.',
    },
    taskmill_broker_memory_used_bytes: {
      type: 'Gauge',
      help: 'Memory that the server of the TaskBroker uses for data; missing if the server does not say.',
    },
    taskmill_broker_memory_max_bytes: {
      type: 'Gauge',
      help: 'Most memory that the server may use for data (maxmemory); missing without a limit.',
      advice: 'Used memory close to it: soon nothing can be added. Shorten the retention of jobs, or give the server more.',
    },
    taskmill_broker_clock_skew_seconds: {
      type: 'Gauge',
      help: "How far the server's clock is ahead of the operator's; negative: behind.",
      advice: 'More than 2 s either way: correct the time on the node that is wrong. Delayed jobs run early or late by that much.',
    },
    taskmill_broker_dispatch_active: {
      type: 'Gauge',
      help: '1 while this cluster dispatches the slots of the namespace through the TaskBroker, else 0.',
      advice: 'At 0 in every cluster that shares the broker, no schedule runs.',
    },
  },
})

export const alertMetrics = declareMetrics({
  title: 'Alerts',
  about: 'Of each TaskAlert.',
  owners: ['TaskAlert'],
  object: ['namespace', 'alert'],
  detail: ['alert'],
  metrics: {
    taskmill_alert_active: {
      type: 'Gauge',
      help: '1 while a TaskAlert fires.',
      labels: ['severity'],
      omitsZero: true,
      advice:
        'At 1: `kubectl describe tal` has the value, the threshold and the runbook. If a value cannot be read, the alert keeps its state.',
    },
  },
})

export const channelMetrics = declareMetrics({
  title: 'Notifications',
  about: 'Of each AlertChannel.',
  owners: ['AlertChannel'],
  object: ['namespace', 'channel'],
  metrics: {
    taskmill_notifications_total: {
      type: 'Counter',
      help: 'Attempts to deliver a notification to an AlertChannel, by outcome: Delivered, Failed (the operator tries again), GivenUp (it does not).',
      labels: ['outcome'],
      most: 3,
      advice: 'GivenUp: the receiver has accepted nothing for hours. `kubectl describe tac` says what the receiver answered.',
    },
    taskmill_notifications_waiting: {
      type: 'Gauge',
      help: 'Notifications that the receiver of an AlertChannel has not accepted yet.',
      omitsZero: true,
      advice: 'Above 0 for more than a minute: the receiver is away or refuses them. `kubectl describe tac` says why.',
    },
  },
})

/**
 * Which conditions are told, and while they have which status. Ready is always told. The others are told only while they need attention, because
 * a cluster has thousands of objects whose conditions are as they should be. `kubectl describe` shows them all.
 */
export const toldConditions = {
  AlertChannel: { Ready: 'Always', Stalled: 'True' },
  TaskAlert: { Ready: 'Always', Stalled: 'True', Overridden: 'True' },
  TaskBroker: { Ready: 'Always', Stalled: 'True', Degraded: 'True' },
  TaskDependency: { Ready: 'Always', Stalled: 'True', LastRunSucceeded: 'False' },
  TaskQueue: { Ready: 'Always', Stalled: 'True', Drifted: 'True', Overridden: 'True' },
  TaskSchedule: { Ready: 'Always', Stalled: 'True', Late: 'True', LedgerRegressed: 'True', Overridden: 'True' },
  WorkerPool: { Ready: 'Always', Stalled: 'True', Overridden: 'True' },
} as const satisfies Record<string, Readonly<Record<string, 'Always' | 'True' | 'False'>>>

type TellingKind = keyof typeof toldConditions
const tellingKinds = Object.keys(toldConditions) as readonly TellingKind[]

/** What objects of several kinds report in the same way. */
export const objectMetrics = declareMetrics({
  title: 'Conditions of objects',
  about: `Of every kind but TaskExecution: Ready always, and other conditions while they need attention. ${tellingKinds.map(toldOf).join(' ')}`,
  owners: tellingKinds,
  object: ['namespace', 'name'],
  detail: ['name'],
  metrics: {
    taskmill_object_condition: {
      type: 'Gauge',
      help: '1 while a condition of an object is True, 0 while it is False or Unknown.',
      labels: ['kind', 'condition'],
      most: Object.fromEntries(tellingKinds.map((kind) => [kind, Object.keys(toldConditions[kind]).length])),
      together: 'min',
      advice:
        'Ready at 0, or Stalled at 1, for longer than a rollout takes: `kubectl describe` says why and what to do next. Whether the last run succeeded never shows in Ready. Overridden at 1: an override is active, until the time that the message names.',
    },
  },
})

function toldOf(kind: TellingKind): string {
  const others = Object.entries(toldConditions[kind]).filter(([, status]) => status !== 'Always')
  return `${kind}: ${others.map(([type, status]) => `${type} while ${status}`).join(', ')}.`
}
