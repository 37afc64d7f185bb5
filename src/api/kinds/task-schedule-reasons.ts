import { type ConditionRegistry, conditionsOf, type EventRegistry, eventsOf } from '../conditions.ts'
import { overriddenCondition, overrideEvents } from './override.ts'
import { alertingCondition } from './alerting-condition.ts'

const invalidSchedule = 'A schedule cannot be read, or never comes due. The message names the field and says what to write.'
const invalidTimeZone = 'The text of spec.timeZone is no IANA time zone. Write one such as Europe/Berlin.'
const invalidExpression =
  'An expression $(…) of the payload, the parameters or the job cannot be compiled. The message names the field and the names that are known.'
const payloadTooLarge = 'The payload, or what the parameters come to, is too long. Store the data elsewhere and pass a reference.'
const templateInvalid =
  "The API server refuses the template of the schedule's Kubernetes Job; the message has its words. No slot is dispatched until it is corrected."
const dependencyNotFound =
  'The TaskDependency of dependencyRef does not exist, so that no slot is dispatched. Create it; the schedule goes on by itself, as after an outage.'
const ledgerUnreadable =
  'The ledger in the broker is damaged, or a later version wrote it. Nothing is dispatched and it is not written over; run the version that wrote it.'

export const taskScheduleConditions = {
  Ready: {
    meaning: 'Whether the slots to come will be dispatched. It never depends on how runs end.',
    reasons: {
      SlotScheduled: { status: 'True', meaning: 'The next slot is known and will be dispatched; the message says when.' },
      NoSlotLeft: { status: 'True', meaning: 'No slot is to come: the schedules name only moments of the past.' },
      Suspended: { status: 'True', meaning: '`spec.suspend` is true, or an override suspends it: nothing is dispatched until that ends.' },
      Standby: {
        status: 'True',
        meaning: 'The slots are left to another cluster on the same broker, or spec.dispatch of the TaskBroker is Standby.',
      },
      WaitingForDispatch: {
        status: 'Unknown',
        meaning: 'The operator is claiming the dispatch lease of this namespace at the broker. Normal for some seconds after a start.',
      },
      BrokerNotFound: {
        status: 'False',
        meaning: 'The TaskBroker of brokerRef does not exist. Create it in this namespace; the schedule goes on by itself.',
      },
      BrokerNotUsable: {
        status: 'False',
        meaning: 'The Secret that the TaskBroker names is missing or wrong. `kubectl describe tmb` says what to do.',
      },
      BrokerUnreachable: {
        status: 'False',
        meaning:
          'The broker does not answer, so nothing can be dispatched; jobs that are placed ahead run. `kubectl describe tmb` says why.',
      },
      LedgerUnreadable: { status: 'False', meaning: ledgerUnreadable },
      InvalidSchedule: { status: 'False', meaning: invalidSchedule },
      InvalidTimeZone: { status: 'False', meaning: invalidTimeZone },
      InvalidExpression: { status: 'False', meaning: invalidExpression },
      PayloadTooLarge: { status: 'False', meaning: payloadTooLarge },
      DependencyNotFound: { status: 'False', meaning: dependencyNotFound },
      TemplateInvalid: { status: 'False', meaning: templateInvalid },
      StartPostponed: {
        status: 'False',
        meaning:
          'The API server does not take now what a due slot is to start (a quota, a right that is missing, an admission webhook); the message has its words. It is tried again.',
      },
    },
  },
  Reconciling: {
    meaning: 'There only while True: the operator is on its way to dispatching, and needs no help.',
    reasons: {
      WaitingForBroker: {
        status: 'True',
        meaning: 'The broker is missing or does not answer; the schedule goes on by itself when it does.',
      },
      WaitingForDispatch: { status: 'True', meaning: 'The dispatch lease of this namespace is being claimed at the broker.' },
      StartPostponed: { status: 'True', meaning: 'The API server does not take what a due slot is to start; it is tried again.' },
    },
  },
  Stalled: {
    meaning: 'There only while True: the spec cannot be acted upon until somebody changes it.',
    reasons: {
      LedgerUnreadable: { status: 'True', meaning: ledgerUnreadable },
      InvalidSchedule: { status: 'True', meaning: invalidSchedule },
      InvalidTimeZone: { status: 'True', meaning: invalidTimeZone },
      InvalidExpression: { status: 'True', meaning: invalidExpression },
      PayloadTooLarge: { status: 'True', meaning: payloadTooLarge },
      DependencyNotFound: { status: 'True', meaning: dependencyNotFound },
      TemplateInvalid: { status: 'True', meaning: templateInvalid },
    },
  },
  LastRunSucceeded: {
    meaning: 'How the run that ended last ended. Missing until one has ended.',
    reasons: {
      Succeeded: { status: 'True', meaning: 'It succeeded.' },
      Skipped: { status: 'True', meaning: 'No node of the graph had to run.' },
      AttemptsExhausted: { status: 'False', meaning: 'All its attempts failed; the message is that of the last one.' },
      JobRemoved: { status: 'False', meaning: 'Somebody removed its job from the queue, or deleted its Kubernetes Job, before it ended.' },
      Failed: {
        status: 'False',
        meaning: 'The graph or the Kubernetes Job failed; the message says where and why, and names the object to look at.',
      },
      TimedOut: {
        status: 'False',
        meaning: 'The time of the graph, or of the Kubernetes Job (activeDeadlineSeconds), was over before it had ended.',
      },
      Cancelled: { status: 'False', meaning: 'Somebody cancelled its TaskExecution, by spec.desiredState.' },
      ExecutionRemoved: { status: 'False', meaning: 'Somebody deleted its TaskExecution before it ended, which cancelled it.' },
      Refused: {
        status: 'False',
        meaning: 'The API server refused what the slot was to start; the message says why. The next slot tries again.',
      },
      PendingDeadlineExceeded: {
        status: 'False',
        meaning: 'No worker started it within pendingDeadlineSeconds. Look at the pool of its queue.',
      },
      RunDeadlineExceeded: { status: 'False', meaning: 'It had not ended within runDeadlineSeconds of its start. The run itself goes on.' },
    },
  },
  Late: {
    meaning: 'Whether a slot was dispatched, or waits to be, more than 30 s after it was due.',
    reasons: {
      SlotOverdue: { status: 'True', meaning: 'A slot is due and not dispatched. Ready says what keeps it.' },
      DispatchedLate: {
        status: 'True',
        meaning: 'The last dispatch came late, after an outage for example. The next one in time ends this.',
      },
      InTime: { status: 'False', meaning: 'The last slot was dispatched in time, and none is overdue.' },
    },
  },
  Overridden: overriddenCondition,
  LedgerRegressed: {
    meaning:
      'There only while True, for a day: the broker came back with an older ledger, or none, so that some slots could not be told from others.',
    reasons: {
      LedgerBehind: {
        status: 'True',
        meaning:
          'The broker lost what it had acknowledged (a restored snapshot, no AOF). Nothing was fired again; look at the persistence of the broker.',
      },
    },
  },
  Alerting: alertingCondition,
} as const satisfies ConditionRegistry

