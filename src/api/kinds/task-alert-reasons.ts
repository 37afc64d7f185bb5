import { type ConditionRegistry, conditionsOf, type EventRegistry, eventsOf } from '../conditions.ts'
import { overriddenCondition, overrideEvents } from './override.ts'

const targetNotFound =
  'The object of spec.target does not exist. Create it in this namespace, or another TaskAlert; until then nothing changes.'
const brokerNotFound = "The target's TaskBroker does not exist. Create it in this namespace; the alert goes on by itself."
const brokerNotUsable = "A Secret of the target's TaskBroker is missing or wrong. `kubectl describe tmb` says what to do."
const brokerUnreachable = "The target's broker does not answer, so nothing is known. `kubectl describe tmb` says why."
const channelNotFound = 'An AlertChannel of channelRefs does not exist. Create it in this namespace; what is due is sent then.'
const invalidMessage =
  'An expression $(…) of spec.message cannot be used. The alert is judged all the same, and told in words of its own; correct what the message names.'
const contradictoryWindow =
  'The schedule comes due more seldom than the window asks for, so the alert would fire between any two runs. It is not judged; set a longer windowSeconds.'

export const taskAlertConditions = {
  Ready: {
    meaning: 'Whether the alert is judged, and whom it names can be told. It never depends on whether it fires.',
    reasons: {
      Judged: { status: 'True', meaning: 'The value is looked at; Firing says what came of it.' },
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
    meaning: 'There only while True: something that the alert needs is not there yet, or away, and it goes on by itself.',
    reasons: {
      WaitingForTarget: { status: 'True', meaning: targetNotFound },
      WaitingForBroker: { status: 'True', meaning: "The target's broker is missing, or does not answer." },
      WaitingForChannel: { status: 'True', meaning: channelNotFound },
    },
  },
  Stalled: {
    meaning: 'There only while True: the spec needs a correction.',
    reasons: {
      InvalidMessage: { status: 'True', meaning: invalidMessage },
      ContradictoryWindow: { status: 'True', meaning: contradictoryWindow },
    },
  },
  Firing: {
    meaning:
      'Whether the threshold is crossed, for as long as forSeconds asks for. What cannot be known leaves it as it was: no all-clear comes from silence.',
    reasons: {
      ThresholdCrossed: {
        status: 'True',
        meaning: 'The value is above the threshold. The message has both; runbookURL may say what to do.',
      },
      HeldUnknown: {
        status: 'True',
        meaning:
          'It fires since it was judged last, and the value cannot be known now. The message says why; it stays until it can be judged.',
      },
      Pending: { status: 'False', meaning: 'The value is above the threshold, not for forSeconds yet.' },
      WithinThreshold: { status: 'False', meaning: 'The value is not above the threshold.' },
      NotReadYet: { status: 'Unknown', meaning: 'The value was not read yet. Normal for some seconds after a start.' },
      TooFewRuns: {
        status: 'Unknown',
        meaning: 'Fewer runs than minimumRuns ended within the window, which is too few for a rate. Nothing changes until there are more.',
      },
      CountsLost: {
        status: 'Unknown',
        meaning:
          'The broker knows less than it had counted, as after the restore of a snapshot. What is above the threshold fires; all else is unknown until the window is over. Look at what happened to the broker.',
      },
      TargetSuspended: {
        status: 'Unknown',
        meaning:
          'The value is above the threshold, and the target, or a queue of it, is suspended on purpose: that is no reason to fire. The message says by what, and until when.',
      },
      TargetNotFound: { status: 'Unknown', meaning: targetNotFound },
      BrokerNotFound: { status: 'Unknown', meaning: brokerNotFound },
      BrokerNotUsable: { status: 'Unknown', meaning: brokerNotUsable },
      BrokerUnreachable: { status: 'Unknown', meaning: brokerUnreachable },
      ContradictoryWindow: { status: 'Unknown', meaning: contradictoryWindow },
    },
  },
  Notified: {
    meaning: 'Whether the channels heard of the last transition. Missing while there was nothing to tell.',
    reasons: {
      Delivered: { status: 'True', meaning: 'All channels that were to be told have taken it.' },
      Delivering: { status: 'Unknown', meaning: 'A notification is on its way.' },
      DeliveryFailed: {
        status: 'False',
        meaning:
          'A receiver did not take a notification; it is sent again, at longer and longer intervals. Look at the receiver, and at the AlertChannel.',
      },
      DeliveryGivenUp: {
        status: 'False',
        meaning:
          'A receiver did not take a notification for hours, and it is not sent again. Tell the people yourself, and look at the AlertChannel.',
      },
      ChannelNotFound: { status: 'False', meaning: channelNotFound },
      Silenced: {
        status: 'False',
        meaning: 'Somebody silenced the alert; the message says who, why and until when. Channels are told then.',
      },
      Acknowledged: {
        status: 'False',
        meaning: 'It fires anew while somebody is at it, so nobody else is called; the message says who, and until when.',
      },
      CoolingDown: {
        status: 'False',
        meaning: 'It fires anew within cooldownSeconds of the last notification, and is told when they are over.',
      },
      BelowMinimumSeverity: {
        status: 'False',
        meaning: 'No channel of the alert takes its severity. Change the severity, or the channels.',
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
    meaning: 'A receiver does not take a notification; the note says which and why. It is sent again. Look at the AlertChannel.',
  },
  NotificationGivenUp: {
    type: 'Warning',
    action: 'Notify',
    meaning: 'A receiver did not take a notification for hours, and it is not sent again. Look at the AlertChannel.',
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
