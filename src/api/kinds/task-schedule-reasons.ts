import { type ConditionRegistry, conditionsOf, type EventRegistry, eventsOf } from '../conditions.ts'
import { overriddenCondition, overrideEvents } from './override.ts'
import { blockedEvents, blockedScheduleCondition } from './blocked-condition.ts'
import { alertingCondition } from './alerting-condition.ts'

const invalidSchedule = 'A cron expression is not valid, or is never due. The message names the field and says what to write.'
const invalidTimeZone = 'The value of spec.timeZone is not an IANA time zone. Write one such as Europe/Berlin.'
const invalidCalendar =
  'A date, a window or a file of spec.calendars is not valid, or the calendars leave no slot. The message names the field, or the ConfigMap ' +
  'with its key and line, and says what to write.'
const calendarNotFound =
  'A ConfigMap of spec.calendars, or its key, does not exist or cannot be read, so no slot is dispatched. Create it; the schedule then ' +
  'continues by itself, as after an outage.'
const invalidExpression =
  'An expression $(…) in the payload, the parameters or the job does not compile. The message names the field and the known names.'
const invalidNumber =
  'A number in the payload or the parameters has more digits than workers can read. The message names the field. Write the number ' +
  'as text, in quotes.'
const payloadTooLarge = 'The payload, or the evaluated parameters, are too long. Store the data elsewhere and pass a reference.'
const templateInvalid =
  "The API server refuses the template of the schedule's Kubernetes Job; the message quotes it. No slot is dispatched until the " +
  'template is corrected.'
const dependencyNotFound =
  'The TaskDependency of dependencyRef does not exist, so no slot is dispatched. Create it; the schedule then continues by itself, as ' +
  'after an outage.'
const nameTaken =
  'A CronJob or job scheduler of the same name exists and does not belong to the TaskSchedule, so nothing is changed. The message says how to ' +
  'take it over.'
const adoptionDryRun =
  'The annotation taskmill.dev/adopt is DryRun: the message says what taking over the CronJob or job scheduler would change, and how to confirm it.'
const ledgerUnreadable =
  'The ledger in the broker is damaged, or a later version of Taskmill wrote it. The operator dispatches nothing and does not ' +
  'overwrite it. Run the version that wrote it.'

