import { type ConditionRegistry, conditionsOf, type EventRegistry, eventsOf } from '../conditions.ts'
import type { Resource } from '../object.ts'
import { boolean, dateTime, enumeration, type Infer, integer, listMap, object, optional, string } from '../schema/index.ts'
import { alertConditionFields, alertConditionRules, alertTargetKinds, yearSeconds } from './alert-conditions.ts'
import { conditionList, observedGeneration, declareKind, type ObjectOf, resourceOf } from './kind.ts'
import { overriddenCondition, overrideDescription, overrideEvents, overrideFields } from './override.ts'
import { maxLabelValueLength } from './references.ts'

const targetNotFound =
  'The object of spec.target does not exist. Create it in this namespace, or create another TaskAlert. Until then the alert keeps its state.'
const brokerNotFound = 'The TaskBroker of the target does not exist. Create it in this namespace; the alert then continues by itself.'
const brokerNotUsable = 'A Secret of the TaskBroker of the target is missing or wrong. `kubectl describe tmb` says what to do.'
const brokerUnreachable = 'The broker of the target does not answer, so that the value cannot be read. `kubectl describe tmb` says why.'
const channelNotFound = 'A channel of channelRefs does not exist. Create it in this namespace; notifications that are due are sent then.'
const invalidMessage =
  'An expression $(…) of spec.message is wrong. The alert is judged anyway, and its notifications have a default text. Correct the expression that the message names.'
const unreachableThreshold =
  'The schedule has too few slots within windowSeconds for the threshold, so that the alert can never fire. The alert is judged anyway. Lower the threshold or minimumRuns, or set a longer windowSeconds.'

