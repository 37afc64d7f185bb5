import { type ConditionRegistry, conditionsOf, type EventRegistry, eventsOf } from '../registry.ts'

const failed = 'It cannot succeed any more: the message says which node failed and why. Correct that, and create another TaskExecution.'
const timedOut =
  'Its time was over before all nodes had ended. Look at the pool of the queue, or give it more time in another TaskExecution.'

export const taskExecutionConditions = {
  Succeeded: {
    meaning: 'How the run ended: the reason is its state. Unknown while it has no outcome; the reason then says what it waits for.',
    reasons: {
      Succeeded: { status: 'True', meaning: 'All required nodes succeeded.' },
      Skipped: { status: 'True', meaning: 'No node had to run: the conditions of all of them were false.' },
      Failed: { status: 'False', meaning: failed },
      TimedOut: { status: 'False', meaning: timedOut },
      Cancelled: { status: 'False', meaning: 'Somebody cancelled it, by spec.desiredState.' },
      Running: { status: 'Unknown', meaning: 'It is on its way; the message says what it waits for.' },
      Cancelling: { status: 'Unknown', meaning: 'Its jobs are being taken back; nothing new starts.' },
      SourceNotFound: {
        status: 'Unknown',
        meaning: 'The TaskSchedule or TaskDependency that it names does not exist. Create it; the run begins by itself.',
      },
      BrokerNotFound: {
        status: 'Unknown',
        meaning: 'Its TaskBroker does not exist. Create it in this namespace; the run goes on by itself.',
      },
      BrokerNotUsable: {
        status: 'Unknown',
        meaning: 'The Secret that the TaskBroker names is missing or wrong. `kubectl describe tmb` says what to do.',
      },
      BrokerUnreachable: {
        status: 'Unknown',
        meaning: 'The broker does not answer; what runs goes on, and the run too when it answers. `kubectl describe tmb` says why.',
      },
      WaitingForDispatch: {
        status: 'Unknown',
        meaning: 'The operator is claiming the dispatch lease of this namespace at the broker. Normal for some seconds after a start.',
      },
      Standby: {
        status: 'Unknown',
        meaning: 'Another cluster on the same broker dispatches here, or spec.dispatch of the TaskBroker is Standby.',
      },
      LogUnreadable: {
        status: 'Unknown',
        meaning:
          'The log of the run in the broker is damaged, or a later version wrote it. It is not written over; run the version that wrote it.',
      },
    },
  },
  Failed: {
    meaning: 'There only while True: the run ended without success.',
    reasons: { Failed: { status: 'True', meaning: failed }, TimedOut: { status: 'True', meaning: timedOut } },
  },
  Reconciling: {
    meaning: 'There only while True: the run has no outcome yet.',
    reasons: { InProgress: { status: 'True', meaning: 'It waits, or is on its way; Succeeded says which.' } },
  },
  Stalled: {
    meaning: 'There only while True: the run ended without success, so that tools which wait for it need not wait any longer.',
    reasons: { Failed: { status: 'True', meaning: failed }, TimedOut: { status: 'True', meaning: timedOut } },
  },
} as const satisfies ConditionRegistry

export const taskExecutionEvents = {
  Started: { type: 'Normal', action: 'Run', meaning: 'The run began; the note says what it is a run of.' },
  Continued: {
    type: 'Normal',
    action: 'Run',
    meaning:
      'An object of the same name had begun a run, and its log is still in the broker (after a restored backup, or when it was deleted and created again while no operator ran): that run goes on, or its outcome is shown; nothing runs again.',
  },
  LedgerRegressed: {
    type: 'Warning',
    action: 'Run',
    meaning:
      'The broker knows less of the run than its status tells (it was restored from an older state, or keeps nothing). What came back is taken back, nothing is started again, and the run has failed.',
  },
  NodeFailed: { type: 'Warning', action: 'Run', meaning: 'A node failed or timed out; the note says which and why.' },
  Succeeded: { type: 'Normal', action: 'Run', meaning: 'The run succeeded.' },
  Skipped: { type: 'Normal', action: 'Run', meaning: 'The run ended, and no node had to run.' },
  Failed: { type: 'Warning', action: 'Run', meaning: 'The run failed; the note says why.' },
  TimedOut: { type: 'Warning', action: 'Run', meaning: 'The time of the run was over before all nodes had ended.' },
  Cancelled: { type: 'Normal', action: 'Cancel', meaning: 'The run was cancelled.' },
} as const satisfies EventRegistry

/** For example `executionCondition('Succeeded', 'Running', '…')`. */
export const executionCondition = conditionsOf(taskExecutionConditions)
export const executionEvent = eventsOf(taskExecutionEvents)
