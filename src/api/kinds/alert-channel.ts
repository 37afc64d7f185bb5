import { type ConditionRegistry, conditionsOf, type EventRegistry, eventsOf } from '../conditions.ts'
import { exactlyOneOf, memberOf, type Member, namesOf } from '../members.ts'
import type { Resource } from '../object.ts'
import { boolean, dateTime, enumeration, type Infer, integer, object, optional, string } from '../schema/index.ts'
import { conditionList, observedGeneration, declareKind, type ObjectOf, resourceOf } from './kind.ts'
import { maxLabelValueLength } from './references.ts'
import { alertSeverities } from './task-alert.ts'

const secretNotFound = 'The Secret of urlSecretRef does not exist. Create it in this namespace; the operator finds it within a minute.'
const secretForbidden = 'The operator is not allowed to read the Secret of urlSecretRef. Allow it to get Secrets in this namespace.'
const secretInvalid = 'The Secret of urlSecretRef does not have the key, or its value is not a URL. The message says which; correct it.'

const alertChannelConditions = {
  Ready: {
    meaning: 'Whether notifications can be sent. It does not depend on whether the receiver accepts them.',
    reasons: {
      Usable: { status: 'True', meaning: 'Notifications can be sent.' },
      SecretNotFound: { status: 'False', meaning: secretNotFound },
      SecretForbidden: { status: 'False', meaning: secretForbidden },
      SecretInvalid: { status: 'False', meaning: secretInvalid },
    },
  },
  Reconciling: {
    meaning: 'Exists only while True: something that the channel needs is missing. The channel recovers by itself when it is there.',
    reasons: {
      SecretNotFound: { status: 'True', meaning: secretNotFound },
      SecretForbidden: { status: 'True', meaning: secretForbidden },
    },
  },
  Stalled: {
    meaning: 'Exists only while True: the channel cannot be used until a user corrects it.',
    reasons: { SecretInvalid: { status: 'True', meaning: secretInvalid } },
  },
  LastDeliverySucceeded: {
    meaning: 'The last answer of the receiver. Missing until a notification was sent.',
    reasons: {
      Delivered: { status: 'True', meaning: 'The receiver accepted the notification.' },
      DeliveryFailed: {
        status: 'False',
        meaning:
          'The receiver did not answer in time, or answered with an error; the message says which. The operator sends the notification again. Look at the receiver.',
      },
    },
  },
} as const satisfies ConditionRegistry

const alertChannelEvents = {
  DeliveryFailed: {
    type: 'Warning',
    action: 'Notify',
    meaning: 'The receiver does not accept notifications any more; the note says why. Look at the receiver.',
  },
  DeliveryRecovered: { type: 'Normal', action: 'Notify', meaning: 'The receiver accepts notifications again.' },
  SecretNotFound: { type: 'Warning', action: 'Validate', meaning: secretNotFound },
  SecretForbidden: { type: 'Warning', action: 'Validate', meaning: secretForbidden },
  SecretInvalid: { type: 'Warning', action: 'Validate', meaning: secretInvalid },
} as const satisfies EventRegistry

/** For example `channelCondition('Ready', 'Usable', '…')`. */
export const channelCondition = conditionsOf(alertChannelConditions)
export const channelEvent = eventsOf(alertChannelEvents)

/** Where the URL of a webhook stands: one of them is set. */
const urls = {
  url: optional(
    string({
      description:
        'URL that begins with http:// or https://, without user name and password. Everybody who can read the channel can read it: if it contains a token, use urlSecretRef.',
      minLength: 1,
      maxLength: 2048,
      pattern: '^https?://[A-Za-z0-9._:\\[\\]-]+([/?][!-~]*)?$',
      example: 'https://alerts.acme.dev/taskmill',
    }),
  ),
  urlSecretRef: optional(
    object({
      description:
        'Secret that has the URL. The operator reads it once a minute at most, and again when the receiver refuses a notification.',
      fields: {
        name: string({
          description: 'Name of the Secret.',
          minLength: 1,
          maxLength: 253,
          pattern: '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$',
        }),
        key: string({ description: 'Key in it.', minLength: 1, maxLength: 253, pattern: '^[-._a-zA-Z0-9]+$', example: 'url' }),
      },
    }),
  ),
} as const

