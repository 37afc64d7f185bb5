import { type ConditionRegistry, conditionsOf, type EventRegistry, eventsOf } from '../conditions.ts'
import { overriddenCondition, overrideEvents } from './override.ts'

const targetNotFound =
  'The object of spec.target does not exist. Create it in this namespace, or create another TaskAlert. Until then the alert keeps its state.'
const brokerNotFound = 'The TaskBroker of the target does not exist. Create it in this namespace; the alert then continues by itself.'
const brokerNotUsable = 'A Secret of the TaskBroker of the target is missing or wrong. `kubectl describe tmb` says what to do.'
const brokerUnreachable = 'The broker of the target does not answer, so that the value cannot be read. `kubectl describe tmb` says why.'
const channelNotFound = 'A channel of channelRefs does not exist. Create it in this namespace; notifications that are due are sent then.'
const invalidMessage =
  'An expression $(…) of spec.message is wrong. The alert is judged anyway, and its notifications have a default text. Correct the expression that the message names.'
const contradictoryWindow =
  'The slots of the schedule are further apart than windowSeconds, so that the alert would fire between any two runs. The alert is not judged. Set a longer windowSeconds.'

export const taskAlertConditions = {
  Ready: {
    meaning: 'Whether the alert can be judged and its channels exist. It does not depend on whether the alert fires.',
    reasons: {
      Judged: { status: 'True', meaning: 'The operator judges the alert; Firing has the result.' },
      TargetNotFound: { status: 'False', meaning: targetNotFound },
      BrokerNotFound: { status: 'False', meaning: brokerNotFound },
      BrokerNotUsable: { status: 'False', meaning: brokerNotUsable },
      BrokerUnreachable: { status: 'False', meaning: brokerUnreachable },
      ChannelNotFound: { status: 'False', meaning: channelNotFound },
      InvalidMessage: { status: 'False', meaning: invalidMessage },
      ContradictoryWindow: { status: 'False', meaning: contradictoryWindow },
    },
  },
  Reconciling: {
    meaning:
      'Exists only while True: something that the alert needs is missing or does not answer. The alert continues by itself when it is back.',
    reasons: {
      WaitingForTarget: { status: 'True', meaning: targetNotFound },
      WaitingForBroker: { status: 'True', meaning: 'The broker of the target is missing, or does not answer.' },
      WaitingForChannel: { status: 'True', meaning: channelNotFound },
    },
  },
  Stalled: {
    meaning: 'Exists only while True: the spec needs a correction.',
    reasons: {
      InvalidMessage: { status: 'True', meaning: invalidMessage },
      ContradictoryWindow: { status: 'True', meaning: contradictoryWindow },
    },
  },
  Firing: {
    meaning:
      'Whether the threshold is crossed for at least forSeconds. If a value cannot be read, the alert keeps its state: it is never resolved because nothing is known.',
    reasons: {
      ThresholdCrossed: {
        status: 'True',
        meaning: 'The value is above the threshold. The message has both; runbookURL can say what to do.',
      },
      HeldUnknown: {
        status: 'True',
        meaning:
          'The alert fired when it was last judged, and the value cannot be read now. The message says why. It keeps firing until it can be judged.',
      },
      Pending: { status: 'False', meaning: 'The value is above the threshold, but not for forSeconds yet.' },
      WithinThreshold: { status: 'False', meaning: 'The value is not above the threshold.' },
      NotReadYet: { status: 'Unknown', meaning: 'The value was not read yet. This is normal for some seconds after a start.' },
      TooFewRuns: {
        status: 'Unknown',
        meaning: 'Fewer runs than minimumRuns ended within the window, too few for a rate. The alert keeps its state until there are more.',
      },
      CountsLost: {
        status: 'Unknown',
        meaning:
          'The broker has lost a part of its counts, for example when a snapshot was restored. A count above the threshold fires; otherwise the value is unknown until the window is over. Find out what happened to the broker.',
      },
      TargetSuspended: {
        status: 'Unknown',
        meaning:
          'The value is above the threshold, but the target, or one of its queues, is suspended on purpose. Suspended targets do not fire. The message says who suspended it, and until when.',
      },
      TargetNotFound: { status: 'Unknown', meaning: targetNotFound },
      BrokerNotFound: { status: 'Unknown', meaning: brokerNotFound },
      BrokerNotUsable: { status: 'Unknown', meaning: brokerNotUsable },
      BrokerUnreachable: { status: 'Unknown', meaning: brokerUnreachable },
      ContradictoryWindow: { status: 'Unknown', meaning: contradictoryWindow },
    },
  },
  Notified: {
    meaning: 'Whether the channels were notified of the last transition. Missing until there was one.',
    reasons: {
      Delivered: { status: 'True', meaning: 'All channels that had to be notified accepted the notification.' },
      Delivering: { status: 'Unknown', meaning: 'A notification is being sent.' },
      DeliveryFailed: {
        status: 'False',
        meaning:
          'A receiver did not accept a notification. The operator sends it again, at intervals that double up to five minutes. Look at the receiver, and at the channel (`kubectl describe tac`).',
      },
      DeliveryGivenUp: {
        status: 'False',
        meaning:
          'A receiver did not accept a notification for hours, and the operator does not send it again. Tell the people yourself, and look at the channel (`kubectl describe tac`).',
      },
      ChannelNotFound: { status: 'False', meaning: channelNotFound },
      Silenced: {
        status: 'False',
        meaning: 'A user silenced the alert; the message says who, why and until when. Channels are notified afterwards.',
      },
      Acknowledged: {
        status: 'False',
        meaning:
          'The alert fires again while it is acknowledged, so that channels are not notified. The message says who acknowledged it, and until when.',
      },
      CoolingDown: {
        status: 'False',
        meaning: 'The alert fires again within cooldownSeconds after the last notification. Channels are notified when they are over.',
      },
      BelowMinimumSeverity: {
        status: 'False',
        meaning: 'The minimumSeverity of all channels is above the severity of the alert. Change the severity, or the channels.',
      },
    },
  },
  Overridden: overriddenCondition,
} as const satisfies ConditionRegistry