const taskAlertConditions = {
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
      UnreachableThreshold: { status: 'False', meaning: unreachableThreshold },
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
      UnreachableThreshold: { status: 'True', meaning: unreachableThreshold },
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

const taskAlertEvents = {
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
  UnreachableThreshold: { type: 'Warning', action: 'Validate', meaning: unreachableThreshold },
  ...overrideEvents,
} as const satisfies EventRegistry

/** For example `alertCondition('Firing', 'ThresholdCrossed', '…')`. */
export const alertCondition = conditionsOf(taskAlertConditions)
export const alertEvent = eventsOf(taskAlertEvents)

const maxCount = Number.MAX_SAFE_INTEGER
const daySeconds = 86_400
const mostChannels = 8

export const alertSeverities = ['Info', 'Warning', 'Critical'] as const

const name = (description: string) =>
  string({ description, minLength: 1, maxLength: maxLabelValueLength, pattern: '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$' })

const override = object({
  description: `${overrideDescription} While an alert is acknowledged, channels are not notified when it fires again, and its status says who acknowledged it. While it is silenced, channels are not notified at all.`,
  rules: [
    {
      rule: '(has(self.acknowledge) && self.acknowledge) || (has(self.silence) && self.silence)',
      message: 'an override of an alert needs acknowledge: true or silence: true',
    },
  ],
  fields: {
    ...overrideFields,
    acknowledge: optional(
      boolean({
        description: 'True: a user works on it. Until the override ends, channels are notified only when the alert is resolved.',
      }),
    ),
    silence: optional(
      boolean({ description: 'True: channels are not notified until the override ends; then they are notified of the current state.' }),
    ),
  },
})

const spec = object({
  description: 'What must not go wrong, for how long it may, and who is notified.',
  rules: alertConditionRules,
  fields: {
    target: object({
      description:
        'The object that the alert watches, in the same namespace. Its condition Alerting shows which alerts fire. While it is suspended on purpose, by its spec or by an override, no alert starts to fire. Cannot be changed.',
      immutable: 'target cannot be changed: the record of the alert is about this one. Create another TaskAlert.',
      fields: {
        kind: enumeration({ description: 'Kind of the target.', values: alertTargetKinds }),
        name: name('Name of the target.'),
      },
    }),
    ...alertConditionFields,
    windowSeconds: optional(
      integer({
        description:
          'Length of the window that ends now. Runs are counted by the minute, and the current minute counts too, so that the window is up to a minute longer. With noSuccess up to a year, otherwise up to a day.',
        minimum: 60,
        maximum: yearSeconds,
        rules: [{ rule: 'self % 60 == 0', message: 'must be whole minutes: runs are counted by the minute' }],
      }),
    ),
    forSeconds: integer({
      description: 'How long the threshold must be crossed before the alert fires; until then the alert is Pending.',
      minimum: 0,
      maximum: daySeconds,
      default: 0,
    }),
    severity: enumeration({
      description: 'How important the alert is. Channels have a minimumSeverity.',
      values: alertSeverities,
      default: 'Warning',
    }),
    cooldownSeconds: integer({
      description:
        'Shortest time between two notifications of a channel that the alert fires. If the alert still fires afterwards, the channel is notified then.',
      minimum: 0,
      maximum: 7 * daySeconds,
      default: 300,
    }),
    channelRefs: optional(
      listMap({
        description:
          'AlertChannels of the same namespace that are notified. Without any, the alert shows only in conditions, metrics and Events.',
        keys: ['name'],
        maxItems: mostChannels,
        items: object({ description: 'One AlertChannel.', fields: { name: name('Name of the AlertChannel.') } }),
      }),
    ),
    message: optional(
      string({
        description:
          'Text of the notifications, with expressions $(…) over target.kind, target.name, alert.name, alert.namespace, alert.severity, value (a number, in the unit of the threshold) and limit (a text).',
        minLength: 1,
        maxLength: 1024,
        example: '$(target.name) fails $(value)% of its runs',
      }),
    ),
    runbookURL: optional(
      string({
        description: 'URL of a page that says what to do; each notification contains it.',
        maxLength: 1024,
        pattern: '^https?://[!-~]+$',
        example: 'https://runbooks.acme.dev/email-failing',
      }),
    ),
    override: optional(override),
  },
})

const text = (description: string, maxLength: number) => optional(string({ description, maxLength }))
const transitions = ['Firing', 'Resolved'] as const

const status = object({
  description: 'The record of the alert, from which the operator continues after a restart. Only the operator writes it.',
  default: {},
  fields: {
    conditions: optional(conditionList),
    observedGeneration,
    state: optional(
      enumeration({
        description:
          'Inactive, Pending (the threshold is crossed, but not for forSeconds yet), Firing, or Unknown (Inactive when it was last judged, and the value cannot be read now).',
        values: ['Inactive', 'Pending', 'Firing', 'Unknown'],
      }),
    ),
    sinceTime: optional(dateTime({ description: 'Since when the alert is in this state.' })),
    target: text('The target, as short name of its kind and name; a column of kubectl get.', 128),
    value: text('The value when it was last read; a column of kubectl get.', 256),
    ackedBy: text('Who acknowledged or silenced the alert, while the override is active; a column of kubectl get.', 320),
    sequence: optional(integer({ description: 'Number of the newest transition.', minimum: 0, maximum: maxCount })),
    suspendedTime: optional(dateTime({ description: 'When the operator saw that the target is suspended on purpose.' })),
    resumedTime: optional(
      dateTime({ description: 'When the operator saw that the suspension ended; noSuccess counts from here until there is a success.' }),
    ),
    timing: optional(
      object({
        description: 'Of noSuccess: the times at which the schedule is due. A success is expected for the first slot after they changed.',
        fields: {
          hash: string({ description: 'Hash of the expressions and the time zone, or of the interval.', maxLength: 64 }),
          changeTime: optional(dateTime({ description: 'When the operator saw that they changed.' })),
        },
      }),
    ),
    longestRun: optional(
      object({
        description:
          'Of noSuccess: how long after they were due successful runs ended, at most a day. The next one may take half as long again as the longest of both.',
        fields: {
          seconds: integer({ description: 'The longest since sinceTime.', minimum: 0, maximum: daySeconds }),
          sinceTime: dateTime({ description: 'When the present period began; it has 35 days.' }),
          formerSeconds: optional(integer({ description: 'The longest of the period before.', minimum: 0, maximum: daySeconds })),
        },
      }),
    ),
    transitions: optional(
      listMap({
        description: 'The last ten times that the alert started or stopped firing, oldest first.',
        keys: ['sequence'],
        maxItems: 10,
        items: object({
          description: 'One transition.',
          fields: {
            sequence: integer({ description: 'Its number.', minimum: 1, maximum: maxCount }),
            state: enumeration({ description: 'State after the transition.', values: transitions }),
            changeTime: dateTime({ description: 'Time of the transition.' }),
            value: string({ description: 'The value that caused it.', maxLength: 256 }),
            amount: string({ description: 'The value as a bare number, in the unit of the threshold.', maxLength: 32 }),
          },
        }),
      }),
    ),
    notifications: optional(
      listMap({
        description: 'The last notification of each channel. The operator writes it here before it sends it.',
        keys: ['channel'],
        maxItems: mostChannels,
        items: object({
          description: 'One channel.',
          fields: {
            channel: string({ description: 'Name of the AlertChannel.', minLength: 1, maxLength: maxLabelValueLength }),
            sequence: integer({ description: 'Number of the transition of the notification.', minimum: 1, maximum: maxCount }),
            state: enumeration({ description: 'State of which the channel is notified.', values: transitions }),
            decisionTime: dateTime({ description: 'When the notification was decided.' }),
            firingTime: optional(
              dateTime({ description: 'When the channel was last notified that the alert fires; cooldownSeconds start here.' }),
            ),
            delivery: enumeration({
              description: 'State of the delivery. GivenUp: the receiver did not accept it for hours.',
              values: ['Pending', 'Delivered', 'GivenUp'],
            }),
            message: text('The last answer of the receiver, while it has not accepted the notification.', 512),
          },
        }),
      }),
    ),
  },
})

export const taskAlert = declareKind({
  kind: 'TaskAlert',
  plural: 'taskalerts',
  singular: 'taskalert',
  shortNames: ['tal'],
  description:
    'A TaskAlert says what must not go wrong with a pool, a queue, a schedule or a graph. When it goes wrong, the alert and its target show it, as do an Event and a metric, and AlertChannels are notified.',
  nameMaxLength: maxLabelValueLength,
  columns: [
    { name: 'Severity', type: 'string', jsonPath: '.spec.severity', description: 'How important the alert is.' },
    { name: 'State', type: 'string', jsonPath: '.status.state', description: 'Whether it fires.' },
    { name: 'Target', type: 'string', jsonPath: '.status.target', description: 'The object that the alert watches.' },
    { name: 'Value', type: 'string', jsonPath: '.status.value', description: 'The value when it was last read.' },
    { name: 'Since', type: 'date', jsonPath: '.status.sinceTime', description: 'How long the alert is in this state.' },
    { name: 'Acked-By', type: 'string', jsonPath: '.status.ackedBy', description: 'Who acknowledged or silenced the alert.' },
  ],
  spec,
  status,
  conditions: taskAlertConditions,
  events: taskAlertEvents,
})

export type TaskAlert = ObjectOf<typeof taskAlert>
export type TaskAlertSpec = Infer<typeof spec>
export type TaskAlertStatus = Infer<typeof status>

export const taskAlerts: Resource<TaskAlert> = resourceOf(taskAlert)
