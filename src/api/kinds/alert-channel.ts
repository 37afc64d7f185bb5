import { exactlyOneOf, memberOf, type Member, namesOf } from '../members.ts'
import type { Resource } from '../object.ts'
import { boolean, dateTime, enumeration, type Infer, integer, object, optional, string } from '../schema/index.ts'
import { alertChannelConditions, alertChannelEvents } from './alert-channel-reasons.ts'
import { conditionList, observedGeneration, declareKind, type ObjectOf, resourceOf } from './kind.ts'
import { maxLabelValueLength } from './references.ts'
import { alertSeverities } from './task-alert.ts'

/** Where the URL of a webhook stands: one of them is set. */
const urls = {
  url: optional(
    string({
      description:
        'URL that begins with http:// or https://, without user name and password. Everybody who may read the channel reads it: with a token in it, use urlSecretRef.',
      minLength: 1,
      maxLength: 2048,
      pattern: '^https?://[A-Za-z0-9._:\\[\\]-]+([/?][!-~]*)?$',
      example: 'https://alerts.acme.dev/taskmill',
    }),
  ),
  urlSecretRef: optional(
    object({
      description:
        'Secret that holds the URL. It is read by its name once a minute at most, and again when the receiver refuses what is sent.',
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
    'A POST of JSON to a URL, from where the operator runs: docs/alerts.md has the fields. Any answer of 200 to 299 within 10 s means that it was ' +
    'taken; redirects are not followed. What is not taken is sent again for hours, with the same Idempotency-Key, so a receiver must tell repetitions by it.',
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
  description: 'Where notifications go, and which.',
  rules: [exactlyOneOf(receivers)],
  fields: {
    ...receivers,
    minimumSeverity: enumeration({ description: 'Alerts of a lower severity are not told.', values: alertSeverities, default: 'Info' }),
    sendResolved: boolean({ description: 'False: only that an alert fires is told, not that it does so no more.', default: true }),
  },
})

const status = object({
  description: 'What became of the notifications. Written by the operator only.',
  default: {},
  fields: {
    conditions: optional(conditionList),
    observedGeneration,
    type: optional(
      enumeration({ description: 'What kind of channel it is; a column of kubectl get.', values: Object.values(channelTypes) }),
    ),
    waiting: optional(
      integer({ description: 'Notifications that the receiver has not taken yet.', minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
    ),
    lastDeliveryTime: optional(dateTime({ description: 'When the receiver took a notification last.' })),
    lastFailureTime: optional(dateTime({ description: 'When it did not last.' })),
  },
})

export const alertChannel = declareKind({
  kind: 'AlertChannel',
  plural: 'alertchannels',
  singular: 'alertchannel',
  shortNames: ['tac'],
  description:
    'An AlertChannel says where the notifications of TaskAlerts of its namespace go: to a webhook, or into the log of the operator.',
  nameMaxLength: maxLabelValueLength,
  columns: [
    { name: 'Type', type: 'string', jsonPath: '.status.type', description: 'What kind of channel it is.' },
    { name: 'Minimum', type: 'string', jsonPath: '.spec.minimumSeverity', description: 'Lowest severity that it takes.' },
    {
      name: 'Ready',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Ready")].status',
      description: 'Whether notifications can be sent.',
    },
    { name: 'Waiting', type: 'integer', jsonPath: '.status.waiting', description: 'Notifications that were not taken yet.' },
    { name: 'Delivered', type: 'date', jsonPath: '.status.lastDeliveryTime', description: 'How long ago the receiver took one.' },
    { name: 'Failed', type: 'date', jsonPath: '.status.lastFailureTime', description: 'How long ago it did not.' },
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