export const taskScheduleConditions = {
  Ready: {
    meaning: 'Whether future slots will be dispatched. It does not depend on how runs end.',
    reasons: {
      SlotScheduled: { status: 'True', meaning: 'The next slot is known and will be dispatched; the message says when.' },
      Completed: { status: 'True', meaning: 'No slot is left by endTime, maxRuns or at. The condition Completed says which.' },
      NoSlotLeft: { status: 'True', meaning: 'There is no future slot: the calendars leave only times in the past.' },
      Suspended: {
        status: 'True',
        meaning: '`spec.suspend` is true, or an override suspends the schedule. No slot is dispatched until that ends.',
      },
      Standby: {
        status: 'True',
        meaning: 'Another cluster on the same broker dispatches the slots, or spec.dispatch of the TaskBroker is Standby.',
      },
      WaitingForDispatch: {
        status: 'Unknown',
        meaning: 'The operator is claiming the dispatch lease of this namespace at the broker. Normal for some seconds after a start.',
      },
      BrokerNotFound: {
        status: 'False',
        meaning: 'The TaskBroker of brokerRef does not exist. Create it in this namespace; the schedule then continues by itself.',
      },
      BrokerNotUsable: {
        status: 'False',
        meaning: 'A Secret that the TaskBroker names is missing or wrong. `kubectl describe tmb` says what to do.',
      },
      BrokerUnreachable: {
        status: 'False',
        meaning:
          'The broker does not answer, so nothing can be dispatched. Jobs that are already placed ahead run. `kubectl describe tmb` says why.',
      },
      LedgerUnreadable: { status: 'False', meaning: ledgerUnreadable },
      InvalidSchedule: { status: 'False', meaning: invalidSchedule },
      InvalidTimeZone: { status: 'False', meaning: invalidTimeZone },
      InvalidCalendar: { status: 'False', meaning: invalidCalendar },
      CalendarNotFound: { status: 'False', meaning: calendarNotFound },
      InvalidExpression: { status: 'False', meaning: invalidExpression },
      InvalidNumber: { status: 'False', meaning: invalidNumber },
      PayloadTooLarge: { status: 'False', meaning: payloadTooLarge },
      DependencyNotFound: { status: 'False', meaning: dependencyNotFound },
      TemplateInvalid: { status: 'False', meaning: templateInvalid },
      NameTaken: { status: 'False', meaning: nameTaken },
      AdoptionDryRun: { status: 'False', meaning: adoptionDryRun },
      StartPostponed: {
        status: 'False',
        meaning:
          'The API server currently refuses to create what a due slot starts (a quota, a missing permission, an admission webhook); the ' +
          'message quotes it. The operator retries.',
      },
    },
  },
  Reconciling: {
    meaning: 'Present only while True: the operator is getting ready to dispatch and needs no help.',
    reasons: {
      WaitingForBroker: {
        status: 'True',
        meaning: 'The broker is missing or does not answer. The schedule continues by itself when it answers.',
      },
      WaitingForDispatch: { status: 'True', meaning: 'The operator is claiming the dispatch lease of this namespace at the broker.' },
      StartPostponed: {
        status: 'True',
        meaning: 'The API server currently refuses to create what a due slot starts. The operator retries.',
      },
    },
  },
  Stalled: {
    meaning: 'Present only while True: the operator cannot act on the spec until a user changes it.',
    reasons: {
      LedgerUnreadable: { status: 'True', meaning: ledgerUnreadable },
      InvalidSchedule: { status: 'True', meaning: invalidSchedule },
      InvalidTimeZone: { status: 'True', meaning: invalidTimeZone },
      InvalidCalendar: { status: 'True', meaning: invalidCalendar },
      CalendarNotFound: { status: 'True', meaning: calendarNotFound },
      InvalidExpression: { status: 'True', meaning: invalidExpression },
      InvalidNumber: { status: 'True', meaning: invalidNumber },
      PayloadTooLarge: { status: 'True', meaning: payloadTooLarge },
      DependencyNotFound: { status: 'True', meaning: dependencyNotFound },
      TemplateInvalid: { status: 'True', meaning: templateInvalid },
      NameTaken: { status: 'True', meaning: nameTaken },
      AdoptionDryRun: { status: 'True', meaning: adoptionDryRun },
    },
  },
  LastRunSucceeded: {
    meaning: 'Outcome of the run that ended last. Missing until a run has ended.',
    reasons: {
      Succeeded: { status: 'True', meaning: 'The run succeeded.' },
      Skipped: { status: 'True', meaning: 'No node of the graph had to run.' },
      AttemptsExhausted: { status: 'False', meaning: 'All attempts failed; the message is that of the last one.' },
      JobRemoved: { status: 'False', meaning: 'Someone removed its job from the queue, or deleted its Kubernetes Job, before it ended.' },
      Failed: {
        status: 'False',
        meaning: 'The graph or the Kubernetes Job failed; the message says where and why, and names the object to look at.',
      },
      TimedOut: {
        status: 'False',
        meaning: 'The time limit of the graph, or of the Kubernetes Job (activeDeadlineSeconds), passed before it had ended.',
      },
      Cancelled: { status: 'False', meaning: 'A user cancelled its TaskExecution by spec.desiredState.' },
      ExecutionRemoved: { status: 'False', meaning: 'A user deleted its TaskExecution before it ended, which cancelled it.' },
      Refused: {
        status: 'False',
        meaning:
          'Nothing could be started for the slot: the API server refused to create it, or an expression failed for this slot. The message ' +
          'says why. The next slot tries again.',
      },
      PendingDeadlineExceeded: {
        status: 'False',
        meaning: 'No worker started it within pendingDeadlineSeconds. Check the pool of its queue.',
      },
      Replaced: {
        status: 'Unknown',
        meaning: 'With concurrencyPolicy Replace, the next slot was due before it ended. It has neither succeeded nor failed.',
      },
      RunDeadlineExceeded: {
        status: 'False',
        meaning:
          'It did not end within runDeadlineSeconds after its start. With onDeadline Cancel it was cancelled; otherwise it continues.',
      },
    },
  },
  Suspended: {
    meaning: 'Present only while True: no slot is dispatched, because a user wants it so.',
    reasons: {
      BySpec: { status: 'True', meaning: '`spec.suspend` is true. Set it to false to dispatch slots again.' },
      ByOverride: {
        status: 'True',
        meaning: 'An override suspends the schedule for a while. `taskmill resume tsch/NAME` ends it earlier.',
      },
    },
  },
  Overlapping: {
    meaning: 'Present only while True: more than one run is active.',
    reasons: {
      RunsOverlap: {
        status: 'True',
        meaning:
          'A run started before another one had ended. If that must not be, set `spec.concurrencyPolicy` to another value than Allow.',
      },
    },
  },
  GroupLimitDiffers: {
    meaning: 'Present only while True: another TaskSchedule names a lower limit for the concurrencyGroup of this one.',
    reasons: {
      LowestCounts: {
        status: 'True',
        meaning:
          'The lowest limit counts for all schedules of the group; the message says which it is. Write the same limit in all of them.',
      },
    },
  },
  Late: {
    meaning:
      'Whether a slot was dispatched, or still waits for that, more than 30 s after it was due; or whether nothing has started its run within 5 ' +
      'minutes after the dispatch.',
    reasons: {
      SlotOverdue: { status: 'True', meaning: 'A slot is due and was not dispatched. The condition Ready says why.' },
      NotStarted: {
        status: 'True',
        meaning:
          'A run was dispatched more than 5 minutes ago, and no worker, pod or node of it has started. The message says which, and what it ' +
          'waits for.',
      },
      DispatchedLate: {
        status: 'True',
        meaning: 'The last dispatch was late, for example after an outage. The next dispatch in time ends this condition.',
      },
      InTime: {
        status: 'False',
        meaning: 'The last slot was dispatched in time, none is overdue, and no run waits for its start for long.',
      },
    },
  },
  Completed: {
    meaning: 'Present only while True: no slot will be due any more by this spec. Runs that were dispatched continue.',
    reasons: {
      EndTimePassed: { status: 'True', meaning: 'No slot is left up to endTime. A later endTime continues the schedule from now on.' },
      MaxRunsReached: { status: 'True', meaning: 'As many slots as maxRuns were dispatched. A higher value continues from now on.' },
      LastTimePassed: { status: 'True', meaning: 'All times of at have passed. Times that had passed when it was created did not run.' },
    },
  },
  Drifted: {
    meaning: 'Present only while True: with driftPolicy Report, the CronJob or job scheduler is not what the TaskSchedule says.',
    reasons: {
      Edited: {
        status: 'True',
        meaning: 'A user has edited the CronJob or job scheduler. The message says which fields differ, and how to have it repaired.',
      },
    },
  },
  Blocked: blockedScheduleCondition,
  Overridden: overriddenCondition,
  LedgerRegressed: {
    meaning: 'Present only while True, for a day: the broker came back with an older ledger, or none, so some slots may have been lost.',
    reasons: {
      LedgerBehind: {
        status: 'True',
        meaning:
          'The broker lost data that it had acknowledged (a restored snapshot, no AOF). No past slot was fired again. Check the persistence of the ' +
          'broker.',
      },
    },
  },
  Alerting: alertingCondition,
} as const satisfies ConditionRegistry

