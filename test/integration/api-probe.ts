import type { Kind } from '../../src/api/index.ts'
import {
  dateTime,
  enumeration,
  integer,
  intOrString,
  listMap,
  map,
  object,
  openObject,
  optional,
  quantity,
  set,
  string,
  union,
} from '../../src/api/schema/index.ts'

const word = string({ description: 'A short word.', minLength: 1, maxLength: 8, pattern: '^[a-z]+$' })
const count = integer({ description: 'A number of things.', minimum: 0, maximum: 5, default: 1 })

const step = object({
  description: 'One step of the probe.',
  fields: {
    name: word,
    image: string({ description: 'What the step runs.', maxLength: 20, immutable: 'the image of a step cannot be changed' }),
    weight: count,
  },
})

/** A kind that exists only here: every combinator, and rules at every depth, so that also what no kind uses yet is proved. */
export const probe: Kind = {
  kind: 'Probe',
  plural: 'probes',
  singular: 'probe',
  shortNames: [],
  description: 'A Probe uses every combinator.',
  columns: [],
  nameMaxLength: 30,
  spec: object({
    description: 'Every combinator once.',
    fields: {
      mode: enumeration({ description: 'How it works.', values: ['Auto', 'Manual'], default: 'Auto' }),
      since: optional(dateTime({ description: 'Since when it works.' })),
      share: intOrString({
        description: 'A number or a percentage.',
        minimum: 0,
        maximum: 100,
        maxLength: 4,
        pattern: '^[0-9]{1,3}%$',
        default: '25%',
      }),
      memory: optional(quantity({ description: 'How much memory.' })),
      trigger: union({
        description: 'What starts it.',
        members: {
          cron: object({ description: 'A clock.', fields: { schedule: string({ description: 'When.', maxLength: 20 }), count } }),
          queue: object({ description: 'A queue.', fields: { name: word } }),
          everySeconds: integer({ description: 'An interval.', minimum: 1, maximum: 60 }),
        },
      }),
      tags: optional(set({ description: 'A set of words.', items: word, maxItems: 4 })),
      labels: optional(
        map({
          description: 'A map of words.',
          maxProperties: 3,
          values: string({
            description: 'A value that is not its own opposite.',
            maxLength: 9,
            rules: [{ rule: "self != 'no'", message: "must not be 'no'" }],
          }),
        }),
      ),
      steps: listMap({ description: 'What it does.', keys: ['name'], minItems: 1, maxItems: 5, items: step }),
      rest: optional(
        openObject({
          description: 'Anything else.',
          fields: { known: count },
          rules: [{ rule: 'self.known + 1 < 6', message: 'known must be below 5', fieldPath: '.known' }],
        }),
      ),
    },
  }),
  status: object({
    description: 'What was seen.',
    default: {},
    fields: { observedGeneration: integer({ description: 'Of which generation.', minimum: -1, maximum: 9, default: -1 }) },
  }),
  rules: [{ rule: "self.spec.mode != 'Manual' || has(self.spec.since)", message: 'Manual needs since', fieldPath: '.spec.since' }],
  conditions: {},
  events: {},
}

export const fullProbe = {
  apiVersion: 'taskmill.dev/v1alpha1',
  kind: 'Probe',
  metadata: { name: 'full' },
  spec: {
    mode: 'Auto',
    since: '2026-01-01T08:00:00Z',
    share: 50,
    memory: '2Gi',
    trigger: { cron: { schedule: '@daily', count: 2 } },
    tags: ['a', 'b'],
    labels: { team: 'mail' },
    steps: [{ name: 'a', image: 'a:1', weight: 1 }],
    rest: { known: 1, other: { deep: true } },
  },
  status: { observedGeneration: 1 },
}
