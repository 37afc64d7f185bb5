import { dateTime, enumeration, integer, listMap, object, optional, string } from '../schema/index.ts'

export const maxConditionMessageLength = 32_768
export const maxGeneration = Number.MAX_SAFE_INTEGER

/** `status.conditions`, the same in every kind and as in Kubernetes' own `metav1.Condition`. */
export const conditionList = listMap({
  description: 'What is true of the object now, one entry per type. Reconciling and Stalled are there only while they are True.',
  keys: ['type'],
  maxItems: 32,
  items: object({
    description: 'One fact about the object.',
    fields: {
      type: string({
        description: 'Name of the fact, in CamelCase.',
        maxLength: 316,
        pattern: '^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$',
        example: 'Ready',
      }),
      status: enumeration({ description: 'Whether the fact holds.', values: ['True', 'False', 'Unknown'] }),
      observedGeneration: optional(
        integer({ description: 'Generation of the object that the fact was found for.', minimum: 0, maximum: maxGeneration }),
      ),
      lastTransitionTime: dateTime({ description: 'When the status changed last.' }),
      reason: string({
        description: 'Why, in one CamelCase word; the reference page lists them all.',
        minLength: 1,
        maxLength: 1024,
        pattern: '^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$',
      }),
      message: string({ description: 'Why, in words.', maxLength: maxConditionMessageLength }),
    },
  }),
})

/** `status.observedGeneration`: -1 until the operator has seen the object, so that nobody takes an unread spec for applied. */
export const observedGeneration = integer({
  description:
    'Generation of the spec that this status is about. Smaller than metadata.generation: the operator has not acted on the last change yet.',
  minimum: -1,
  maximum: maxGeneration,
  default: -1,
})