export const taskScheduleEvents = {
  RunFailed: { type: 'Warning', action: 'Run', meaning: 'A run failed for good; the note says which slot and why, and what to do next.' },
  RunRecovered: { type: 'Normal', action: 'Run', meaning: 'A run succeeded after others had failed; the note says how many.' },
  RunReplaced: {
    type: 'Normal',
    action: 'Run',
    meaning: 'With concurrencyPolicy Replace, a run was cancelled because the next slot was due; the note says which slots.',
  },
  RunLate: {
    type: 'Warning',
    action: 'Dispatch',
    meaning: 'The condition Late has become True: a slot is overdue, or a run does not start; the note says which, and what to do next.',
  },
  RunMissed: {
    type: 'Warning',
    action: 'Dispatch',
    meaning: 'Slots were not dispatched; the note says how many, the newest of them, why, and what to do next.',
  },
  LedgerRegressed: {
    type: 'Warning',
    action: 'Dispatch',
    meaning: 'The broker came back with an older ledger, or none. No past slot fires again. Check the persistence of the broker.',
  },
  Suspended: {
    type: 'Normal',
    action: 'Suspend',
    meaning: 'Slots are no longer dispatched, because spec.suspend is true or an override suspends the schedule.',
  },
  Adopted: {
    type: 'Normal',
    action: 'Adopt',
    meaning: 'A CronJob or job scheduler that existed was taken over; the note says what was changed.',
  },
  Repaired: {
    type: 'Normal',
    action: 'Repair',
    meaning: 'A user had edited the CronJob or job scheduler, and the operator has repaired it; the note says which fields.',
  },
  Drifted: {
    type: 'Warning',
    action: 'Repair',
    meaning: 'A user has edited the CronJob or job scheduler, and driftPolicy Report leaves it so; the note says which fields.',
  },
  NameTaken: { type: 'Warning', action: 'Adopt', meaning: nameTaken },
  AdoptionDryRun: { type: 'Normal', action: 'Adopt', meaning: adoptionDryRun },
  Completed: { type: 'Normal', action: 'Dispatch', meaning: 'No slot is left by endTime, maxRuns or at; the note says why.' },
  Resumed: { type: 'Normal', action: 'Resume', meaning: 'Slots are dispatched again.' },
  ...overrideEvents,
  ...blockedEvents,
  BrokerNotFound: {
    type: 'Warning',
    action: 'Connect',
    meaning: 'The TaskBroker of brokerRef does not exist. Create it in this namespace.',
  },
  BrokerNotUsable: { type: 'Warning', action: 'Connect', meaning: 'A Secret that the TaskBroker names is missing or wrong.' },
  BrokerUnreachable: { type: 'Warning', action: 'Connect', meaning: 'The broker does not answer, so nothing can be dispatched.' },
  InvalidSchedule: { type: 'Warning', action: 'Validate', meaning: invalidSchedule },
  InvalidTimeZone: { type: 'Warning', action: 'Validate', meaning: invalidTimeZone },
  InvalidCalendar: { type: 'Warning', action: 'Validate', meaning: invalidCalendar },
  CalendarNotFound: { type: 'Warning', action: 'Dispatch', meaning: calendarNotFound },
  InvalidExpression: { type: 'Warning', action: 'Validate', meaning: invalidExpression },
  InvalidNumber: { type: 'Warning', action: 'Validate', meaning: invalidNumber },
  PayloadTooLarge: { type: 'Warning', action: 'Validate', meaning: payloadTooLarge },
  DependencyNotFound: { type: 'Warning', action: 'Dispatch', meaning: dependencyNotFound },
  TemplateInvalid: { type: 'Warning', action: 'Validate', meaning: templateInvalid },
  StartPostponed: {
    type: 'Warning',
    action: 'Dispatch',
    meaning: 'The API server currently refuses to create what a due slot starts; the note quotes it. The operator retries.',
  },
} as const satisfies EventRegistry

/** For example `scheduleCondition('Ready', 'SlotScheduled', '…')`. */
export const scheduleCondition = conditionsOf(taskScheduleConditions)
export const scheduleEvent = eventsOf(taskScheduleEvents)
