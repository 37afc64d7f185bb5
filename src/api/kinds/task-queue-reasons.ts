import { type ConditionRegistry, conditionsOf, type EventRegistry, eventsOf } from '../registry.ts'
import { alertingCondition } from './alerting-condition.ts'
import { overriddenCondition, overrideEvents } from './override.ts'

const policyConflict =
  'Another TaskQueue that is older, or has the earlier name, decides about this queue. Nothing of this one is applied. Delete one of the two; the message names the other.'
const settingsUnreadable =
  'What was applied to the queue is recorded in a form that a later version wrote. Nothing is applied; run the version that wrote it.'

export const taskQueueConditions = {
  Ready: {
    meaning: 'Whether what is declared holds for the queue. It never depends on how jobs end.',
    reasons: {
      Applied: { status: 'True', meaning: 'What is declared holds.' },
      Suspended: {
        status: 'True',
        meaning: 'What is declared holds: the queue is paused until spec.suspend is false, or the override ends.',
      },
      Standby: {
        status: 'True',
        meaning:
          'The queue is left to another cluster on the same broker, or spec.dispatch of the TaskBroker is Standby. Nothing is applied.',
      },
      WaitingForDispatch: {
        status: 'Unknown',
        meaning: 'The operator is claiming the dispatch lease of this namespace at the broker. Normal for some seconds after a start.',
      },
      BrokerNotFound: {
        status: 'False',
        meaning: 'The TaskBroker of brokerRef does not exist. Create it in this namespace; the queue goes on by itself.',
      },
      BrokerNotUsable: {
        status: 'False',
        meaning: 'The Secret that the TaskBroker names is missing or wrong. `kubectl describe tmb` says what to do.',
      },
      BrokerUnreachable: {
        status: 'False',
        meaning: 'The broker does not answer, so nothing can be applied; what was applied goes on. `kubectl describe tmb` says why.',
      },
      PolicyConflict: { status: 'False', meaning: policyConflict },
      SettingsUnreadable: { status: 'False', meaning: settingsUnreadable },
    },
  },
  Reconciling: {
    meaning: 'There only while True: the operator is on its way to what is declared, and needs no help.',
    reasons: {
      WaitingForBroker: { status: 'True', meaning: 'The broker is missing or does not answer; the queue goes on by itself when it does.' },
      WaitingForDispatch: { status: 'True', meaning: 'The dispatch lease of this namespace is being claimed at the broker.' },
    },
  },
  Stalled: {
    meaning: 'There only while True: what is declared cannot hold until somebody changes something.',
    reasons: {
      PolicyConflict: { status: 'True', meaning: policyConflict },
      SettingsUnreadable: { status: 'True', meaning: settingsUnreadable },
    },
  },
  Drifted: {
    meaning: 'Whether the queue is in a state that is not declared and is left alone.',
    reasons: {
      PausedByOthers: {
        status: 'True',
        meaning: 'Somebody else paused the queue, and nothing here undoes that. Resume it where it was paused (bull-board, Queue.resume).',
      },
      AsDeclared: { status: 'False', meaning: 'The queue is as it is declared.' },
    },
  },
  Overridden: overriddenCondition,
  Alerting: alertingCondition,
} as const satisfies ConditionRegistry

export const taskQueueEvents = {
  QueueSuspended: { type: 'Normal', action: 'Suspend', meaning: 'The queue was paused; running jobs end, no other starts.' },
  QueueResumed: { type: 'Normal', action: 'Resume', meaning: 'The pause of this TaskQueue was taken back.' },
  ConcurrencyChanged: {
    type: 'Normal',
    action: 'Limit',
    meaning: 'The global concurrency of the queue was changed; the note says from and to.',
  },
  DriftRepaired: {
    type: 'Warning',
    action: 'Repair',
    meaning:
      'Somebody else had changed what this TaskQueue declares (a resume, another concurrency); it holds again. Change the TaskQueue instead.',
  },
  PausedByOthers: {
    type: 'Warning',
    action: 'Watch',
    meaning: 'Somebody else paused the queue. It is left alone; resume it where it was paused.',
  },
  PolicyConflict: { type: 'Warning', action: 'Apply', meaning: policyConflict },
  SettingsUnreadable: { type: 'Warning', action: 'Apply', meaning: settingsUnreadable },
  BrokerNotFound: {
    type: 'Warning',
    action: 'Connect',
    meaning: 'The TaskBroker of brokerRef does not exist. Create it in this namespace.',
  },
  BrokerNotUsable: { type: 'Warning', action: 'Connect', meaning: 'The Secret that the TaskBroker names is missing or wrong.' },
  BrokerUnreachable: { type: 'Warning', action: 'Connect', meaning: 'The broker does not answer, so nothing can be applied.' },
  ...overrideEvents,
} as const satisfies EventRegistry

/** For example `queueCondition('Ready', 'Applied', '…')`. */
export const queueCondition = conditionsOf(taskQueueConditions)
export const queueEvent = eventsOf(taskQueueEvents)