const webhook = object({
  description:
    'The operator POSTs JSON to a URL, from its own place in the network; docs/alerts.md has the fields. An answer of 200 to 299 within 10 s accepts ' +
    'the notification; redirects are not followed. A notification that is not accepted is sent again for hours, with the same Idempotency-Key, by which the receiver recognizes repetitions.',
  rules: [exactlyOneOf(urls)],
  fields: urls,
})

/** Where notifications can go: one of them is set. */
const receivers = {
  log: optional(object({ description: "A line in the operator's log.", fields: {} })),
  webhook: optional(webhook),
} as const
export type ReceiverName = keyof typeof receivers

/** What `kubectl get` shows as the type of a channel. */
export const channelTypes = { log: 'Log', webhook: 'Webhook' } as const satisfies Record<ReceiverName, string>

const spec = object({
  description: 'Where notifications go, and which ones.',
  rules: [exactlyOneOf(receivers)],
  fields: {
    ...receivers,
    minimumSeverity: enumeration({
      description: 'The channel is not notified of alerts with a lower severity.',
      values: alertSeverities,
      default: 'Info',
    }),
    sendResolved: boolean({
      description: 'False: the channel is notified when an alert starts to fire, not when it is resolved.',
      default: true,
    }),
  },
})

const status = object({
  description: 'The state of the notifications. Only the operator writes it.',
  default: {},
  fields: {
    conditions: optional(conditionList),
    observedGeneration,
    type: optional(enumeration({ description: 'Type of the channel; a column of kubectl get.', values: Object.values(channelTypes) })),
    waiting: optional(
      integer({ description: 'Notifications that the receiver has not accepted yet.', minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
    ),
    lastDeliveryTime: optional(dateTime({ description: 'When the receiver last accepted a notification.' })),
    lastFailureTime: optional(dateTime({ description: 'When an attempt last failed.' })),
  },
})

export const alertChannel = declareKind({
  kind: 'AlertChannel',
  plural: 'alertchannels',
  singular: 'alertchannel',
  shortNames: ['tac'],
  referredBy: ['channelRefs'],
  description:
    'An AlertChannel says where the notifications of TaskAlerts of its namespace go: to a webhook, or into the log of the operator.',
  nameMaxLength: maxLabelValueLength,
  columns: [
    { name: 'Type', type: 'string', jsonPath: '.status.type', description: 'Type of the channel.' },
    { name: 'Minimum', type: 'string', jsonPath: '.spec.minimumSeverity', description: 'Lowest severity of which it is notified.' },
    {
      name: 'Ready',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Ready")].status',
      description: 'Whether notifications can be sent.',
    },
    { name: 'Waiting', type: 'integer', jsonPath: '.status.waiting', description: 'Notifications that were not accepted yet.' },
    { name: 'Delivered', type: 'date', jsonPath: '.status.lastDeliveryTime', description: 'Time since the receiver last accepted one.' },
    { name: 'Failed', type: 'date', jsonPath: '.status.lastFailureTime', description: 'Time since an attempt last failed.' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Age of the channel.' },
  ],
  spec,
  status,
  conditions: alertChannelConditions,
  events: alertChannelEvents,
})

export type AlertChannel = ObjectOf<typeof alertChannel>
export type AlertChannelSpec = Infer<typeof spec>
type WebhookSpec = Infer<typeof webhook>
export type AlertChannelStatus = Infer<typeof status>

export const alertChannels: Resource<AlertChannel> = resourceOf(alertChannel)

/** Where the notifications of a channel go. */
export function receiverOf(own: AlertChannelSpec): Member<AlertChannelSpec, ReceiverName> {
  return memberOf(own, namesOf(receivers))
}

/** Where the URL of a webhook stands. */
export function urlSourceOf(own: WebhookSpec): Member<WebhookSpec, keyof typeof urls> {
  return memberOf(own, namesOf(urls))
}