export const taskAlertEvents = {
  AlertFiring: { type: 'Warning', action: 'Judge', meaning: 'The alert fires; the note has the value and the threshold.' },
  AlertResolved: { type: 'Normal', action: 'Judge', meaning: 'The alert does not fire any more; the note has the value.' },
  NotificationFailed: {
    type: 'Warning',
    action: 'Notify',
    meaning:
      'A receiver does not accept a notification; the note says which one and why. The operator sends it again. Look at the channel (`kubectl describe tac`).',
  },
  NotificationGivenUp: {
    type: 'Warning',
    action: 'Notify',
    meaning:
      'A receiver did not accept a notification for hours, and the operator does not send it again. Look at the channel (`kubectl describe tac`).',
  },
  TargetNotFound: { type: 'Warning', action: 'Judge', meaning: targetNotFound },
  BrokerNotFound: { type: 'Warning', action: 'Judge', meaning: brokerNotFound },
  BrokerNotUsable: { type: 'Warning', action: 'Judge', meaning: brokerNotUsable },
  BrokerUnreachable: { type: 'Warning', action: 'Judge', meaning: brokerUnreachable },
  ChannelNotFound: { type: 'Warning', action: 'Notify', meaning: channelNotFound },
  InvalidMessage: { type: 'Warning', action: 'Validate', meaning: invalidMessage },
  ContradictoryWindow: { type: 'Warning', action: 'Validate', meaning: contradictoryWindow },
  ...overrideEvents,
} as const satisfies EventRegistry

/** For example `alertCondition('Firing', 'ThresholdCrossed', '…')`. */
export const alertCondition = conditionsOf(taskAlertConditions)
export const alertEvent = eventsOf(taskAlertEvents)