export const taskScheduleEvents = {
  RunFailed: { type: 'Warning', action: 'Run', meaning: 'A run failed for good; the note says which slot and why.' },
  RunMissed: {
    type: 'Warning',
    action: 'Dispatch',
    meaning: 'Slots were not dispatched; the note says how many, the newest of them and why.',
  },
  LedgerRegressed: {
    type: 'Warning',
    action: 'Dispatch',
    meaning: 'The broker came back with an older ledger, or none. Nothing is fired again; look at the persistence of the broker.',
  },
  Suspended: {
    type: 'Normal',
    action: 'Suspend',
    meaning: 'Slots are no longer dispatched, because spec.suspend is true or an override says so.',
  },
  Resumed: { type: 'Normal', action: 'Resume', meaning: 'Slots are dispatched again.' },
  ...overrideEvents,
  BrokerNotFound: {
    type: 'Warning',
    action: 'Connect',
    meaning: 'The TaskBroker of brokerRef does not exist. Create it in this namespace.',
  },
  BrokerNotUsable: { type: 'Warning', action: 'Connect', meaning: 'The Secret that the TaskBroker names is missing or wrong.' },
  BrokerUnreachable: { type: 'Warning', action: 'Connect', meaning: 'The broker does not answer, so nothing can be dispatched.' },
  InvalidSchedule: { type: 'Warning', action: 'Validate', meaning: invalidSchedule },
  InvalidTimeZone: { type: 'Warning', action: 'Validate', meaning: invalidTimeZone },
  InvalidExpression: { type: 'Warning', action: 'Validate', meaning: invalidExpression },
  PayloadTooLarge: { type: 'Warning', action: 'Validate', meaning: payloadTooLarge },
  DependencyNotFound: { type: 'Warning', action: 'Dispatch', meaning: dependencyNotFound },
  TemplateInvalid: { type: 'Warning', action: 'Validate', meaning: templateInvalid },
  StartPostponed: {
    type: 'Warning',
    action: 'Dispatch',
    meaning: 'The API server does not take what a due slot is to start; the note has its words. It is tried again.',
  },
} as const satisfies EventRegistry

/** For example `scheduleCondition('Ready', 'SlotScheduled', '…')`. */
export const scheduleCondition = conditionsOf(taskScheduleConditions)
export const scheduleEvent = eventsOf(taskScheduleEvents)
