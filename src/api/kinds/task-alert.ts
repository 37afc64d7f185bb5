import type { Resource } from '../object.ts'
import { boolean, dateTime, enumeration, type Infer, integer, listMap, object, optional, string } from '../schema/index.ts'
import { alertConditionFields, alertConditionRules, alertTargetKinds, yearSeconds } from './alert-conditions.ts'
import { conditionList, observedGeneration, declareKind, type ObjectOf, resourceOf } from './kind.ts'
import { overrideDescription, overrideFields } from './override.ts'
import { maxLabelValueLength } from './references.ts'
import { taskAlertConditions, taskAlertEvents } from './task-alert-reasons.ts'

const maxCount = Number.MAX_SAFE_INTEGER
const daySeconds = 86_400
const mostChannels = 8

export const alertSeverities = ['Info', 'Warning', 'Critical'] as const

const name = (description: string) =>
  string({ description, minLength: 1, maxLength: maxLabelValueLength, pattern: '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$' })

const override = object({
  description: `${overrideDescription} An acknowledged alert calls nobody when it fires anew, and says who is at it; a silenced one tells nobody anything.`,
  rules: [
    {
      rule: '(has(self.acknowledge) && self.acknowledge) || (has(self.silence) && self.silence)',
      message: 'an override of an alert needs acknowledge: true or silence: true',
    },
  ],
  fields: {
    ...overrideFields,
    acknowledge: optional(
      boolean({ description: 'True: somebody is at it. Channels hear that it is resolved, and nothing else until the override ends.' }),
    ),
    silence: optional(
      boolean({ description: 'True: channels hear nothing until the override ends; then they are told what is the case.' }),
    ),
  },
})

const spec = object({
  description: 'What must not go wrong, how long it may, and who is told.',
  rules: alertConditionRules,
  fields: {
    target: object({
      description:
        'What is watched, in the same namespace. It shows in its condition Alerting which alerts fire. While it is suspended on purpose, by its spec or by an override, nothing begins to fire. Cannot be changed.',
      immutable: 'target cannot be changed: what the alert tells is about this one. Create another TaskAlert.',
      fields: {
        kind: enumeration({ description: 'Kind of the target.', values: alertTargetKinds }),
        name: name('Name of the target.'),
      },
    }),
    ...alertConditionFields,
    windowSeconds: optional(
      integer({
        description:
          'How far back is looked. Runs are counted by the minute: the present minute counts too, so that it is up to a minute more. With noSuccess up to a year, else up to a day.',
        minimum: 60,
        maximum: yearSeconds,
        rules: [{ rule: 'self % 60 == 0', message: 'must be whole minutes: runs are counted by the minute' }],
      }),
    ),
    forSeconds: integer({
      description: 'How long the threshold must be crossed before the alert fires; until then it is Pending.',
      minimum: 0,
      maximum: daySeconds,
      default: 0,
    }),
    severity: enumeration({ description: 'How much it matters. Channels take a minimum.', values: alertSeverities, default: 'Warning' }),
    cooldownSeconds: integer({
      description: 'How long a channel is not told again that the alert fires, once it was. What fires still is told afterwards.',
      minimum: 0,
      maximum: 7 * daySeconds,
      default: 300,
    }),
    channelRefs: optional(
      listMap({
        description: 'AlertChannels of the same namespace that are told. None: it shows in conditions, metrics and Events only.',
        keys: ['name'],
        maxItems: mostChannels,
        items: object({ description: 'One AlertChannel.', fields: { name: name('Name of the AlertChannel.') } }),
      }),
    ),
    message: optional(
      string({
        description:
          'What people read in a notification, with expressions $(…) over target.kind, target.name, alert.name, alert.namespace, alert.severity, value (a number, in the unit of the threshold) and limit (a text).',
        minLength: 1,
        maxLength: 1024,
        example: '$(target.name) fails $(value)% of its runs',
      }),
    ),
    runbookURL: optional(
      string({
        description: 'Page that says what to do; it goes out with each notification.',
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
  description: 'The record of the alert: whoever judges it next goes on from here. Written by the operator only.',
  default: {},
  fields: {
    conditions: optional(conditionList),
    observedGeneration,
    state: optional(
      enumeration({
        description:
          'Inactive, Pending (crossed, not for long enough yet), Firing, or Unknown: inactive as far as is known, and nothing is known now.',
        values: ['Inactive', 'Pending', 'Firing', 'Unknown'],
      }),
    ),
    sinceTime: optional(dateTime({ description: 'Since when it is in that state.' })),
    target: text('The target as short name of its kind and name; a column of kubectl get.', 128),
    value: text('The value when it was looked at last; a column of kubectl get.', 256),
    ackedBy: text('Who is at it, while an override acknowledges or silences the alert; a column of kubectl get.', 320),
    sequence: optional(integer({ description: 'Number of the newest transition.', minimum: 0, maximum: maxCount })),
    suspendedTime: optional(dateTime({ description: 'Since when the target is seen to be suspended on purpose.' })),
    resumedTime: optional(
      dateTime({ description: 'When it was seen to go on after that; noSuccess counts from here, until there is a success.' }),
    ),
    transitions: optional(
      listMap({
        description: 'The last ten times that the alert began or ended to fire, oldest first.',
        keys: ['sequence'],
        maxItems: 10,
        items: object({
          description: 'One transition.',
          fields: {
            sequence: integer({ description: 'Its number.', minimum: 1, maximum: maxCount }),
            state: enumeration({ description: 'What it became.', values: transitions }),
            changeTime: dateTime({ description: 'When it became so.' }),
            value: string({ description: 'The value that made it so.', maxLength: 256 }),
            amount: string({ description: 'The same as a bare number, in the unit of the threshold.', maxLength: 32 }),
          },
        }),
      }),
    ),
    notifications: optional(
      listMap({
        description: 'The last notification to each channel. It stands here before it is sent.',
        keys: ['channel'],
        maxItems: mostChannels,
        items: object({
          description: 'One channel.',
          fields: {
            channel: string({ description: 'Name of the AlertChannel.', minLength: 1, maxLength: maxLabelValueLength }),
            sequence: integer({ description: 'Number of the transition that it is about.', minimum: 1, maximum: maxCount }),
            state: enumeration({ description: 'What was told.', values: transitions }),
            decisionTime: dateTime({ description: 'When it was decided.' }),
            firingTime: optional(
              dateTime({ description: 'When the channel was told last that the alert fires; cooldownSeconds count from here.' }),
            ),
            delivery: enumeration({
              description: 'What became of it. GivenUp: the receiver did not take it for hours.',
              values: ['Pending', 'Delivered', 'GivenUp'],
            }),
            message: text('What the receiver said last, while it has not taken it.', 512),
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
    'A TaskAlert says what must not go wrong with a pool, a queue, a schedule or a graph. When it does, it shows on the alert, on its target, as an Event and as a metric, and AlertChannels are told.',
  nameMaxLength: maxLabelValueLength,
  columns: [
    { name: 'Severity', type: 'string', jsonPath: '.spec.severity', description: 'How much it matters.' },
    { name: 'State', type: 'string', jsonPath: '.status.state', description: 'Whether it fires.' },
    { name: 'Target', type: 'string', jsonPath: '.status.target', description: 'What is watched.' },
    { name: 'Value', type: 'string', jsonPath: '.status.value', description: 'The value when it was looked at last.' },
    { name: 'Since', type: 'date', jsonPath: '.status.sinceTime', description: 'For how long it is in that state.' },
    { name: 'Acked-By', type: 'string', jsonPath: '.status.ackedBy', description: 'Who is at it.' },
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
